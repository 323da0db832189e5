"""Agents that are not routed: an overridden `on_message_impl`, and no base class at all."""

import asyncio

from .everyday import everyday
from .scenario import Ask, yield_to_loop


async def test_everyday_with_an_overridden_on_message_impl(scenario):
    await everyday(scenario, routed=False)


async def test_everyday_with_routed_agents(scenario):
    await everyday(scenario)


async def test_an_agent_of_no_known_base(scenario):
    core = scenario.core

    class Bare:
        def __init__(self):
            self.id = core.AgentInstantiationContext.current_agent_id()

        @property
        def metadata(self):
            return core.AgentMetadata(key=self.id.key, type=self.id.type, description="bare")

        async def on_message(self, message, ctx):
            task = asyncio.current_task()
            assert isinstance(task, asyncio.Task)
            assert core.MessageHandlerContext.agent_id() == self.id
            if message.value:
                await asyncio.sleep(0)
                assert asyncio.current_task() is task
            return message.value

        async def save_state(self):
            return {}

        async def load_state(self, state):
            pass

        async def close(self):
            pass

    await scenario.runtime.register_factory("bare", Bare)
    scenario.start()
    assert await scenario.ask("bare", False) is False
    assert await scenario.ask("bare", True) is True


async def test_an_overridden_on_message_around_a_suspending_handler(scenario):
    core, seen = scenario.core, []

    async def handler(self, message, ctx):
        await asyncio.sleep(0)
        return message.value

    class Wrapping(scenario.agent_class(handler)):
        async def on_message_impl(self, message, ctx):
            task = asyncio.current_task()
            await asyncio.sleep(0)
            response = await super().on_message_impl(message, ctx)
            seen.append(asyncio.current_task() is task)
            return [response]

    await scenario.runtime.register_factory("a", lambda: Wrapping("wraps"))
    scenario.start()
    assert await scenario.ask("a", "inner") == ["inner"]
    assert seen == [True]
    assert issubclass(Wrapping, core.RoutedAgent)


async def test_a_closure_agent_that_suspends(scenario):
    core, seen = scenario.core, []

    async def closure(agent, message: dict, ctx: core.MessageContext) -> None:
        task = asyncio.current_task()
        await yield_to_loop(2)
        assert asyncio.current_task() is task
        seen.append((message, str(agent.id)))

    await core.ClosureAgent.register_closure(
        scenario.runtime,
        "closure",
        closure,
        unknown_type_policy="ignore",
        subscriptions=lambda: [core.TypeSubscription("t", "closure")],
        skip_direct_message_subscription=True,
    )
    scenario.start()
    await scenario.runtime.publish_message({"x": 1}, core.TopicId("t", "default"))
    await yield_to_loop(30)
    assert seen == [({"x": 1}, "closure/default")]


async def test_a_factory_made_instance_and_a_registered_instance_behave_alike(scenario):
    async def handler(self, message, ctx):
        task = asyncio.current_task()
        if message.value:
            await self.send_message(Ask(), scenario.id("made"))
        await asyncio.sleep(0)
        assert asyncio.current_task() is task
        return self.id.type

    await scenario.agent("made", handler)
    instance = scenario.agent_class(handler)("registered as it is")
    await scenario.runtime.register_agent_instance(instance, scenario.id("instance"))
    scenario.start()
    assert await scenario.ask("made") == "made"
    assert await scenario.ask("instance", "nest") == "instance"
