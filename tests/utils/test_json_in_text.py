"""JSON is found in a model's response as upstream finds it."""

import json

import pytest
from autogen_core.utils import extract_json_from_str as upstream

from ferrogen.exceptions import SerializationError
from ferrogen.utils import extract_json_from_str

RESPONSES = [
    '{"a": 1}',
    'So:\n```json\n{"a": 1}\n```\nand\n```\n{"b": [2]}\n```\n',
    '``` JSON\n{"a": "`"}\n```',
    "[1, 2]",
]


@pytest.mark.parametrize("response", RESPONSES)
def test_a_response_is_parsed_as_upstream_parses_it(response: str):
    assert extract_json_from_str(response) == upstream(response)


@pytest.mark.parametrize("response", ["no json", "```json\n{\n```", ""])
def test_what_is_not_json_is_a_decode_error_on_both(response: str):
    for extract in (upstream, extract_json_from_str):
        with pytest.raises(json.JSONDecodeError):
            extract(response)


def test_another_language_is_refused_in_upstreams_words():
    with pytest.raises(SerializationError, match="Expected JSON object, but found language: py"):
        extract_json_from_str('```py\n{"a": 1}\n```')
