"""Closures: `Any` means any message, and methods can be closures."""

from dataclasses import dataclass
from typing import Any

from tests.compat.harness import both, error_of


@dataclass
class Note:
    text: str


def test_a_closure_annotated_any_takes_every_message():
    async def take(agent, message: Any, ctx) -> str:
        return f"took {message}"

    async def scenario(core, record):
        runtime = core.SingleThreadedAgentRuntime()
        await core.ClosureAgent.register_closure(runtime, "ear", take)
        runtime.start()
        record("response", await runtime.send_message("x", core.AgentId("ear", "k")))
        await runtime.stop_when_idle()

    assert both(scenario) == ([["response", None]], [["response", "took x"]])


def test_a_method_may_be_a_closure():
    class Collector:
        async def take(self, agent, message: Note, ctx) -> str:
            return f"took {message.text}"

    async def scenario(core, record):
        runtime = core.SingleThreadedAgentRuntime()
        try:
            await core.ClosureAgent.register_closure(runtime, "ear", Collector().take)
        except AssertionError as error:
            record.raised("register", error, words=False)
            return
        runtime.start()
        record("response", await runtime.send_message(Note("x"), core.AgentId("ear", "k")))
        await runtime.stop_when_idle()

    upstream, ours = both(scenario)
    assert upstream == [("register", "raised AssertionError")]
    assert ours == [["response", "took x"]]


def test_a_wrong_closure_is_a_type_error_and_leaves_its_type_free():
    async def no_annotations(agent, message, ctx): ...

    async def right(agent, message: Note, ctx) -> str:
        return "right"

    async def scenario(core, record):
        runtime = core.SingleThreadedAgentRuntime()
        register = core.ClosureAgent.register_closure
        record(type(await error_of(register(runtime, "ear", no_annotations))).__name__)
        await record.outcome("again", register(runtime, "ear", right), words=False)

    upstream, ours = both(scenario)
    assert upstream == ["AssertionError", ("again", "raised ValueError")]
    assert ours == ["TypeError", ["again", "AgentType ear"]]


def test_a_closure_agent_class_with_subscriptions_gets_a_hint_where_they_belong():
    async def closure(agent, message: Note, ctx) -> None: ...

    async def scenario(core, record):
        @core.type_subscription("notes")
        class Subscribed(core.ClosureAgent):
            pass

        error = await error_of(
            Subscribed.register_closure(core.SingleThreadedAgentRuntime(), "ear", closure)
        )
        record(type(error).__name__, "subscriptions=" in str(error))

    assert both(scenario) == ([["AssertionError", False]], [["TypeError", True]])
