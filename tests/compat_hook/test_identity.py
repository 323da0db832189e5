"""``autogen_core`` and its submodules are ferrogen's modules, whichever is imported first."""

from collections.abc import Callable
from pathlib import Path

import pytest

RunProgram = Callable[..., str]

FIRST_IMPORTS = [
    "import autogen_core",
    "import autogen_core.logging",
    "from autogen_core import logging",
    "from autogen_core.logging import MessageEvent",
    "import ferrogen.logging",
    "from autogen_core import TopicId",
    "from autogen_core._topic import TopicId",
]


@pytest.mark.parametrize("first", FIRST_IMPORTS)
def test_every_import_order_gives_the_same_modules(run_program: RunProgram, first: str):
    run_program(f"""
        import ferrogen
        ferrogen.install()
        {first}
        import autogen_core, autogen_core.exceptions, autogen_core.logging
        import ferrogen.exceptions, ferrogen.logging
        assert autogen_core is ferrogen
        assert autogen_core.logging is ferrogen.logging
        assert autogen_core.exceptions is ferrogen.exceptions
        """)


def test_modules_keep_their_own_names_and_specs(run_program: RunProgram):
    run_program("""
        import ferrogen, ferrogen.logging
        ferrogen.install()
        before = ferrogen.__spec__, ferrogen.logging.__spec__, ferrogen.__loader__
        import autogen_core.logging
        assert before == (ferrogen.__spec__, ferrogen.logging.__spec__, ferrogen.__loader__)
        assert ferrogen.__name__ == ferrogen.__spec__.name == "ferrogen"
        assert ferrogen.logging.__spec__.name == "ferrogen.logging"
        """)


def test_hook_wins_over_a_real_package_on_the_path(run_program: RunProgram, tmp_path: Path):
    (tmp_path / "autogen_core").mkdir()
    (tmp_path / "autogen_core" / "__init__.py").write_text("raise RuntimeError('the real one')")
    run_program("""
        import ferrogen
        ferrogen.install()
        import autogen_core
        assert autogen_core is ferrogen
        """)


def test_no_module_of_ferrogen_is_loaded_twice(run_program: RunProgram):
    run_program("""
        import importlib, pkgutil, sys
        import ferrogen
        ferrogen.install()
        import autogen_core
        found = [m.name for m in pkgutil.walk_packages(autogen_core.__path__, "autogen_core.")]
        assert "autogen_core.messaging.topic" in found
        for name in found:
            if not name.endswith("__main__"):
                alias = importlib.import_module(name)
                assert alias is sys.modules[name.replace("autogen_core", "ferrogen", 1)], name
        """)


def test_find_spec_describes_the_alias_without_importing_it(run_program: RunProgram):
    run_program("""
        import sys
        from importlib.util import find_spec
        import ferrogen
        ferrogen.install()
        spec = find_spec("autogen_core")
        assert spec.name == "autogen_core"
        assert spec.submodule_search_locations == list(ferrogen.__path__)
        assert "autogen_core" not in sys.modules
        assert find_spec("autogen_core.logging").origin == ferrogen.logging.__file__
        """)


def test_reload_of_the_alias_reloads_ferrogen_in_place(run_program: RunProgram):
    run_program("""
        import importlib
        import ferrogen
        ferrogen.install()
        import autogen_core.logging
        assert importlib.reload(autogen_core.logging) is ferrogen.logging
        assert importlib.reload(autogen_core) is ferrogen
        import autogen_core as again
        assert again is ferrogen
        """)


def test_threads_that_import_at_once_get_one_module(run_program: RunProgram):
    run_program("""
        import sys, threading
        import ferrogen
        ferrogen.install()
        start, seen = threading.Barrier(8), []
        def look(name):
            start.wait()
            __import__(name)
            seen.append(sys.modules[name])
        names = ["autogen_core", "autogen_core.logging", "autogen_core._topic", "ferrogen.logging"]
        threads = [threading.Thread(target=look, args=(name,)) for name in names * 2]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        import autogen_core._topic
        allowed = {id(m) for m in (ferrogen, ferrogen.logging, autogen_core._topic)}
        assert len(seen) == 8 and {id(module) for module in seen} == allowed
        """)
