"""Agent proxies: everything goes to the runtime, for one agent."""

from unittest.mock import AsyncMock

from ferrogen._core import AgentId, CancellationToken
from ferrogen.agents.proxy import AgentProxy

CLERK, BOSS = AgentId("clerk", "1"), AgentId("boss", "1")


async def test_a_proxy_sends_to_its_agent():
    runtime, token = AsyncMock(), CancellationToken()
    runtime.send_message.return_value = "response"
    proxy = AgentProxy(CLERK, runtime)
    response = await proxy.send_message("m", sender=BOSS, cancellation_token=token, message_id="7")
    assert response == "response"
    runtime.send_message.assert_awaited_once_with(
        "m", recipient=CLERK, sender=BOSS, cancellation_token=token, message_id="7"
    )


async def test_a_proxy_asks_about_its_agent_and_its_state():
    runtime = AsyncMock()
    proxy = AgentProxy(CLERK, runtime)
    assert proxy.id == CLERK
    assert await proxy.metadata is runtime.agent_metadata.return_value
    assert await proxy.save_state() is runtime.agent_save_state.return_value
    await proxy.load_state({"a": 1})
    runtime.agent_metadata.assert_awaited_once_with(CLERK)
    runtime.agent_save_state.assert_awaited_once_with(CLERK)
    runtime.agent_load_state.assert_awaited_once_with(CLERK, {"a": 1})
