"""What upstream has and Ferrogen has not is named by the error."""

from collections.abc import Callable
from pathlib import Path

import pytest

RunProgram = Callable[..., str]

ATTEMPTS = {
    "import autogen_core._queue": "_queue",
    "from autogen_core import _queue": "_queue",
    "from autogen_core._queue import Queue": "_queue",
    "import autogen_core._queue._deeper": "_queue",
    "from autogen_core import AgentId, _queue as queue": "_queue",
}


@pytest.mark.parametrize(("statement", "missing"), ATTEMPTS.items())
def test_import_of_a_missing_part_names_it(run_program: RunProgram, statement: str, missing: str):
    run_program(f"""
        import ferrogen
        ferrogen.install()
        try:
            {statement}
        except ImportError as error:
            assert isinstance(error, ferrogen.exceptions.NotProvidedError)
            assert str(error) == "ferrogen does not provide autogen_core.{missing} yet"
            assert error.name == "autogen_core.{missing}"
        else:
            raise SystemExit("imported")
        """)


def test_optional_import_of_a_missing_part_can_be_caught_as_not_found(run_program: RunProgram):
    run_program("""
        import ferrogen
        ferrogen.install()
        try:
            import autogen_core._queue
        except ModuleNotFoundError:
            pass
        """)


def test_missing_attribute_names_itself_and_hasattr_says_no(run_program: RunProgram):
    run_program("""
        import ferrogen
        ferrogen.install()
        import autogen_core
        assert not hasattr(autogen_core, "_queue")
        assert getattr(autogen_core, "_queue", None) is None
        try:
            autogen_core._queue
        except AttributeError as error:
            assert str(error) == "ferrogen does not provide autogen_core._queue yet"
        else:
            raise SystemExit("found")
        """)


def test_a_missing_name_of_a_private_path_names_itself_and_hasattr_says_no(
    run_program: RunProgram,
):
    run_program("""
        import ferrogen
        ferrogen.install()
        from autogen_core import _serialization, _topic
        for module, path in ((_topic, "_topic"), (_serialization, "_serialization")):
            assert not hasattr(module, "unheard")
            try:
                module.unheard
            except AttributeError as error:
                assert str(error) == f"ferrogen does not provide autogen_core.{path}.unheard yet"
            else:
                raise SystemExit("found")
        """)


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("_topic", "is_valid_topic_type"),
        ("_telemetry._tracing", "trace"),
        ("_serialization", "unheard"),
    ],
)
def test_import_of_a_missing_name_of_a_private_path_names_it(
    run_program: RunProgram, path: str, name: str
):
    run_program(f"""
        import ferrogen
        ferrogen.install()
        try:
            from autogen_core.{path} import {name}
        except ImportError as error:
            assert isinstance(error, ferrogen.exceptions.NotProvidedError)
            assert str(error) == "ferrogen does not provide autogen_core.{path}.{name} yet"
            assert error.name == "autogen_core.{path}"
        else:
            raise SystemExit("imported")
        """)


@pytest.mark.parametrize(
    "name",
    [
        "autogen_core._queue",
        "autogen_core._topic.unheard",
        "autogen_core.nonsense",
        "autogen_core.models.nonsense",
        "ferrogen._queue",
    ],
)
def test_find_spec_of_a_missing_part_is_none(run_program: RunProgram, name: str):
    run_program(f"""
        import importlib.util, pkgutil
        import ferrogen
        ferrogen.install()
        import autogen_core
        assert importlib.util.find_spec({name!r}) is None
        assert importlib.util.find_spec("autogen_core._topic").name == "autogen_core._topic"
        assert importlib.util.find_spec("autogen_core.models") is not None
        """)


def test_find_spec_of_a_missing_part_is_none_before_the_first_import(
    run_program: RunProgram,
):
    run_program(
        """
        import importlib.util
        assert importlib.util.find_spec("autogen_core") is not None
        assert importlib.util.find_spec("autogen_core._queue") is None
        """,
        FERROGEN_INSTALL="1",
    )


def test_unknown_names_are_ordinary_errors(run_program: RunProgram):
    run_program("""
        import ferrogen
        ferrogen.install()
        import autogen_core
        def words(statement):
            try:
                exec(statement)
            except (AttributeError, ImportError) as error:
                return f"{type(error).__name__}: {error}"
        assert words("autogen_core.nonsense") == (
            "AttributeError: module 'ferrogen' has no attribute 'nonsense'"
        )
        assert words("import autogen_core.nonsense") == (
            "ModuleNotFoundError: No module named 'autogen_core.nonsense'"
        )
        assert words("from autogen_core import nonsense").startswith(
            "ImportError: cannot import name 'nonsense' from 'ferrogen'"
        )
        """)


def test_a_package_built_on_upstream_fails_at_the_part_it_misses(
    run_program: RunProgram, tmp_path: Path
):
    (tmp_path / "autogen_agentchat").mkdir()
    (tmp_path / "autogen_agentchat" / "__init__.py").write_text(
        "from autogen_core import CancellationToken\nfrom autogen_core._queue import Queue\n"
    )
    output = run_program("""
        import traceback
        import ferrogen
        ferrogen.install()
        try:
            import autogen_agentchat
        except ImportError:
            traceback.print_exc(file=__import__("sys").stdout)
        """)
    assert "from autogen_core._queue import Queue" in output
    last = output.splitlines()[-1]
    assert last == (
        "ferrogen.exceptions.NotProvidedError: ferrogen does not provide autogen_core._queue yet"
    )
