"""The arguments of a function as a pydantic model, and the call with them."""

import inspect
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, get_args, get_origin

import typing_extensions
from pydantic import BaseModel, ConfigDict, Field, create_model
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined, to_jsonable_python

from ferrogen._core import CancellationToken
from ferrogen.exceptions import ToolSchemaError
from ferrogen.json_schema.fields import field_name, model_with_extras
from ferrogen.tools.context import ToolContext, is_context
from ferrogen.tools.descriptions import annotated, split_description

CANCELLATION = "cancellation_token"
"""The parameter that gets the caller's token; models never see it."""

_UNPACK = tuple(
    module.Unpack for module in (typing, typing_extensions) if hasattr(module, "Unpack")
)
_WRAPPERS: tuple[Any, ...] = (
    typing_extensions.Required,
    typing_extensions.NotRequired,
    typing_extensions.ReadOnly,
)
_MISSING: Any = object()


@dataclass
class _Argument:
    """One argument: what the function calls it, and the field of the model that holds it."""

    name: str
    field: str
    kind: Any
    default: Any
    by_position: bool = False
    if_set: bool = False
    """Whether it is left out unless the model gives it."""
    is_context: bool = False
    """Whether it is the context of the call, which models do not see."""
    description: str | None = None
    """The description, if there is none in the signature."""


class Arguments:
    """The arguments of a function: their pydantic model, and a call with the values of one.

    Args:
        name: The name of the model.
        signature: A signature with resolved annotations.
        described: Descriptions of parameters that have none in the signature.

    Raises:
        ToolSchemaError: A parameter has no annotation, a type that pydantic does not support, or
            a description that is not text.
    """

    def __init__(
        self, name: str, signature: inspect.Signature, described: Mapping[str, str] = {}
    ) -> None:
        self._takes_token = CANCELLATION in signature.parameters
        extra: Any = _MISSING
        self._arguments: list[_Argument] = []
        taken = set(signature.parameters)
        for parameter in signature.parameters.values():
            if parameter.name == CANCELLATION:
                continue
            if parameter.annotation is inspect.Parameter.empty:
                raise ToolSchemaError(f"No annotation for parameter {parameter.name!r}")
            if is_context(parameter.annotation):
                self._arguments.append(_context(parameter))
            elif parameter.kind is not inspect.Parameter.VAR_KEYWORD:
                self._arguments.append(_argument(parameter, taken))
            elif get_origin(parameter.annotation) in _UNPACK:
                self._arguments += _unpacked(parameter, taken)
            else:
                extra = parameter.annotation
        for argument in self._arguments:
            argument.description = described.get(argument.name)
        self.takes_context = any(argument.is_context for argument in self._arguments)
        """Whether the function takes the context of the call."""
        shown = [argument for argument in self._arguments if not argument.is_context]
        self.model: type[BaseModel] = _build(name, shown, extra)

    def given(self, args: BaseModel) -> set[str]:
        """Return the names of the arguments that were given."""
        return {
            argument.name for argument in self._arguments if argument.field in args.model_fields_set
        }

    def unset(self, args: BaseModel) -> set[str]:
        """Return the fields of arguments that were not given, and whose default cannot be shown."""
        return {
            argument.field
            for argument in self._arguments
            if argument.if_set and argument.field not in args.model_fields_set
        }

    def of(
        self, args: BaseModel, token: CancellationToken, context: ToolContext | None
    ) -> tuple[list[Any], dict[str, Any]]:
        """List what the function is called with, by position and by name.

        Args:
            args: Validated arguments.
            token: The argument ``cancellation_token``, if the function takes it.
            context: The context of the call, if the function takes it.
        """
        by_position: list[Any] = []
        by_name: dict[str, Any] = dict(args.model_extra or {})
        for argument in self._arguments:
            if argument.if_set and argument.field not in args.model_fields_set:
                continue
            value = context if argument.is_context else getattr(args, argument.field, _MISSING)
            if value is _MISSING:
                continue
            if argument.by_position:
                by_position.append(value)
            else:
                by_name[argument.name] = value
        if self._takes_token:
            by_name[CANCELLATION] = token
        return by_position, by_name


def _argument(parameter: inspect.Parameter, taken: set[str]) -> _Argument:
    default = parameter.default
    given = default is not inspect.Parameter.empty
    by_position = parameter.kind is inspect.Parameter.POSITIONAL_ONLY
    return _Argument(
        parameter.name,
        field_name(parameter.name, taken=taken, shadows=False),
        parameter.annotation,
        default if given else PydanticUndefined,
        by_position=by_position,
        # The function knows such a default; a schema cannot show it.
        if_set=given and not by_position and not _can_be_shown(default),
    )


def _context(parameter: inspect.Parameter) -> _Argument:
    if parameter.kind is inspect.Parameter.VAR_KEYWORD:
        raise ToolSchemaError(
            f"parameter **{parameter.name} is annotated as a ToolContext, of which a call has one;"
            " write it without the stars"
        )
    by_position = parameter.kind is inspect.Parameter.POSITIONAL_ONLY
    name, kind = parameter.name, parameter.annotation
    return _Argument(name, name, kind, None, by_position=by_position, is_context=True)


def _unpacked(parameter: inspect.Parameter, taken: set[str]) -> Iterator[_Argument]:
    """List the keys of the ``TypedDict`` that describes the keyword arguments."""
    (keys,) = get_args(parameter.annotation)
    hints = typing_extensions.get_type_hints(keys, include_extras=True)
    for name, hint in hints.items():
        required = name in keys.__required_keys__
        kind = hint
        wrapper: Any = get_origin(kind)
        while wrapper in _WRAPPERS:
            if wrapper is not typing_extensions.ReadOnly:
                required = wrapper is typing_extensions.Required
            (kind,) = get_args(kind)
            wrapper = get_origin(kind)
        field = field_name(name, taken=taken, shadows=False)
        yield _Argument(name, field, kind, PydanticUndefined, if_set=not required)


def _can_be_shown(default: Any) -> bool:
    if isinstance(default, FieldInfo) or default is Ellipsis:
        return True
    try:
        to_jsonable_python(default)
    except Exception:  # noqa: BLE001 - serializers of the user can raise anything
        return False
    return True


def _build(name: str, arguments: list[_Argument], extra: Any) -> type[BaseModel]:
    config = ConfigDict(protected_namespaces=(), json_schema_extra=_describe_by_name)
    base = type("Base", (BaseModel,), {"model_config": config})
    if extra is not _MISSING:
        kind, text = split_description(extra, "**kwargs")
        if text is not None:
            kind = Annotated[kind, Field(description=text)]
        base = model_with_extras(kind, config)
    try:
        return _created(name, base, arguments)
    except ToolSchemaError:
        raise
    except Exception as error:
        raise _fault(base, arguments, error) from error


def _created(name: str, base: type[BaseModel], arguments: list[_Argument]) -> type[BaseModel]:
    fields: dict[str, Any] = {argument.field: _field(argument) for argument in arguments}
    model: type[BaseModel] = create_model(name, __base__=base, **fields)
    if not model.__pydantic_complete__:
        model.model_rebuild()  # raises, and names what is missing
    return model


def _field(argument: _Argument) -> tuple[Any, Any]:
    kind, text = split_description(argument.kind, argument.name)
    # What stands further to the right overrides: these are for a field that has none.
    if argument.description is not None:
        kind = annotated(kind, Field(description=argument.description))
    if argument.field != argument.name:
        kind = annotated(kind, Field(alias=argument.name))
    if text is not None:
        kind = Annotated[kind, Field(description=text)]
    if argument.if_set:
        return kind, Field(default_factory=lambda: None)
    return kind, argument.default


def _fault(base: type[BaseModel], arguments: list[_Argument], error: Exception) -> ToolSchemaError:
    """Find the parameter of which no model can be made."""
    for argument in arguments:
        reason = _fault_of(base, argument)
        if reason is not None:
            return ToolSchemaError(
                f"parameter {argument.name!r} cannot be described to a model: {reason}"
            )
    return ToolSchemaError(f"the arguments cannot be described to a model: {error}")


def _fault_of(base: type[BaseModel], argument: _Argument) -> Exception | None:
    try:
        _created("One", base, [argument])
    except Exception as reason:  # noqa: BLE001 - it is reported
        return reason
    return None


def _describe_by_name(schema: dict[str, Any]) -> None:
    """Describe each parameter that has no description by its name, as upstream does.

    A reference leads to a description that says more.
    """
    for name, facts in schema.get("properties", {}).items():
        if "$ref" not in facts:
            facts.setdefault("description", name)
