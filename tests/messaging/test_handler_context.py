"""The handler context: nested, left, and never made."""

from contextlib import suppress

import pytest

from ferrogen._core import AgentId
from ferrogen.messaging.handler_context import MESSAGE_HANDLER_CONTEXT, MessageHandlerContext


def test_outside_a_handler_there_is_no_agent_id():
    with pytest.raises(RuntimeError, match="only while a message handler runs"):
        MessageHandlerContext.agent_id()


def test_the_innermost_agent_counts_and_the_outer_one_comes_back():
    outer, inner = AgentId("a", "1"), AgentId("b", "2")
    with MessageHandlerContext.populate_context(outer):
        with suppress(ZeroDivisionError), MessageHandlerContext.populate_context(inner):
            assert MessageHandlerContext.agent_id() == inner
            raise ZeroDivisionError
        assert MessageHandlerContext.agent_id() == outer


def test_setting_the_module_level_variable_is_enough():
    token = MESSAGE_HANDLER_CONTEXT.set(AgentId("a", "1"))
    try:
        assert MessageHandlerContext.agent_id() == AgentId("a", "1")
    finally:
        MESSAGE_HANDLER_CONTEXT.reset(token)


def test_the_context_has_no_instances():
    with pytest.raises(RuntimeError, match="cannot be instantiated"):
        MessageHandlerContext()
