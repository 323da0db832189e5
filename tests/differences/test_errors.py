"""Errors with a name: unknown recipients, wrong handlers, saved states that do not fit."""

import pytest
from tests.compat.harness import both, error_of, yield_to_loop


def test_an_unknown_recipient_is_a_lookup_error_and_a_dead_letter():
    async def scenario(core, record):
        runtime = core.SingleThreadedAgentRuntime()
        error = await error_of(runtime.send_message("x", core.AgentId("unknown", "k")))
        record(type(error).__name__, isinstance(error, LookupError))
        record(str(error).startswith("Recipient not found"), "unknown/k" in str(error))
        record([letter.message for letter in getattr(runtime, "dead_letters", [])])

    upstream, ours = both(scenario)
    assert upstream == [["Exception", False], [True, False], []]
    assert ours == [["RecipientNotFoundError", True], [True, True], ["x"]]


def test_a_message_goes_to_an_agent_id_or_a_topic_id_only():
    async def scenario(core, record):
        class Agent(core.BaseAgent):
            async def on_message_impl(self, message, ctx):
                record("received", self.id)

        runtime = core.SingleThreadedAgentRuntime()
        await Agent.register(runtime, "agent", lambda: Agent("listens"))
        runtime.start()
        for recipient in ("agent/k", core.TopicId("agent", "k")):
            error = await error_of(runtime.send_message("x", recipient))
            record("send", type(error).__name__)
        for topic in ("agent:", core.AgentId("agent", "k")):
            error = await error_of(runtime.publish_message("x", topic))
            record("publish", type(error).__name__)
        await runtime.stop_when_idle()

    upstream, ours = both(scenario)
    assert upstream == [
        ["send", "AttributeError"],
        ["received", "TopicId agent/k"],
        ["send", "NoneType"],
        ["publish", "NoneType"],
        ["publish", "NoneType"],
    ]
    assert ours == [["send", "TypeError"]] * 2 + [["publish", "TypeError"]] * 2


def test_the_first_of_several_unhandled_errors_is_raised():
    async def scenario(core, record):
        class Agent(core.BaseAgent):
            async def on_message_impl(self, message, ctx):
                raise ValueError(message)

        runtime = core.SingleThreadedAgentRuntime(ignore_unhandled_exceptions=False)
        await Agent.register(runtime, "agent", lambda: Agent("fails"))
        runtime.start()
        for message in ("first", "second"):
            await runtime.publish_message(message, core.TopicId("agent:", "k"))
        await yield_to_loop()
        await record.outcome("stop", runtime.stop())

    upstream, ours = both(scenario)
    assert upstream == [("stop", "raised ValueError: second")]
    assert ours == [("stop", "raised ValueError: first")]


def test_the_message_of_a_handler_may_have_any_name():
    async def scenario(core, record):
        def define():
            class Agent(core.RoutedAgent):
                @core.message_handler
                async def on_text(self, text: str, ctx: core.MessageContext) -> str:
                    return text

            return [cls.__name__ for cls in Agent.on_text.target_types]

        try:
            record(define())
        except AssertionError as error:
            record.raised("define", error, words=False)

    assert both(scenario) == ([("define", "raised AssertionError")], [["str"]])


def test_a_wrong_handler_is_a_type_error_that_names_it():
    async def scenario(core, record):
        async def define():
            class Agent(core.RoutedAgent):
                @core.message_handler
                async def on_text(self, message, ctx) -> str: ...

        error = await error_of(define())
        record(type(error).__name__, "on_text" in str(error))

    upstream, ours = both(scenario)
    assert upstream in ([["KeyError", False]], [["AssertionError", False]])
    assert ours == [["TypeError", True]]


async def with_counter(core):
    class Counter(core.BaseAgent):
        count = 0

        async def on_message_impl(self, message, ctx): ...

        async def save_state(self):
            return {"count": self.count}

        async def load_state(self, state):
            self.count = state["count"]

    runtime = core.SingleThreadedAgentRuntime()
    await Counter.register(runtime, "counter", lambda: Counter("counts"))
    return runtime


@pytest.mark.parametrize(
    ("state", "upstream_does", "named"),
    [
        ({"unknown/k": {"count": 2}}, "loads the rest", '"unknown"'),
        ({"ferrogen.version": 2}, "raised ValueError", "version 2"),
        ({"no slash": {}}, "raised ValueError", "no slash"),
        ({"counter/z": [1]}, "raised TypeError", "counter/z"),
        ([("counter/k", {"count": 2})], "raised AttributeError", "mapping"),
    ],
    ids=["agent type", "version", "id", "state", "shape"],
)
def test_a_state_that_does_not_fit_is_refused_before_any_agent_changes(state, upstream_does, named):
    async def scenario(core, record):
        runtime = await with_counter(core)
        whole = {"counter/k": {"count": 1}, **state} if isinstance(state, dict) else state
        error = await error_of(runtime.load_state(whole))
        if error is None:
            record("loads the rest")
        else:
            record.raised("load", error, words=False)
            record(type(error).__name__, named in str(error))
        record("count", (await runtime.agent_save_state(core.AgentId("counter", "k")))["count"])

    upstream, ours = both(scenario)
    outcome = upstream[0] if isinstance(upstream[0], str) else upstream[0][1]
    assert outcome == upstream_does
    if isinstance(state, dict):
        assert upstream[-1] == ["count", 1]
    assert ours == [("load", "raised ValueError"), ["StateError", True], ["count", 0]]


def test_a_handler_is_an_async_function():
    async def scenario(core, record):
        async def use():
            async def response(text):
                return f"later: {text}"

            class Agent(core.RoutedAgent):
                @core.message_handler
                def on_text(self, message: str, ctx: core.MessageContext) -> str:
                    return response(message)

            runtime = core.SingleThreadedAgentRuntime()
            await runtime.register_factory("agent", lambda: Agent("is not async"))
            runtime.start()
            record("response", await runtime.send_message("x", core.AgentId("agent", "k")))
            await runtime.stop_when_idle()

        error = await error_of(use())
        if error is not None:
            record(type(error).__name__, "on_text" in str(error))

    assert both(scenario) == ([["response", "later: x"]], [["TypeError", True]])
