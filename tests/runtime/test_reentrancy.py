"""Re-entrancy: handlers, factories and finalizers use the runtime that is calling them."""

from __future__ import annotations

import asyncio
import gc
import subprocess
import sys
from textwrap import dedent
from typing import Any

import pytest

from ferrogen import (
    AgentId,
    SingleThreadedAgentRuntime,
    Subscription,
    TopicId,
    TypeSubscription,
)
from ferrogen.exceptions import RuntimeStoppedError

from .function_agents import Doing, echo, is_idle, is_started, register, tally, until_idle

Runtime = SingleThreadedAgentRuntime
NEWS = TopicId("news", "default")


async def test_a_handler_sends_to_others_and_to_itself(runtime: Runtime) -> None:
    async def count_down(agent: Doing, message: int, ctx: Any) -> list[Any]:
        if message == 0:
            return []
        mine = await runtime.send_message(message - 1, agent.id, sender=agent.id)
        theirs = await runtime.send_message(message, AgentId("echo", "1"), sender=agent.id)
        return [*mine, theirs]

    await register(runtime, "echo")
    a = await register(runtime, "a", count_down)
    assert await runtime.send_message(10, a()) == list(range(1, 11))


async def test_a_handler_publishes_what_it_receives_up_to_a_limit(runtime: Runtime) -> None:
    received: list[Any] = []

    async def pass_on(agent: Doing, message: int, ctx: Any) -> None:
        received.append((agent.id.type, message))
        if message:
            await agent.publish_message(message - 1, NEWS)

    for name in "ab":
        await register(runtime, name, pass_on)
        await runtime.add_subscription(TypeSubscription("news", name))
    await runtime.publish_message(3, NEWS, sender=AgentId("b", "default"))
    await runtime.stop_when_idle()
    assert received == [("a", 3), ("b", 2), ("a", 1), ("b", 0)]


async def test_a_handler_subscribes_and_unsubscribes(runtime: Runtime) -> None:
    received: list[Any] = []
    own = TypeSubscription("news", "a")

    async def change(agent: Doing, message: Any, ctx: Any) -> None:
        received.append((agent.id.type, message))
        if message == "once":
            await runtime.remove_subscription(own.id)
            await runtime.add_subscription(TypeSubscription("news", "b"))

    for name in "ab":
        await register(runtime, name, change)
    await runtime.add_subscription(own)
    for message in ("once", "then"):
        await runtime.publish_message(message, NEWS)
        await until_idle(runtime)
    assert received == [("a", "once"), ("b", "then")]


async def test_a_handler_registers_an_agent_and_uses_it(runtime: Runtime) -> None:
    async def hire(agent: Doing, message: Any, ctx: Any) -> Any:
        await runtime.register_factory("new", lambda: Doing(echo))
        await runtime.register_agent_instance(Doing(echo), AgentId("newer", "1"))
        state = await runtime.save_state()
        return [
            await runtime.send_message("x", AgentId("new", "1")),
            await runtime.send_message("y", AgentId("newer", "1")),
            sorted(state),
        ]

    a = await register(runtime, "a", hire)
    assert await runtime.send_message("go", a("1")) == ["x", "y", ["a/1", "newer/1"]]


async def test_a_factory_uses_the_runtime(runtime: Runtime) -> None:
    async def make() -> Doing:
        await runtime.publish_message("building", TopicId("unsubscribed", "any"))
        response = await runtime.send_message("x", AgentId("echo", "1"))
        agent = Doing(echo)
        agent.number = len(response)
        return agent

    await register(runtime, "echo")
    await runtime.register_factory("a", make)
    assert await runtime.send_message("y", AgentId("a", "1")) == "y"


async def test_a_handler_stops_the_runtime_and_still_responds(runtime: Runtime) -> None:
    async def stop(agent: Doing, message: Any, ctx: Any) -> str:
        await runtime.publish_message("never taken", NEWS)
        await runtime.stop()
        return "stopped"

    a = await register(runtime, "a", stop)
    assert await runtime.send_message("x", a()) == "stopped"
    assert not is_started(runtime)
    assert is_idle(runtime)
    (letter,) = runtime.dead_letters
    assert isinstance(letter.reason, RuntimeStoppedError)


async def test_a_handler_that_would_wait_for_itself_gets_an_error(runtime: Runtime) -> None:
    async def wait(agent: Doing, message: Any, ctx: Any) -> None:
        await runtime.stop_when_idle()

    a = await register(runtime, "a", wait)
    with pytest.raises(RuntimeError, match="would wait for that handler"):
        await runtime.send_message("x", a())


async def test_a_handler_closes_the_runtime_and_still_responds(runtime: Runtime) -> None:
    closed: list[str] = []

    class Noting(Doing):
        async def close(self) -> None:
            closed.append(self.id.type)

    async def close(agent: Doing, message: Any, ctx: Any) -> str:
        await runtime.close()
        return "closed"

    await runtime.register_factory("a", lambda: Noting(close))
    await runtime.register_factory("b", lambda: Noting(echo))
    await runtime.send_message("x", AgentId("b", "1"))
    assert await runtime.send_message("x", AgentId("a", "1")) == "closed"
    assert sorted(closed) == ["a", "b"]
    assert is_idle(runtime)


async def test_a_handler_stops_and_starts_the_runtime(runtime: Runtime) -> None:
    async def again(agent: Doing, message: Any, ctx: Any) -> str:
        await runtime.stop()
        runtime.start()
        return str(await runtime.send_message("again", AgentId("echo", "1")))

    await register(runtime, "echo")
    a = await register(runtime, "a", again)
    assert await runtime.send_message("x", a()) == "again"


async def test_a_custom_subscription_uses_the_runtime_while_it_is_called(runtime: Runtime) -> None:
    received: list[Any] = []

    async def receive(agent: Doing, message: Any, ctx: Any) -> None:
        received.append((str(agent.id), message))

    class Meddling(Subscription):
        asked = 0

        @property
        def id(self) -> str:
            return "meddling"

        def is_match(self, topic_id: TopicId) -> bool:
            self.asked += 1
            if self.asked == 1:
                runtime._routes.add(TypeSubscription("news", "late"))
                runtime._routes.remove("meddling")
                runtime._routes.recipients(topic_id)
            return True

        def map_to_agent(self, topic_id: TopicId) -> AgentId:
            return AgentId("early", topic_id.source)

    await register(runtime, "early", receive)
    await register(runtime, "late", receive)
    await runtime.add_subscription(Meddling())
    for number in range(2):
        await runtime.publish_message(number, NEWS)
    await runtime.stop_when_idle()
    assert received == [("early/default", 0), ("late/default", 1)]


async def test_finalizers_of_messages_and_agents_use_the_runtime(runtime: Runtime) -> None:
    last_words: list[int] = []

    class Late:
        def __del__(self) -> None:
            last_words.append(runtime.unprocessed_messages_count)
            runtime._engine.instances()
            runtime._routes.recipients(NEWS)

    await register(runtime, "a", swallow)
    await runtime.add_subscription(TypeSubscription("news", "a"))
    for number in range(10):
        await runtime.send_message(Late(), AgentId("a", f"{number}"))
        await runtime.publish_message(Late(), NEWS)
    await runtime.stop_when_idle()
    runtime.start()
    await runtime.publish_message(Late(), NEWS)
    await runtime.stop()
    runtime.dead_letters.clear()
    gc.collect()
    assert len(last_words) == 21


async def swallow(agent: Doing, message: Any, ctx: Any) -> None:
    """Keep nothing."""


def test_a_runtime_works_while_everything_is_collected_all_the_time() -> None:
    """A deadlock or a crash would show; in a separate process, because it is slow."""
    program = """
        import asyncio, gc

        from ferrogen import AgentId, BaseAgent, SingleThreadedAgentRuntime, TopicId
        from ferrogen import TypeSubscription

        runtimes = []
        touched = 0

        class Late:
            def __init__(self):
                self.itself = self

            def __del__(self):
                global touched
                touched += 1
                for runtime in runtimes:
                    runtime.unprocessed_messages_count
                    runtime._engine.instances()
                    runtime._routes.recipients(TopicId("news", "1"))

        class Agent(BaseAgent):
            def __init__(self):
                super().__init__("an agent")
                self.late = Late()

            async def on_message_impl(self, message, ctx):
                Late()
                if ctx.is_rpc and message:
                    await self.publish_message(Late(), TopicId("news", f"{message}"))
                    return await self.send_message(message - 1, AgentId("a", f"{message}"))
                return Late()

        async def main():
            runtime = SingleThreadedAgentRuntime()
            runtimes.append(runtime)
            await Agent.register(runtime, "a", Agent)
            await runtime.add_subscription(TypeSubscription("news", "a"))
            runtime.start()
            for number in range(3):
                await runtime.send_message(4, AgentId("a", "start"))
            await runtime.stop_when_idle()
            await runtime.close()
            assert runtime._engine.idle
            runtimes.clear()

        gc.callbacks.append(lambda *_: [one._engine.instances() for one in runtimes])
        gc.set_threshold(1)
        asyncio.run(main())
        gc.set_threshold(700)
        gc.collect()
        assert touched > 30, touched
        print("done")
    """
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", dedent(program)],
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("done\n", "")


async def test_a_sender_that_cannot_be_compared_fails_its_message_and_no_more(
    runtime: Runtime,
) -> None:
    class Odd(AgentId):
        __hash__ = AgentId.__hash__

        def __eq__(self, value: object) -> bool:
            raise ValueError("not to be compared")

    await register(runtime, "a", swallow)
    await runtime.add_subscription(TypeSubscription("news", "a"))
    await runtime.publish_message("odd", NEWS, sender=Odd("b", "c"))
    await asyncio.wait_for(runtime.stop_when_idle(), 150)
    counts = tally(runtime)
    assert (counts["accepted"], counts["failed"]) == (1, 1)
