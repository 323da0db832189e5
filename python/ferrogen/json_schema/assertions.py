"""Checks of JSON values in pydantic types, by the keywords that no type expresses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import (
    BaseModel,
    BeforeValidator,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    WithJsonSchema,
    model_validator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema, to_jsonable_python

from ferrogen.json_schema.evaluation import Evaluation
from ferrogen.json_schema.references import Schema

_SCALARS = (bool, float, int, str)


def _refuse(value: Any) -> Any:
    raise ValueError("the schema allows no value here")


NEVER: Any = Annotated[Any, BeforeValidator(_refuse), WithJsonSchema({"not": {}})]
"""The type of a schema that allows no value."""


class Assertions:
    """Metadata of a type: keywords that its values have to fulfill, before they are converted.

    Args:
        keywords: A schema.
        root: The document that it stands in.
    """

    def __init__(self, keywords: Schema, root: Schema) -> None:
        self._keywords = keywords
        self._evaluation = Evaluation(root)

    def check(self, value: Any) -> Any:
        """Raise a ``ValueError`` if the keywords refuse a value.

        An instance of a model was checked when it was created.
        """
        if not isinstance(value, BaseModel):
            plain = to_jsonable_python(value, fallback=lambda other: other)
            if not self._evaluation.holds(self._keywords, plain):
                raise ValueError(f"value should match {_shown(self._keywords)}")
        return value

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        """Check the value as it is given, and a scalar as it is converted."""

        def validate(value: Any, inner: core_schema.ValidatorFunctionWrapHandler) -> Any:
            converted = inner(self.check(value))
            return self.check(converted) if isinstance(converted, _SCALARS) else converted

        return core_schema.no_info_wrap_validator_function(validate, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """Show the keywords, unless they refer to a document that is not there.

        The properties of a model are shown by the model.
        """
        shown = handler(schema)
        if "$ref" in str(self._keywords):
            return shown
        own = self._keywords.keys() - {"properties", "additionalProperties"}
        return {**shown, **{key: self._keywords[key] for key in sorted(own)}}


def asserting(base: type[BaseModel], assertions: Assertions) -> type[BaseModel]:
    """Extend the base of a model by a check of what it is created from."""

    class Checked(base):  # type: ignore[valid-type, misc]
        @model_validator(mode="before")
        @classmethod
        def _check(cls, value: Any) -> Any:
            return assertions.check(value)

    return Checked


def _shown(keywords: Mapping[str, Any]) -> str:
    text = repr(dict(keywords))
    return text if len(text) <= 200 else f"{text[:200]}..."
