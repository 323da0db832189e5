"""Context variables: the agent's own ones, and those of the user."""

import asyncio
from contextvars import ContextVar

from .harness import same, yield_to_loop

colour: ContextVar[str] = ContextVar("colour", default="none")


async def with_agent(core, work, *keys):
    class Agent(core.BaseAgent):
        async def on_message_impl(self, message, ctx):
            return await work(self, message)

    runtime = core.SingleThreadedAgentRuntime()
    await Agent.register(runtime, "agent", lambda: Agent("works"))
    for key in keys:
        await runtime.get("agent", key, lazy=False)
    return runtime


def test_a_handler_knows_whose_it_is():
    async def scenario(core, record):
        async def work(agent, message):
            record(core.MessageHandlerContext.agent_id(), agent.id)
            if message > 0:
                await agent.send_message(message - 1, core.AgentId("agent", str(message)))
            await asyncio.sleep(0)
            record(core.MessageHandlerContext.agent_id(), agent.id)

        runtime = await with_agent(core, work)
        runtime.start()
        await runtime.send_message(2, core.AgentId("agent", "top"))
        try:
            core.MessageHandlerContext.agent_id()
        except RuntimeError as error:
            record.raised("outside", error, words=False)
        await runtime.stop_when_idle()

    same(scenario)


def test_the_default_topic_of_a_handler_has_the_agents_key_as_its_source():
    async def scenario(core, record):
        async def work(agent, message):
            record(core.DefaultTopicId(), core.DefaultTopicId("t"), core.DefaultTopicId("t", "s"))
            task = asyncio.create_task(in_a_task())
            await task

        async def in_a_task():
            record("task", core.DefaultTopicId())

        runtime = await with_agent(core, work)
        runtime.start()
        await runtime.send_message("x", core.AgentId("agent", "mine"))
        record("outside", core.DefaultTopicId())
        await runtime.stop_when_idle()

    same(scenario)


def test_a_handler_sees_what_was_set_before_the_start():
    async def scenario(core, record):
        async def work(agent, message):
            record(message, colour.get())

        runtime = await with_agent(core, work)
        colour.set("red")
        runtime.start()
        colour.set("blue")
        await runtime.send_message("sent", core.AgentId("agent", "k"))
        await runtime.publish_message("published", core.TopicId("agent:", "k"))
        await yield_to_loop()
        await runtime.stop()
        runtime.start()
        await runtime.send_message("after a restart", core.AgentId("agent", "k"))
        await runtime.stop_when_idle()

    same(scenario)


def test_a_handler_driven_by_hand_sees_what_the_driver_has_set():
    async def scenario(core, record):
        async def work(agent, message):
            record(message, colour.get())

        runtime = await with_agent(core, work, "k")
        for shade in ("red", "blue"):
            await runtime.publish_message(shade, core.TopicId("agent:", "k"))
            colour.set(shade)
            await runtime.process_next()
            await yield_to_loop()

    same(scenario)


def test_what_a_handler_sets_stays_in_it():
    async def scenario(core, record):
        async def work(agent, message):
            record(message, colour.get())
            colour.set(str(message))
            await asyncio.sleep(0)
            record(message, colour.get())

        runtime = await with_agent(core, work, "a", "b")
        await runtime.add_subscription(core.TypeSubscription("t", "agent"))
        runtime.start()
        for n in range(2):
            await runtime.send_message(n, core.AgentId("agent", "a"))
        for n in range(2, 5):
            await runtime.publish_message(n, core.TopicId("t", "b"))
        await runtime.stop_when_idle()
        record("outside", colour.get())

    same(scenario)


def test_a_factory_sees_what_was_set_before_the_start():
    async def scenario(core, record):
        class Agent(core.BaseAgent):
            def __init__(self):
                super().__init__("x")
                record("factory", colour.get())

            async def on_message_impl(self, message, ctx):
                record("handler", colour.get())

        runtime = core.SingleThreadedAgentRuntime()
        await Agent.register(runtime, "agent", Agent)
        colour.set("red")
        runtime.start()
        await runtime.send_message("x", core.AgentId("agent", "a"))
        await runtime.send_message("x", core.AgentId("agent", "a"))
        await runtime.stop_when_idle()

    same(scenario)


def test_a_running_handler_is_a_task_that_can_be_timed_out():
    async def scenario(core, record):
        async def work(agent, message):
            task = asyncio.current_task()
            await asyncio.sleep(0)
            record(isinstance(task, asyncio.Task), task in asyncio.all_tasks())
            try:
                await asyncio.wait_for(asyncio.Event().wait(), 0.01)
            except asyncio.TimeoutError:
                return "timed out"

        runtime = await with_agent(core, work)
        runtime.start()
        record(await runtime.send_message("x", core.AgentId("agent", "k")))
        await runtime.stop_when_idle()

    same(scenario)
