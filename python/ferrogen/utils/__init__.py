"""Small services that stand for themselves, under upstream's path."""

from ferrogen.json_schema.convert import schema_to_pydantic_model
from ferrogen.utils.json_in_text import extract_json_from_str

__all__ = ["extract_json_from_str", "schema_to_pydantic_model"]
