"""Sending: responses, errors, and who the recipient is."""

import asyncio
from dataclasses import dataclass

from .harness import same


@dataclass
class Ask:
    text: str


@dataclass
class Answer:
    text: str


def test_a_handler_responds_to_its_sender():
    async def scenario(core, record):
        class Echo(core.RoutedAgent):
            @core.message_handler
            async def on_ask(self, message: Ask, ctx: core.MessageContext) -> Answer:
                record("context", ctx.sender, ctx.topic_id, ctx.is_rpc, ctx.message_id)
                record("token", ctx.cancellation_token.is_cancelled())
                return Answer(f"{self.id.key} received {message.text}")

        runtime = core.SingleThreadedAgentRuntime()
        record(await Echo.register(runtime, "echo", lambda: Echo("echoes")))
        runtime.start()
        for key in ("one", "two", "one"):
            response = await runtime.send_message(
                Ask("hello"), core.AgentId("echo", key), message_id="m"
            )
            record(response)
        await runtime.send_message(
            Ask("from"),
            core.AgentId("echo", "one"),
            sender=core.AgentId("echo", "two"),
            message_id="n",
        )
        await runtime.stop_when_idle()

    same(scenario)


def test_the_error_of_a_handler_reaches_its_sender_as_it_is():
    class Mine(Exception):
        pass

    async def scenario(core, record):
        error = Mine("no")

        class Refusing(core.RoutedAgent):
            @core.message_handler
            async def on_ask(self, message: Ask, ctx: core.MessageContext) -> Answer:
                raise error

        runtime = core.SingleThreadedAgentRuntime(ignore_unhandled_exceptions=False)
        await Refusing.register(runtime, "refusing", lambda: Refusing("refuses"))
        runtime.start()
        try:
            await runtime.send_message(Ask("?"), core.AgentId("refusing", "x"))
        except Mine as caught:
            record("the very object", caught is error)
        await record.outcome("again", runtime.send_message(Ask("?"), core.AgentId("refusing", "x")))
        await record.outcome("idle", runtime.stop_when_idle())

    same(scenario)


def test_agents_are_made_by_their_first_message():
    async def scenario(core, record):
        class Echo(core.RoutedAgent):
            def __init__(self):
                super().__init__("echoes")
                record("made", self.id)

            @core.message_handler
            async def on_ask(self, message: Ask, ctx: core.MessageContext) -> str:
                return message.text

        runtime = core.SingleThreadedAgentRuntime()
        await Echo.register(runtime, "echo", Echo)
        runtime.start()
        record("before")
        for key in ("a", "a", "b"):
            record(await runtime.send_message(Ask("x"), core.AgentId("echo", key)))
        await runtime.stop()

    same(scenario)


def test_responses_may_be_any_object():
    async def scenario(core, record):
        class Echo(core.BaseAgent):
            async def on_message_impl(self, message, ctx):
                return message

        runtime = core.SingleThreadedAgentRuntime()
        await Echo.register(runtime, "echo", lambda: Echo("echoes"))
        runtime.start()
        thing = object()
        for message in (None, 1, "text", [1], {"a": 1}, Ask("x")):
            record(await runtime.send_message(message, core.AgentId("echo", "x")))
        record(await runtime.send_message(thing, core.AgentId("echo", "x")) is thing)
        await runtime.stop()

    same(scenario)


def test_several_senders_get_their_responses_as_they_arrive():
    async def scenario(core, record):
        gates = {"slow": asyncio.Event(), "fast": asyncio.Event()}

        class Waiting(core.RoutedAgent):
            @core.message_handler
            async def on_ask(self, message: Ask, ctx: core.MessageContext) -> str:
                record("begin", message.text)
                await gates[message.text].wait()
                record("end", message.text)
                return message.text

        runtime = core.SingleThreadedAgentRuntime()
        await Waiting.register(runtime, "waiting", lambda: Waiting("waits"))
        runtime.start()

        async def ask(text):
            record("response", await runtime.send_message(Ask(text), core.AgentId("waiting", "x")))

        slow, fast = asyncio.create_task(ask("slow")), asyncio.create_task(ask("fast"))
        gates["fast"].set()
        await fast
        gates["slow"].set()
        await slow
        await runtime.stop_when_idle()

    same(scenario)


def test_an_agent_may_send_to_itself_and_through_a_proxy():
    async def scenario(core, record):
        class Counter(core.RoutedAgent):
            @core.message_handler
            async def on_number(self, message: int, ctx: core.MessageContext) -> int:
                record("number", message, ctx.sender)
                if message == 0:
                    return 0
                return 1 + await self.send_message(message - 1, self.id)

        runtime = core.SingleThreadedAgentRuntime()
        runtime.add_message_serializer([])
        await runtime.register_factory("counter", lambda: Counter("counts"))
        runtime.start()
        proxy = core.AgentProxy(core.AgentId("counter", "x"), runtime)
        record(proxy.id, await proxy.send_message(3, sender=core.AgentId("counter", "y")))
        metadata = await proxy.metadata
        record(metadata if isinstance(metadata, dict) else vars(metadata))
        await runtime.stop_when_idle()

    same(scenario)
