"""A model info says all that agents rely on, or is refused."""

import warnings
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from ferrogen.exceptions import ModelInfoError
from ferrogen.models import ModelInfo, validate_model_info

COMPLETE: dict[str, Any] = {
    "vision": True,
    "function_calling": True,
    "json_output": True,
    "structured_output": True,
    "family": "unknown",
}


def test_a_complete_info_passes_in_silence():
    validate_model_info(ModelInfo(**COMPLETE))


@pytest.mark.parametrize("field", ["vision", "function_calling", "json_output", "family"])
def test_a_missing_field_is_named(field: str):
    info = {name: value for name, value in COMPLETE.items() if name != field}
    with pytest.raises(ModelInfoError, match=f"Missing required field '{field}' in ModelInfo"):
        validate_model_info(ModelInfo(**info))


def test_silence_about_structured_output_is_a_warning_at_the_caller():
    info = {name: value for name, value in COMPLETE.items() if name != "structured_output"}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        validate_model_info(ModelInfo(**info))
    assert [(w.category, w.filename) for w in caught] == [(UserWarning, __file__)]
    assert "Missing required field 'structured_output'" in str(caught[0].message)


def test_pydantic_demands_the_required_fields():
    adapter = TypeAdapter(ModelInfo)
    assert adapter.validate_python(COMPLETE) == COMPLETE
    with pytest.raises(ValidationError, match="family"):
        adapter.validate_python({name: COMPLETE[name] for name in COMPLETE if name != "family"})
