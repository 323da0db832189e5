"""The instantiation context: inside and outside of a build."""

import pytest

from ferrogen._core import AgentId
from ferrogen.agents.instantiation import AgentInstantiationContext


def test_inside_a_build_runtime_and_id_are_known(runtime):
    with AgentInstantiationContext.populate_context((runtime, AgentId("clerk", "1"))):
        assert AgentInstantiationContext.is_in_factory_call()
        assert AgentInstantiationContext.current_runtime() is runtime
        assert AgentInstantiationContext.current_agent_id() == AgentId("clerk", "1")


def test_outside_of_a_build_they_are_not():
    assert not AgentInstantiationContext.is_in_factory_call()
    for ask in (
        AgentInstantiationContext.current_runtime,
        AgentInstantiationContext.current_agent_id,
    ):
        with pytest.raises(RuntimeError, match="works only in a factory"):
            ask()


def test_the_context_has_no_instances():
    with pytest.raises(RuntimeError, match="cannot be instantiated"):
        AgentInstantiationContext()
