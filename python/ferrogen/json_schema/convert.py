"""schema_to_pydantic_model: JSON Schema in, pydantic model out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ferrogen.json_schema.builder import SchemaModels

if TYPE_CHECKING:
    from pydantic import BaseModel


def schema_to_pydantic_model(
    schema: dict[str, Any], model_name: str = "GeneratedModel"
) -> type[BaseModel]:
    """Create a pydantic model that loads what a JSON Schema (draft 2020-12) allows.

    What the schema allows, the model loads. What the model loads by
    ``model_validate_json(text, strict=True)``, the schema allows. The exceptions are:

    - Without ``strict``, pydantic converts: ``"3"`` is taken for an integer.
    - With ``strict``, ``1.0`` is not an integer, and the text of a ``format`` that has a type of
      its own (``date``, ``uuid``) is refused in objects with keywords that no type expresses, such
      as ``not`` and ``if``.
    - ``null`` is taken for a property that is neither required nor has a default.
    - The ``format`` of a property with one type is checked and gives the field its type;
      elsewhere, and where it is not known, it is an annotation.
    - ``oneOf`` is read as ``anyOf``.
    - The ``unevaluated...`` keywords are not checked.

    Keywords of earlier drafts are read, too, and references to ``$anchor``, ``$id`` and to
    definitions that are not at the root.

    Objects with named properties become models, other objects dicts, arrays with ``prefixItems``
    tuples. A schema that does not describe an object becomes a ``RootModel``.

    Args:
        schema: The schema. References lead to places inside it.
        model_name: The name of the model.

    Returns:
        A new class.

    Raises:
        ReferenceNotFoundError: If a ``$ref`` leads nowhere.
        UnsupportedKeywordError: If a part has an unknown type, has a pattern that is not a regular
            expression, or contradicts another.

    Example:
        ```python
        from ferrogen.utils import schema_to_pydantic_model

        Point = schema_to_pydantic_model(
            {
                "type": "object",
                "properties": {
                    "x": {"type": "integer", "not": {"const": 7}},
                    "y": {"type": "integer", "default": 0},
                },
                "required": ["x"],
            },
            "Point",
        )
        assert repr(Point.model_validate({"x": 1})) == "Point(x=1, y=0)"
        ```
    """
    return SchemaModels().json_schema_to_pydantic(schema, model_name)
