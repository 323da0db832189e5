"""The exceptions of tool agents can be copied, pickled and caught together."""

import copy
import pickle

import pytest

from ferrogen import tool_agent
from ferrogen.exceptions import FerrogenError
from ferrogen.tool_agent import ToolException

KINDS = [getattr(tool_agent, name) for name in tool_agent.__all__ if name.endswith("Exception")]


@pytest.mark.parametrize("kind", KINDS)
def test_each_error_keeps_its_call_in_copies_and_pickles(kind):
    error = kind(call_id="call-1", content="Error: so", name="add")
    assert isinstance(error, ToolException)
    assert isinstance(error, FerrogenError)
    for again in (error, copy.copy(error), pickle.loads(pickle.dumps(error))):
        assert type(again) is kind
        assert (again.call_id, again.content, again.name) == ("call-1", "Error: so", "add")
        assert str(again) == "Error: so"


def test_all_of_them_are_there():
    assert len(KINDS) == 4
