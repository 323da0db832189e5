"""Small services that stand for themselves, under upstream's path."""

from ferrogen._json_schema.convert import schema_to_pydantic_model

__all__ = ["schema_to_pydantic_model"]
