"""Handlers that send and publish: chains, diamonds, and the order in which things happen."""

import asyncio
from dataclasses import dataclass

from .harness import same


@dataclass
class Step:
    depth: int


def test_a_chain_of_sends_unwinds_in_order():
    async def scenario(core, record):
        class Link(core.RoutedAgent):
            @core.message_handler
            async def on_step(self, message: Step, ctx: core.MessageContext) -> list:
                record("begin", self.id, ctx.sender)
                if message.depth == 0:
                    return [self.id.key]
                below = await self.send_message(
                    Step(message.depth - 1), core.AgentId("link", str(message.depth - 1))
                )
                record("end", self.id)
                return [*below, self.id.key]

        runtime = core.SingleThreadedAgentRuntime()
        await Link.register(runtime, "link", lambda: Link("links"))
        runtime.start()
        record(await runtime.send_message(Step(4), core.AgentId("link", "4")))
        await runtime.stop_when_idle()

    same(scenario)


def test_responses_to_concurrent_sends_are_in_order():
    async def scenario(core, record):
        class Worker(core.RoutedAgent):
            @core.message_handler
            async def on_step(self, message: Step, ctx: core.MessageContext) -> int:
                record("work", self.id, message.depth)
                await asyncio.sleep(0)
                return message.depth * 10

        class Boss(core.RoutedAgent):
            @core.message_handler
            async def on_step(self, message: Step, ctx: core.MessageContext) -> list:
                return await asyncio.gather(
                    *(
                        self.send_message(Step(n), core.AgentId("worker", str(n % 2)))
                        for n in range(message.depth)
                    )
                )

        runtime = core.SingleThreadedAgentRuntime()
        await Worker.register(runtime, "worker", lambda: Worker("works"))
        await Boss.register(runtime, "boss", lambda: Boss("asks"))
        runtime.start()
        record(await runtime.send_message(Step(5), core.AgentId("boss", "x")))
        await runtime.stop_when_idle()

    same(scenario)


def test_idle_waits_for_what_handlers_publish():
    async def scenario(core, record):
        @core.default_subscription
        class Countdown(core.RoutedAgent):
            @core.message_handler
            async def on_step(self, message: Step, ctx: core.MessageContext) -> None:
                record("step", self.id, message.depth, ctx.topic_id, ctx.sender)
                if message.depth > 0:
                    await asyncio.sleep(0)
                    await self.publish_message(Step(message.depth - 1), core.DefaultTopicId())
                    record("published", self.id, message.depth)

        runtime = core.SingleThreadedAgentRuntime()
        for agent_type in ("ping", "pong"):
            await Countdown.register(runtime, agent_type, lambda: Countdown("counts"))
        runtime.start()
        await runtime.publish_message(Step(3), core.DefaultTopicId(source="game"))
        await runtime.stop_when_idle()

    same(scenario)


def test_two_agents_that_send_to_each_other_do_not_block():
    async def scenario(core, record):
        class Player(core.RoutedAgent):
            @core.message_handler
            async def on_step(self, message: Step, ctx: core.MessageContext) -> str:
                if message.depth == 0:
                    return "end"
                other = "b" if self.id.key == "a" else "a"
                response = await self.send_message(
                    Step(message.depth - 1), core.AgentId("player", other)
                )
                return f"{response} {self.id.key}"

        runtime = core.SingleThreadedAgentRuntime()
        await Player.register(runtime, "player", lambda: Player("plays"))
        runtime.start()
        record(await runtime.send_message(Step(5), core.AgentId("player", "a")))
        await runtime.stop_when_idle()

    same(scenario)


def test_an_error_deep_down_comes_up_through_all_senders():
    async def scenario(core, record):
        class Link(core.RoutedAgent):
            @core.message_handler
            async def on_step(self, message: Step, ctx: core.MessageContext) -> int:
                if message.depth == 0:
                    raise KeyError("ground")
                try:
                    return await self.send_message(
                        Step(message.depth - 1), core.AgentId("link", str(message.depth))
                    )
                finally:
                    record("unwinds", self.id)

        runtime = core.SingleThreadedAgentRuntime()
        await Link.register(runtime, "link", lambda: Link("links"))
        runtime.start()
        await record.outcome("top", runtime.send_message(Step(3), core.AgentId("link", "top")))
        await runtime.stop_when_idle()

    same(scenario)


def test_messages_of_one_sender_to_one_agent_are_begun_in_order():
    async def scenario(core, record):
        class Sink(core.RoutedAgent):
            @core.message_handler
            async def on_step(self, message: Step, ctx: core.MessageContext) -> None:
                record(ctx.is_rpc, message.depth)
                await asyncio.sleep(0)

        runtime = core.SingleThreadedAgentRuntime()
        await Sink.register(runtime, "sink", lambda: Sink("takes"))
        await runtime.add_subscription(core.TypeSubscription("t", "sink"))
        sends = []
        for n in range(6):
            if n % 2:
                await runtime.publish_message(Step(n), core.TopicId("t", "s"))
            else:
                sends.append(
                    asyncio.create_task(runtime.send_message(Step(n), core.AgentId("sink", "s")))
                )
                await asyncio.sleep(0)
        record("queued", runtime.unprocessed_messages_count)
        runtime.start()
        await asyncio.gather(*sends)
        await runtime.stop_when_idle()

    same(scenario)
