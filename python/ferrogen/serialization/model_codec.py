"""Codecs of pydantic models: their own methods, or the native codec for fields of known types."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NoReturn, TypeAlias

from ferrogen.exceptions import SerializationError
from ferrogen.serialization.native import ModelCodec
from ferrogen.serialization.serializer import Codec, type_name

if TYPE_CHECKING:
    from pydantic import BaseModel, ValidationError


Shape: TypeAlias = tuple[Any, ...]
"""The name of a shape and what belongs to it, as ``rust/py/src/codec/shape.rs`` reads it."""

_PLAIN = {
    "str": "text",
    "int": "int",
    "float": "float",
    "bool": "bool",
    "none": "none",
    "any": "anything",
}

_SEE_THROUGH = {"default", "function-before", "function-after", "function-wrap"}
"""Settings that change how messages are read, and not how they are written."""

_SILENT_SETTINGS = {
    "title",
    "strict",
    "frozen",
    "extra_fields_behavior",
    "populate_by_name",
    "validate_by_name",
    "validate_by_alias",
    "loc_by_alias",
    "from_attributes",
    "validate_default",
    "validate_assignment",
    "revalidate_instances",
    "str_max_length",
    "str_min_length",
    "str_strip_whitespace",
    "str_to_lower",
    "str_to_upper",
    "allow_inf_nan",
    "hide_input_in_errors",
    "coerce_numbers_to_str",
    "regex_engine",
    "cache_strings",
}
"""Settings that do not change the output."""

_SILENT_OF_FIELD = {"type", "schema", "metadata", "validation_alias", "frozen"}
_SILENT_OF_FIELDS = {"type", "fields", "model_name", "computed_fields", "strict", "metadata", "ref"}

_ANY = {"type": "any"}


class _NotPlainError(Exception):
    """Something has a say in how a model is written."""


def model_shape(cls: type[BaseModel]) -> Shape | None:
    """Describe how a model is written.

    Args:
        cls: The model class.

    Returns:
        Its shape, or None if it is to be left to pydantic-core.
    """
    if not cls.__pydantic_complete__:
        return None
    try:
        return _Reader().shape(cls.__pydantic_core_schema__)
    except _NotPlainError:
        return None


class _Reader:
    """Reads the schema that pydantic made of a class."""

    def __init__(self) -> None:
        self._definitions: dict[str, Any] = {}
        self._entered: set[str] = set()
        self._readers: dict[str, Callable[[Any], Shape]] = {
            "definitions": self._definitions_of,
            "definition-ref": self._definition,
            "literal": self._literal,
            "nullable": self._nullable,
            "list": self._list,
            "dict": self._dict,
            "union": self._union,
            "tagged-union": self._tagged_union,
            "model": self._model,
        }

    def shape(self, schema: Any) -> Shape:
        """Return the shape of a part of the schema, or raise."""
        kind = schema["type"]
        if "serialization" in schema:
            raise _NotPlainError
        if kind in _PLAIN:
            return (_PLAIN[kind],)
        if kind in _SEE_THROUGH:
            return self.shape(schema["schema"])
        read = self._readers.get(kind)
        if read is None:
            raise _NotPlainError
        return read(schema)

    def _definitions_of(self, schema: Any) -> Shape:
        self._definitions.update((each["ref"], each) for each in schema["definitions"])
        return self.shape(schema["schema"])

    def _definition(self, schema: Any) -> Shape:
        ref = schema["schema_ref"]
        if ref in self._entered:  # it holds itself
            raise _NotPlainError
        self._entered.add(ref)
        shape = self.shape(self._definitions[ref])
        self._entered.remove(ref)
        return shape

    def _literal(self, schema: Any) -> Shape:
        words = list(schema["expected"])
        if not all(type(word) is str for word in words):
            raise _NotPlainError
        return ("word", words)

    def _nullable(self, schema: Any) -> Shape:
        return ("either", [("none",), self.shape(schema["schema"])])

    def _list(self, schema: Any) -> Shape:
        return ("items", self.shape(schema.get("items_schema", _ANY)))

    def _dict(self, schema: Any) -> Shape:
        if self.shape(schema.get("keys_schema", _ANY)) != ("text",):
            raise _NotPlainError
        return ("named", self.shape(schema.get("values_schema", _ANY)))

    def _union(self, schema: Any) -> Shape:
        # A choice may come with its label.
        choices = [c[0] if isinstance(c, tuple) else c for c in schema["choices"]]
        return ("either", [self.shape(choice) for choice in choices])

    def _tagged_union(self, schema: Any) -> Shape:
        return ("either", [self.shape(choice) for choice in schema["choices"].values()])

    def _model(self, schema: Any) -> Shape:
        inner = schema["schema"]
        while inner["type"] in _SEE_THROUGH and "serialization" not in inner:
            inner = inner["schema"]
        config = schema.get("config", {})
        if (
            inner["type"] != "model-fields"
            or schema.get("root_model")
            or inner.get("computed_fields")
            or not inner.keys() <= _SILENT_OF_FIELDS
            or not config.keys() <= _SILENT_SETTINGS
            or "allow" in (config.get("extra_fields_behavior"), schema.get("extra_behavior"))
            # Python of the model's own would run while its values are read.
            or schema["cls"].__getattribute__ is not object.__getattribute__
        ):
            raise _NotPlainError
        return ("model", schema["cls"], [*map(self._field, inner["fields"].items())])

    def _field(self, item: tuple[str, Any]) -> tuple[str, Shape]:
        name, field = item
        if not field.keys() <= _SILENT_OF_FIELD:
            raise _NotPlainError
        return name, self.shape(field["schema"])


def model_codec(cls: type[BaseModel]) -> Codec:
    """Make the codec of a model.

    Args:
        cls: The model class.

    Returns:
        The native one, which asks what pydantic made for the class, unless the class has
        ``model_dump_json`` or ``model_validate_json`` of its own.
    """
    from pydantic import BaseModel

    own = _OwnMethods(cls)
    if (
        cls.model_dump_json is not BaseModel.model_dump_json
        or cls.model_validate_json.__func__ is not BaseModel.model_validate_json.__func__  # type: ignore[attr-defined]
    ):
        return own
    return ModelCodec(cls, model_shape, own.encode, own.refuse)


class _OwnMethods:
    """Reads and writes a model by its public methods."""

    def __init__(self, cls: type[BaseModel]) -> None:
        # A model class is there, so its library is loaded: importing it again for each message
        # would cost as much as the message.
        from pydantic import ValidationError
        from pydantic_core import PydanticSerializationError

        self._cls = cls
        self._read_error = ValidationError
        self._write_errors = (PydanticSerializationError, UnicodeEncodeError, RecursionError)

    def encode(self, message: Any) -> bytes:
        """Write a message of the class, or of one that extends it."""
        try:
            payload: bytes = message.model_dump_json().encode("utf-8")
        except Exception as error:  # noqa: BLE001 - classified there
            self.refuse(error, "write")
        return payload

    def decode(self, payload: bytes) -> Any:
        """Read a message."""
        try:
            return self._cls.model_validate_json(payload)
        except Exception as error:  # noqa: BLE001 - classified there
            self.refuse(error, "read")

    def refuse(self, error: Exception, doing: str) -> NoReturn:
        """Raise an error that names the message class and the fault."""
        if doing == "read" and isinstance(error, self._read_error):
            raise SerializationError(
                f'cannot read "{type_name(self._cls)}" from JSON: {describe(error)}'
            ) from error
        if doing == "read" and isinstance(error, RecursionError):
            raise SerializationError(
                f'cannot read "{type_name(self._cls)}" from JSON: {error}'
            ) from error
        if doing == "write" and isinstance(error, self._write_errors):
            raise SerializationError(
                f'cannot write "{type_name(self._cls)}" as JSON: {error}'
            ) from error
        raise error


def describe(error: ValidationError) -> str:
    """Put what pydantic found wrong, and where, into one line.

    Args:
        error: The error of pydantic.

    Returns:
        Each complaint with its path from the message's root, as ``$.cargo.0.weight``.
    """
    complaints = error.errors(include_url=False, include_context=False, include_input=False)
    return "; ".join(
        f"{found['msg']} - at `{'.'.join(['$', *map(str, found['loc'])])}`" for found in complaints
    )
