"""The public surface: the names that are promised are there, and importing them is cheap."""

from __future__ import annotations

import inspect
import subprocess
import sys
from importlib import import_module

import pytest

import ferrogen
from ferrogen._lazy_imports import LAZY_IMPORTS
from ferrogen.compat.missing import MODULES

PUBLIC_MODULES = [path for path in sorted(MODULES) if not path.startswith("_") and "._" not in path]
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


@pytest.mark.parametrize("path", PUBLIC_MODULES)
def test_upstreams_public_modules_have_all_their_names(path: str) -> None:
    upstream = import_module(f"autogen_core.{path}")
    own = import_module(f"ferrogen.{path}")
    defined = [
        name
        for name, value in vars(upstream).items()
        if getattr(value, "__module__", None) == upstream.__name__
    ]
    names = getattr(upstream, "__all__", defined)
    assert names
    assert [name for name in names if not hasattr(own, name)] == []


def test_each_class_and_function_is_documented() -> None:
    values = {name: getattr(ferrogen, name) for name in ferrogen.__all__}
    assert [
        name
        for name, value in values.items()
        if (inspect.isclass(value) or inspect.isfunction(value)) and not inspect.getdoc(value)
    ] == []


def test_every_lazy_import_is_public_and_becomes_an_ordinary_attribute() -> None:
    assert set(LAZY_IMPORTS) <= set(ferrogen.__all__)
    for name in LAZY_IMPORTS:
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
