"""Closures as agents."""

from dataclasses import dataclass

from .harness import same


@dataclass
class Note:
    text: str


@dataclass
class Other:
    text: str


def test_a_closure_receives_the_messages_of_its_subscriptions():
    async def scenario(core, record):
        runtime = core.SingleThreadedAgentRuntime()

        async def receive(
            agent: core.ClosureContext, message: Note | Other, ctx: core.MessageContext
        ) -> None:
            record("received", agent.id, message, ctx.sender, ctx.topic_id)

        async def subscriptions():
            return [core.TypeSubscription("news", "ear"), core.DefaultSubscription()]

        record(
            await core.ClosureAgent.register_closure(
                runtime, "ear", receive, subscriptions=subscriptions, description="listens"
            )
        )
        runtime.start()
        for topic in (core.TopicId("news", "s"), core.DefaultTopicId(), core.TopicId("ear:", "s")):
            await runtime.publish_message(Note("x"), topic)
            await runtime.publish_message(Other("y"), topic)
        await runtime.stop_when_idle()
        metadata = await runtime.agent_metadata(core.AgentId("ear", "s"))
        record(metadata["description"])

    same(scenario)


def test_a_closure_handles_sends_and_publishes():
    async def scenario(core, record):
        runtime = core.SingleThreadedAgentRuntime()

        async def relay(
            agent: core.ClosureContext, message: Note, ctx: core.MessageContext
        ) -> Other | None:
            record(agent.id, message, ctx.sender, ctx.is_rpc)
            if message.text == "relay":
                response = await agent.send_message(Note("leaf"), core.AgentId("leaf", "x"))
                await agent.publish_message(Note("news"), core.TopicId("leaf:", "y"))
                return response
            return Other(message.text)

        for agent_type in ("root", "leaf"):
            await core.ClosureAgent.register_closure(runtime, agent_type, relay)
        runtime.start()
        response = await runtime.send_message(Note("relay"), core.AgentId("root", "x"))
        await runtime.stop_when_idle()
        record(response)

    same(scenario)


def test_what_a_closure_is_not_annotated_for_follows_the_policy():
    async def scenario(core, record):
        runtime = core.SingleThreadedAgentRuntime()

        async def take(agent: core.ClosureContext, message: Note, ctx: core.MessageContext) -> str:
            record("taken", message)
            return "taken"

        for policy in ("error", "warn", "ignore"):
            await core.ClosureAgent.register_closure(
                runtime, policy, take, unknown_type_policy=policy
            )
        runtime.start()
        for policy in ("error", "warn", "ignore"):
            await record.outcome(
                policy,
                runtime.send_message(Other("x"), core.AgentId(policy, "k")),
                words=False,
            )
        await runtime.stop_when_idle()

    assert [kind for kind, _ in same(scenario).warnings] == ["UserWarning"]


def test_a_closure_agent_has_no_state():
    async def take(agent, message: Note, ctx) -> None: ...

    async def scenario(core, record):
        runtime = core.SingleThreadedAgentRuntime()
        await core.ClosureAgent.register_closure(runtime, "ear", take)
        runtime.start()
        await runtime.send_message(Note("x"), core.AgentId("ear", "k"))
        record(dict(await runtime.save_state()))
        record(await runtime.load_state({"ear/k": {"any": "thing"}}))
        await runtime.stop_when_idle()

    same(scenario)


def test_a_closure_agent_is_not_made_by_hand_and_registered_once():
    async def take(agent, message: Note, ctx) -> None: ...

    async def scenario(core, record):
        runtime = core.SingleThreadedAgentRuntime()
        try:
            core.ClosureAgent("x", take)
        except RuntimeError as error:
            record.raised("by hand", error, words=False)
        await core.ClosureAgent.register_closure(runtime, "ear", take)
        await record.outcome("again", core.ClosureAgent.register_closure(runtime, "ear", take))

    same(scenario)
