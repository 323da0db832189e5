"""The public surface: the names that are promised are there, and importing them is cheap."""

from __future__ import annotations

import inspect
import subprocess
import sys

import pytest

import ferrogen
from ferrogen._late_names import LATE_NAMES

HEAVY = ["pydantic", "pydantic_core", "google.protobuf", "opentelemetry.sdk", "typer", "numpy"]


def test_all_names_are_listed_once_and_in_order() -> None:
    def order(name: str) -> tuple[int, str]:
        return (0 if name.isupper() else 1 if name[0].isupper() else 2, name)

    assert ferrogen.__all__ == sorted(set(ferrogen.__all__), key=order)


def test_all_public_names_are_listed_and_all_listed_names_are_there() -> None:
    public = {
        name
        for name in dir(ferrogen)
        if not name.startswith("_") and not inspect.ismodule(getattr(ferrogen, name))
    }
    modules = {name for name in ferrogen.__all__ if inspect.ismodule(getattr(ferrogen, name))}
    assert public | modules == set(ferrogen.__all__)


def test_upstreams_names_are_all_there() -> None:
    import autogen_core

    assert set(autogen_core.__all__) <= set(ferrogen.__all__)


@pytest.mark.parametrize("name", ferrogen.__all__)
def test_each_class_and_function_is_documented(name: str) -> None:
    value = getattr(ferrogen, name)
    if inspect.isclass(value) or inspect.isfunction(value):
        assert inspect.getdoc(value)


def test_every_late_name_is_public_and_becomes_an_ordinary_attribute() -> None:
    assert set(LATE_NAMES) <= set(ferrogen.__all__)
    for name in LATE_NAMES:
        assert getattr(ferrogen, name) is vars(ferrogen)[name]


def test_importing_ferrogen_imports_nothing_heavy() -> None:
    program = f"""
import sys
import ferrogen
print([name for name in {HEAVY} if name in sys.modules])
"""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"
