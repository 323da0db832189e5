"""Child processes of the same environment have the hook from their start."""

from collections.abc import Callable
from pathlib import Path

import pytest

RunProgram = Callable[..., str]

POOL = """
    import multiprocessing
    from concurrent.futures import ProcessPoolExecutor

    class Note:
        text = "of the main module"

    def describe(note):
        import autogen_core
        assert type(note) is Note
        return autogen_core.__name__, autogen_core.TopicId("news", "today")

    if __name__ == "__main__":
        import ferrogen
        ferrogen.install()
        with ProcessPoolExecutor(1, multiprocessing.get_context("{method}")) as pool:
            response = pool.submit(describe, Note()).result()
        assert response == ("ferrogen", ferrogen.TopicId("news", "today"))
    """


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_pool_of_processes_is_hooked(run_program: RunProgram, method: str):
    run_program(POOL.format(method=method))


def test_plain_child_process_is_hooked(run_program: RunProgram, tmp_path: Path):
    (tmp_path / "child.py").write_text("import autogen_core; print(autogen_core.__name__)")
    output = run_program("""
        import subprocess, sys
        import ferrogen
        ferrogen.install()
        subprocess.run([sys.executable, "child.py"], check=True, cwd=sys.path[0])
        """)
    assert output == "ferrogen\n"


def test_child_that_never_asks_does_not_import_ferrogen(run_program: RunProgram):
    run_program(
        """
        import sys
        assert "_ferrogen_hook" in sys.modules
        assert not [name for name in sys.modules if name.startswith("ferrogen")]
        """,
        FERROGEN_INSTALL="1",
    )


@pytest.mark.parametrize("environment", [{}, {"FERROGEN_INSTALL": "0"}])
def test_without_the_variable_the_interpreter_is_unchanged(
    run_program: RunProgram, environment: dict[str, str]
):
    run_program(
        """
        import sys
        assert "_ferrogen_hook" not in sys.modules
        """,
        **environment,
    )
