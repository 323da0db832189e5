"""Agent options: which values make sense."""

import math

import pytest

from ferrogen.agents.class_decorators import agent_options
from ferrogen.agents.options import AgentOptions


@pytest.mark.parametrize(
    "wrong",
    [
        {"concurrency": 0},
        {"concurrency": 1.5},
        {"concurrency": True},
        {"capacity": -1},
        {"overflow": "block"},
        {"passivate_after": 0},
        {"passivate_after": math.nan},
        {"passivate_after": "soon"},
        {"passivate_after": True},
    ],
)
def test_an_option_that_makes_no_sense_is_named(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        AgentOptions(**wrong)
    with pytest.raises(ValueError, match=next(iter(wrong))):
        agent_options(**wrong)


def test_the_defaults_limit_nothing():
    options = AgentOptions()
    assert (options.concurrency, options.capacity, options.overflow, options.passivate_after) == (
        None,
        None,
        "reject",
        None,
    )


def test_options_cannot_be_changed():
    with pytest.raises(AttributeError):
        AgentOptions().capacity = 1
