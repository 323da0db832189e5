"""The names that others configure."""

import pytest

from ferrogen.telemetry import names


def test_logger_names_are_those_of_upstream() -> None:
    upstream = pytest.importorskip("autogen_core")
    for name in ("ROOT_LOGGER_NAME", "EVENT_LOGGER_NAME", "TRACE_LOGGER_NAME"):
        assert getattr(names, name) == getattr(upstream, name)


def test_the_namespace_is_that_of_upstream() -> None:
    upstream = pytest.importorskip("autogen_core._telemetry._constants")
    assert names.NAMESPACE == upstream.NAMESPACE
