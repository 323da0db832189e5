"""Sequences: what a step gets from the result of the one before."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ferrogen.tools.pipelines.plan import fields_of
from ferrogen.tools.pipelines.steps import Output, PipelineError, Step
from ferrogen.tools.pipelines.types import fits, part, shown


def following(pipeline: str, before: Step, step: Step) -> Step:
    """Return a step with the arguments that it gets from the step before it.

    Args:
        pipeline: The name of the pipeline, for errors.
        before: The step before it.
        step: The step, with the arguments that are given.

    Raises:
        PipelineError: The result does not fit.
    """
    given = dict(step.arguments or {})
    fields = {name: info for name, info in fields_of(step).items() if name not in given}
    required = [name for name, info in fields.items() if info.is_required()]
    kind = before.tool.return_type()
    if not fields:
        return replace(step, arguments=given, after=(*step.after, before.name))
    wanted = required or list(fields)
    if len(wanted) == 1 and fits(kind, fields[wanted[0]].annotation):
        return replace(step, arguments={**given, wanted[0]: Output(before.name)})
    found = {name: Output(before.name, name) for name in fields if _has(kind, name)}
    missing = [name for name in required if name not in found]
    if missing or not found:
        takes = ", ".join(f"{name}: {shown(fields[name].annotation)}" for name in wanted)
        raise PipelineError(
            f"the pipeline {pipeline!r} cannot be built: the step {step.name!r} takes {takes}, and"
            f" the result of {before.name!r} is {shown(kind)}"
        )
    return replace(step, arguments={**given, **_known(found, required, kind)})


def _has(kind: Any, name: str) -> bool:
    try:
        part(kind, name)
    except LookupError:
        return False
    return True


def _known(found: Mapping[str, Output], required: list[str], kind: Any) -> dict[str, Output]:
    """Leave out optional arguments that the result only may have, such as keys of a dictionary."""
    is_certain = not _has(kind, "a key that no type declares")
    return {name: output for name, output in found.items() if is_certain or name in required}
