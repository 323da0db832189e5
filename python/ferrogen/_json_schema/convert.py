"""schema_to_pydantic_model: JSON Schema in, pydantic model out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ferrogen._json_schema.builder import SchemaModels

if TYPE_CHECKING:
    from pydantic import BaseModel


def schema_to_pydantic_model(
    schema: dict[str, Any], model_name: str = "GeneratedModel"
) -> type[BaseModel]:
    """Make a pydantic model that takes what a JSON Schema (draft 2020-12) allows.

    What the schema allows, the model loads. What the model loads by
    ``model_validate_json(text, strict=True)``, the schema allows. The exceptions are:

    - Without ``strict``, pydantic converts: ``"3"`` is taken for an integer.
    - With ``strict``, ``1.0`` is no integer.
    - ``null`` is taken for a property that is neither required nor has a default.
    - The ``format`` of a property with one type is checked and gives the field its type, in place
      of its limits; elsewhere it is not looked at.
    - ``oneOf`` is read as ``anyOf``; beside the properties of the root neither is looked at.
    - ``not``, ``if``, ``prefixItems``, ``contains``, ``patternProperties``, ``propertyNames`` and
      the ``dependent...`` and ``unevaluated...`` keywords are not looked at, nor is the number of
      properties where they are named.

    Objects with named properties become models, other objects dicts. A schema that is not about
    an object becomes a ``RootModel``.

    Args:
        schema: The schema. References lead to places inside it.
        model_name: The name of the model.

    Returns:
        A new class.

    Raises:
        ReferenceNotFoundError: If a ``$ref`` leads nowhere.
        FormatNotSupportedError: If a property has an unknown ``format``.
        UnsupportedKeywordError: If a part has no usable type, or contradicts another.

    Example:
        >>> from ferrogen.utils import schema_to_pydantic_model
        >>> Point = schema_to_pydantic_model(
        ...     {
        ...         "type": "object",
        ...         "properties": {
        ...             "x": {"type": "integer"},
        ...             "y": {"type": "integer", "default": 0},
        ...         },
        ...         "required": ["x"],
        ...     },
        ...     "Point",
        ... )
        >>> Point.model_validate({"x": 1})
        Point(x=1, y=None)
    """
    return SchemaModels().json_schema_to_pydantic(schema, model_name)
