"""``ferrogen.install()``: harmless to repeat, refused when it comes too late."""

from collections.abc import Callable
from pathlib import Path

RunProgram = Callable[..., str]


def test_import_of_ferrogen_alone_changes_nothing(run_program: RunProgram):
    run_program("""
        import os, sys
        before = list(sys.meta_path)
        import ferrogen
        assert sys.meta_path == before
        assert "autogen_core" not in sys.modules and "FERROGEN_INSTALL" not in os.environ
        """)


def test_installing_again_changes_nothing(run_program: RunProgram):
    run_program("""
        import sys
        import ferrogen
        ferrogen.install()
        once = list(sys.meta_path)
        import autogen_core
        autogen_core.install()
        assert sys.meta_path == once
        """)


def test_install_is_refused_once_the_real_package_is_imported(
    run_program: RunProgram, tmp_path: Path
):
    for name, content in {"autogen_core": "", "autogen_agentchat": "import autogen_core"}.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text(content)
    output = run_program("""
        import os, sys
        import autogen_agentchat
        import ferrogen
        before = list(sys.meta_path)
        try:
            ferrogen.install()
        except RuntimeError as error:
            assert isinstance(error, ferrogen.exceptions.AlreadyImportedError)
            print(error)
        assert sys.meta_path == before and "FERROGEN_INSTALL" not in os.environ
        """)
    assert output == (
        "autogen_core is already imported (and so is autogen_agentchat), so ferrogen cannot take "
        "its place: call ferrogen.install() before the first import of it, or start the program "
        'by "ferrogen run PROGRAM"\n'
    )
