"""The runtime as a whole: life cycle, responses and errors."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from ferrogen import (
    AgentId,
    CancellationToken,
    SingleThreadedAgentRuntime,
    TopicId,
    TypeSubscription,
)
from ferrogen.exceptions import RecipientNotFoundError, RuntimeStoppedError

from .function_agents import (
    Doing,
    Gate,
    boom,
    echo,
    instances,
    is_idle,
    is_started,
    register,
    tally,
    until_idle,
)

Runtime = SingleThreadedAgentRuntime


async def test_a_response_reaches_its_sender(runtime: Runtime) -> None:
    async def greet(agent: Doing, message: Any, ctx: Any) -> str:
        assert (ctx.is_rpc, ctx.topic_id, ctx.sender) == (True, None, None)
        return f"{agent.id} says {message}"

    a = await register(runtime, "a", greet)
    assert await runtime.send_message("hello", a("1")) == "a/1 says hello"


async def test_an_unknown_recipient_is_a_lookup_error_in_upstreams_words(runtime: Runtime) -> None:
    """A18."""
    with pytest.raises(LookupError, match=r"^Recipient not found") as caught:
        await runtime.send_message("x", AgentId("unknown", "1"))
    assert type(caught.value) is RecipientNotFoundError
    assert '"unknown" is not registered' in str(caught.value)


@pytest.mark.parametrize("call", ["stop", "stop_when_idle", "stop_when"])
async def test_what_is_not_started_cannot_be_stopped(call: str) -> None:
    runtime = SingleThreadedAgentRuntime()
    arguments = [lambda: True] if call == "stop_when" else []
    with pytest.raises(RuntimeError, match="Runtime is not started"):
        await getattr(runtime, call)(*arguments)


async def test_what_is_started_cannot_be_started(runtime: Runtime) -> None:
    with pytest.raises(RuntimeError, match="Runtime is already started"):
        runtime.start()
    await runtime.stop()
    runtime.start()


async def test_stop_when_stops_once_its_condition_holds(runtime: Runtime) -> None:
    received: list[Any] = []

    async def receive(agent: Doing, message: Any, ctx: Any) -> None:
        received.append(message)

    a = await register(runtime, "a", receive)
    asking = asyncio.ensure_future(runtime.send_message("x", a()))
    await runtime.stop_when(lambda: bool(received))
    await asking
    assert not is_started(runtime)


async def test_closing_closes_every_agent_even_if_one_raises(runtime: Runtime) -> None:
    class Stuck(Doing):
        async def close(self) -> None:
            await super().close()
            raise OSError("stuck")

    agents = [Stuck(echo), Doing(echo), Stuck(echo)]
    for number, agent in enumerate(agents):
        await runtime.register_agent_instance(agent, AgentId(f"a{number}", "1"))
    with pytest.raises(OSError, match="stuck"):
        await runtime.close()
    assert [agent.closed for agent in agents] == [1, 1, 1]
    for agent in agents:
        agent.close = echo_nothing  # type: ignore[method-assign]


async def echo_nothing() -> None:
    """Close in peace."""


async def test_a_sender_that_gives_up_does_not_stop_the_handler(runtime: Runtime) -> None:
    gate = Gate()
    a = await register(runtime, "a", gate)
    asking = asyncio.ensure_future(runtime.send_message("x", a()))
    await gate.arrived.get()
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert not is_idle(runtime)
    gate.open.set()
    await runtime.stop_when_idle()
    assert tally(runtime)["responded"] == 1


async def test_a_cancelled_send_whose_handler_then_raises_reaches_idle(runtime: Runtime) -> None:
    """A4."""
    gate = Gate()

    async def fail(agent: Doing, message: Any, ctx: Any) -> None:
        await gate(agent, message, ctx)
        raise KeyError(message)

    a = await register(runtime, "a", fail)
    token = CancellationToken()
    asking = asyncio.ensure_future(runtime.send_message("x", a(), cancellation_token=token))
    await gate.arrived.get()
    token.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    gate.open.set()
    await runtime.stop_when_idle()


async def test_a_token_that_is_cancelled_already_cancels_the_sender(runtime: Runtime) -> None:
    token = CancellationToken()
    token.cancel()
    a = await register(runtime, "a")
    with pytest.raises(asyncio.CancelledError):
        await runtime.send_message("x", a(), cancellation_token=token)
    await runtime.stop_when_idle()


async def test_a_long_lived_token_keeps_nothing_of_what_has_ended(runtime: Runtime) -> None:
    token = CancellationToken()
    a, b = await register(runtime, "a"), await register(runtime, "b", boom)
    for _ in range(100):
        await runtime.send_message("x", a(), cancellation_token=token)
        with pytest.raises(KeyError):
            await runtime.send_message("x", b(), cancellation_token=token)
        with pytest.raises(RecipientNotFoundError):
            await runtime.send_message("x", AgentId("c", "1"), cancellation_token=token)
    await asyncio.sleep(0)
    assert len(token._callbacks) == 0


async def test_stopping_ends_all_sends_and_settles_all_messages(runtime: Runtime) -> None:
    """A21."""
    gate = Gate()
    a = await register(runtime, "a", gate)
    await runtime.add_subscription(TypeSubscription("news", "a"))
    asking = [asyncio.ensure_future(runtime.send_message(n, a(f"{n}"))) for n in range(20)]
    for number in range(20):
        await runtime.publish_message(number, TopicId("news", f"{number}"))
    for _ in range(5):
        await gate.arrived.get()
    await runtime.stop()
    gate.open.set()
    outcomes = await asyncio.gather(*asking, return_exceptions=True)
    await until_idle(runtime)
    assert all(one == n or isinstance(one, RuntimeStoppedError) for n, one in enumerate(outcomes))
    counts = tally(runtime)
    assert counts["dead_lettered"] == runtime.dead_letters.total > 0
    assert counts.pop("accepted") == sum(counts.values()) == 40
    assert sum(isinstance(one, Exception) for one in outcomes) == sum(
        isinstance(letter.receiver, AgentId) for letter in runtime.dead_letters
    )


async def test_the_class_of_an_agent_is_checked_when_it_is_requested(runtime: Runtime) -> None:
    class Other(Doing):
        pass

    a = await register(runtime, "a")
    with pytest.raises(TypeError, match="name a is not of type Other"):
        await runtime.try_get_underlying_agent_instance(a(), Other)


async def test_getting_an_id_builds_the_agent_only_if_not_lazy(runtime: Runtime) -> None:
    await register(runtime, "a")
    assert await runtime.get("a") == AgentId("a", "default")
    assert await runtime.get("a", "k") == AgentId("a", "k")
    assert await runtime.get(AgentId("a", "k")) == AgentId("a", "k")
    assert instances(runtime) == []
    await runtime.get("a", "k", lazy=False)
    assert instances(runtime) == ["a/k"]


async def test_an_agent_knows_its_metadata(runtime: Runtime) -> None:
    a = await register(runtime, "a")
    metadata = await runtime.agent_metadata(a("k"))
    assert (metadata["type"], metadata["key"]) == ("a", "k")
