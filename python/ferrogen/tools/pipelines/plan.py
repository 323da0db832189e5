"""The plan of a pipeline: its steps in an order, their types checked, its arguments derived."""

import inspect
from collections.abc import Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from typing import Annotated, Any

from pydantic import BaseModel, Field, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from ferrogen.tools.call_policy import CallPolicy
from ferrogen.tools.pipelines.steps import (
    MISSING,
    Condition,
    First,
    Input,
    Output,
    PipelineError,
    Step,
    steps_of,
)
from ferrogen.tools.pipelines.types import fits, part, plain, shown


class Plan:
    """The steps of a pipeline, checked.

    Args:
        name: The name of the pipeline, for errors.
        steps: The steps.
        result: Where the result comes from; by default the last steps.

    Raises:
        PipelineError: The steps do not fit each other.
    """

    def __init__(self, name: str, steps: Sequence[Step], result: Output | First | None) -> None:
        self._name = name
        self.steps = _by_name(name, steps)
        self.fields = {step.name: fields_of(step) for step in steps}
        self.arguments = {step.name: self._arguments_of(step) for step in steps}
        self.policies = {step.name: self._policy_of(step) for step in steps}
        needed = {step.name: self._needs(step) for step in steps}
        self.needs: Mapping[str, set[str]] = needed
        self._check_order()
        for step in steps:
            self._check_arguments(step)
            self._check_condition(step)
        used = {before for befores in needed.values() for before in befores}
        self.last = [step.name for step in steps if step.name not in used]
        self.result = self._result(result)
        self.return_type = self._return_type()
        self.signature = self._signature()

    def type_of(self, reference: Any, place: str) -> Any:
        """Return the type of what a reference stands for.

        Raises:
            PipelineError: There is no such part.
        """
        if isinstance(reference, First):
            if not reference.outputs:
                raise self._error(f"{place} is First() of nothing; name some outputs")
            members = tuple(plain(self.type_of(each, place)) for each in reference.outputs)
            return Any if Any in members else _union(members)
        if isinstance(reference, Input):
            return Any
        kind = self.steps[reference.step].tool.return_type()
        try:
            for name in reference.path:
                kind = part(kind, name)
        except LookupError as error:
            raise self._error(f"{place} is {reference!r}, but {error}") from error
        if reference.default is MISSING:
            return kind
        default = type(reference.default)
        return kind if fits(default, kind) else _union((plain(kind), default))

    # Steps.

    def _arguments_of(self, step: Step) -> dict[str, Any]:
        fields = self.fields[step.name]
        if step.arguments is None:
            return {name: Input(name) for name in fields}
        for name in step.arguments:
            if name not in fields and not _takes_more(step):
                raise self._error(
                    f"the step {step.name!r} gives {name!r}, but {step.tool.name} takes"
                    f" {', '.join(fields) or 'nothing'}"
                )
        missing = [
            name
            for name, info in fields.items()
            if info.is_required() and name not in step.arguments
        ]
        if missing:
            raise self._error(
                f"the step {step.name!r} does not give {', '.join(missing)}, which"
                f" {step.tool.name} requires"
            )
        return dict(step.arguments)

    def _policy_of(self, step: Step) -> CallPolicy:
        try:
            return CallPolicy(step.timeout, step.retries, step.retry_delay)
        except ValueError as error:
            raise self._error(f"the step {step.name!r}: {error}") from error

    def _needs(self, step: Step) -> set[str]:
        needed = set(step.after)
        for value in (*self.arguments[step.name].values(), step.when):
            needed.update(steps_of(value))
        unknown = sorted(needed - set(self.steps))
        if unknown:
            raise self._error(
                f"the step {step.name!r} needs {', '.join(map(repr, unknown))}, and the steps are"
                f" {', '.join(map(repr, self.steps))}"
            )
        return needed

    def _check_order(self) -> None:
        try:
            TopologicalSorter(self.needs).prepare()
        except CycleError as error:
            raise self._error(f"the steps form a cycle: {' -> '.join(error.args[1])}") from None

    def _check_arguments(self, step: Step) -> None:
        fields = self.fields[step.name]
        for name, value in self.arguments[step.name].items():
            if name not in fields or isinstance(value, Input):
                continue
            place = f"the argument {name!r} of the step {step.name!r}"
            wanted = fields[name].annotation
            if isinstance(value, (Output, First)):
                given = self.type_of(value, place)
                if not fits(given, wanted):
                    raise self._error(
                        f"{place} takes {shown(wanted)}, and {value!r} is {shown(given)}"
                    )
                continue
            try:
                TypeAdapter(_annotated(fields[name])).validate_python(value)
            except ValidationError as error:
                faults = "; ".join(fault["msg"] for fault in error.errors(include_url=False))
                raise self._error(f"{place} does not take {value!r}: {faults}") from error

    def _check_condition(self, step: Step) -> None:
        place = f"the condition of the step {step.name!r}"
        if isinstance(step.when, Condition):
            for value in step.when.values:
                self.type_of(value, place)
        elif isinstance(step.when, (Output, First)):
            kind = self.type_of(step.when, place)
            if not fits(kind, bool):
                raise self._error(
                    f"{place} is {step.when!r}, which is {shown(kind)} and not bool; use a"
                    " Condition"
                )
        elif step.when is not None:
            raise self._error(f"{place} is {step.when!r}; use a Condition or an Output")

    # The pipeline.

    def _result(self, result: Output | First | None) -> Output | First | None:
        if result is None:
            return Output(self.last[0]) if len(self.last) == 1 else None
        unknown = [name for name in steps_of(result) if name not in self.steps]
        if unknown:
            raise self._error(f"the result is {result!r}, and there is no step {unknown[0]!r}")
        return result

    def _return_type(self) -> Any:
        if self.result is None:
            return dict[str, Any]
        kind = plain(self.type_of(self.result, "the result"))
        can_be_missing = all(self._can_be_skipped(name) for name in steps_of(self.result))
        return _union((kind, None)) if can_be_missing and kind is not Any else kind

    def _can_be_skipped(self, name: str) -> bool:
        step = self.steps[name]
        if step.when is not None:
            return True
        for value in self.arguments[name].values():
            outputs = [value] if isinstance(value, Output) else getattr(value, "outputs", ())
            if outputs and all(
                output.default is MISSING and self._can_be_skipped(output.step)
                for output in outputs
            ):
                return True
        return False

    def _signature(self) -> inspect.Signature:
        """Derive the arguments of the pipeline from those that its inputs go to."""
        inputs: dict[str, list[tuple[Input, FieldInfo | None, str]]] = {}
        for step in self.steps.values():
            for name, value in self.arguments[step.name].items():
                if isinstance(value, Input):
                    info = self.fields[step.name].get(name)
                    inputs.setdefault(value.name, []).append((value, info, step.name))
            if isinstance(step.when, Condition):
                for value in step.when.values:
                    if isinstance(value, Input):
                        inputs.setdefault(value.name, []).append((value, None, step.name))
        parameters = [self._parameter(name, uses) for name, uses in inputs.items()]
        return inspect.Signature(parameters, return_annotation=self.return_type)

    def _parameter(
        self, name: str, uses: list[tuple[Input, FieldInfo | None, str]]
    ) -> inspect.Parameter:
        infos = [info for _, info, _ in uses if info is not None]
        if not infos:
            annotation: Any = Any
        else:
            narrow = [
                info
                for info in infos
                if all(fits(info.annotation, other.annotation) for other in infos)
            ]
            if not narrow:
                kinds = ", ".join(
                    f"{shown(info.annotation)} in {step!r}" for _, info, step in uses if info
                )
                raise self._error(f"the argument {name!r} goes to different types: {kinds}")
            annotation = _annotated(narrow[0])
        described = next((each.description for each, _, _ in uses if each.description), None)
        if described is not None:
            annotation = Annotated[annotation, Field(description=described)]
        default = next(
            (each.default for each, _, _ in uses if each.default is not MISSING), MISSING
        )
        if default is MISSING:
            is_optional = bool(infos) and not any(info.is_required() for info in infos)
            default = (
                infos[0].get_default(call_default_factory=True)
                if is_optional
                else inspect.Parameter.empty
            )
        try:
            return inspect.Parameter(
                name, inspect.Parameter.KEYWORD_ONLY, annotation=annotation, default=default
            )
        except ValueError as error:
            raise self._error(f"{name!r} cannot be the name of an argument: {error}") from error

    def _error(self, reason: str) -> PipelineError:
        return PipelineError(f"the pipeline {self._name!r} cannot be built: {reason}")


def _by_name(pipeline: str, steps: Sequence[Step]) -> dict[str, Step]:
    if not steps:
        raise PipelineError(f"the pipeline {pipeline!r} cannot be built: it has no steps")
    found: dict[str, Step] = {}
    for step in steps:
        if step.name in found:
            raise PipelineError(
                f"the pipeline {pipeline!r} cannot be built: two steps have the name"
                f" {step.name!r}; give one of them another name"
            )
        found[step.name] = step
    return found


def fields_of(step: Step) -> dict[str, FieldInfo]:
    """Return the parameters of the tool of a step."""
    fields = step.tool.args_type().model_fields
    return {info.alias or name: info for name, info in fields.items()}


def _takes_more(step: Step) -> bool:
    model: type[BaseModel] = step.tool.args_type()
    return model.model_config.get("extra") == "allow"


def _annotated(info: FieldInfo) -> Any:
    """Return the type of a field with its limits and its description."""
    annotation: Any = info.annotation
    for each in info.metadata:
        annotation = Annotated[annotation, each]
    if info.description is not None:
        annotation = Annotated[annotation, Field(description=info.description)]
    return annotation


def _union(members: tuple[Any, ...]) -> Any:
    union: Any = members[0]
    for member in members[1:]:
        union = union | member
    return union
