"""The families have upstream's names, and belong to upstream's vendors."""

from typing import get_args

import pytest
from autogen_core.models import ModelFamily as Upstream

from ferrogen.models import ModelFamily

NAMES = [name for name in vars(Upstream) if name.isupper() and name != "ANY"]
QUESTIONS = ["is_claude", "is_gemini", "is_openai", "is_llama", "is_mistral"]


def test_the_type_of_all_names_is_upstreams():
    assert set(get_args(ModelFamily.ANY)) == set(get_args(Upstream.ANY))


def test_families_are_called_as_upstream_calls_them():
    ours, upstreams = (
        {name: getattr(of, name) for name in NAMES} for of in (ModelFamily, Upstream)
    )
    assert ours == upstreams


@pytest.mark.parametrize("question", QUESTIONS)
def test_families_are_of_the_vendors_that_upstream_says(question: str):
    families = [*get_args(Upstream.ANY), "claude-of-mine"]
    ours, upstreams = (getattr(of, question) for of in (ModelFamily, Upstream))
    assert {name: ours(name) for name in families} == {name: upstreams(name) for name in families}


def test_there_are_no_instances():
    with pytest.raises(TypeError, match="namespace class"):
        ModelFamily()
