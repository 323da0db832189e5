"""The families have upstream's names, and belong to upstream's vendors."""

from typing import get_args

import pytest
from autogen_core.models import ModelFamily as Upstream

from ferrogen.models import ModelFamily

NAMES = [name for name in vars(Upstream) if name.isupper() and name != "ANY"]
QUESTIONS = ["is_claude", "is_gemini", "is_openai", "is_llama", "is_mistral"]


def test_the_type_of_all_names_is_upstreams():
    assert set(get_args(ModelFamily.ANY)) == set(get_args(Upstream.ANY))


@pytest.mark.parametrize("name", NAMES)
def test_a_family_is_called_as_upstream_calls_it(name: str):
    assert getattr(ModelFamily, name) == getattr(Upstream, name)


@pytest.mark.parametrize("family", [*get_args(Upstream.ANY), "claude-of-mine"])
@pytest.mark.parametrize("question", QUESTIONS)
def test_a_family_is_of_the_vendor_that_upstream_says(family: str, question: str):
    assert getattr(ModelFamily, question)(family) == getattr(Upstream, question)(family)


def test_there_are_no_instances():
    with pytest.raises(TypeError, match="namespace class"):
        ModelFamily()
