"""Signatures of functions, and the names to which their annotations can refer."""

from __future__ import annotations

import inspect
import sys
from contextlib import suppress
from types import CodeType, FrameType
from typing import Any


def signature_of(function: Any) -> inspect.Signature:
    """Get the signature of a callable; annotations may be strings and forward references."""
    if sys.version_info >= (3, 14):
        # Annotations are evaluated when they are read: names not defined yet become references,
        # as the names in strings are, so that they matter only where a type is needed.
        from annotationlib import Format

        return inspect.signature(function, annotation_format=Format.FORWARDREF)
    return inspect.signature(function)


def closed_over(function: Any) -> dict[str, Any]:
    """Collect the names of enclosing functions that a function uses itself."""
    names = {}
    for name, cell in zip(
        getattr(getattr(function, "__code__", None), "co_freevars", ()),
        getattr(function, "__closure__", None) or (),
        strict=False,
    ):
        with suppress(ValueError):  # an empty cell: not assigned yet
            names[name] = cell.cell_contents
    return names


def names_around(function: Any) -> dict[str, Any]:
    """Collect the local names of the functions and class bodies that enclose a function.

    Only those are found that are running: the function is being defined, or used where it was
    defined. An inner name hides an outer one.
    """
    code: CodeType | None = getattr(function, "__code__", None)
    names: dict[str, Any] = {}
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and code is not None:
        local = frame.f_locals is not frame.f_globals
        if local and frame.f_globals is function.__globals__ and _encloses(frame.f_code, code):
            names = {**frame.f_locals, **names}
        frame = frame.f_back
    return names


def _encloses(outer: CodeType, inner: CodeType) -> bool:
    return any(
        constant is inner or _encloses(constant, inner)
        for constant in outer.co_consts
        if isinstance(constant, CodeType)
    )
