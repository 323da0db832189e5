"""Random programs of agents that send, publish, suspend and fail: same messages and responses.

How handlers of unrelated messages interleave is not guaranteed, so the received messages are
compared without their order.
"""

import asyncio
from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from ..random_examples import examples
from .harness import same, yield_to_loop


@dataclass(frozen=True)
class Script:
    """A message with the steps of its handler."""

    steps: tuple


types, keys, topics = st.sampled_from("abc"), st.sampled_from("xy"), st.sampled_from("tu")


def steps(scripts):
    """Steps of a handler, of which some send a script."""
    return st.one_of(
        st.tuples(st.just("send"), types, keys, scripts),
        st.tuples(st.just("spawn"), types, keys, scripts),
        st.tuples(st.just("publish"), topics, keys, scripts),
        st.just(("yield",)),
        st.just(("fail",)),
    )


scripts = st.recursive(
    st.just(Script(())),
    lambda inner: st.lists(steps(inner), max_size=3).map(lambda chosen: Script(tuple(chosen))),
    max_leaves=8,
)
subscriptions = st.lists(st.tuples(topics, types, st.booleans()), max_size=5, unique=True)
openings = st.lists(
    st.one_of(
        st.tuples(st.just("send"), types, keys, scripts),
        st.tuples(st.just("publish"), topics, keys, scripts),
    ),
    min_size=1,
    max_size=4,
)


def make_agent_class(core, received):
    """Make an agent class that runs scripts and appends its messages to `received`."""

    class ScriptAgent(core.BaseAgent):
        async def on_message_impl(self, message, ctx):
            received.append(f"{self.id} {ctx.sender} {ctx.topic_id} {ctx.is_rpc} {message}")
            responses, spawned = [], []
            for kind, *where in message.steps:
                if kind == "fail":
                    raise ValueError(f"{self.id} failed")
                if kind == "yield":
                    await asyncio.sleep(0)
                    continue
                name, key, script = where
                if kind == "publish":
                    await self.publish_message(script, core.TopicId(name, key))
                    continue
                sending = self.send_message(script, core.AgentId(name, key))
                if kind == "spawn":
                    spawned.append(asyncio.create_task(outcome_of(sending)))
                else:
                    responses.append(str(await outcome_of(sending)))
            responses.extend([str(await task) for task in spawned])
            return responses

    return ScriptAgent


async def outcome_of(awaitable):
    try:
        return await awaitable
    except ValueError as error:
        return error


@given(subscriptions=subscriptions, openings=openings, built=st.booleans())
@examples(15)
def test_random_programs_have_the_same_messages_and_responses(subscriptions, openings, built):
    async def scenario(core, record):
        received, runtime = [], core.SingleThreadedAgentRuntime()
        cls = make_agent_class(core, received)
        for agent_type in "abc":
            await cls.register(runtime, agent_type, lambda: cls("runs scripts"))
            for key in "xy" if built else "":
                await runtime.get(agent_type, key, lazy=False)
        for topic, agent_type, is_prefix in subscriptions:
            kind = core.TypePrefixSubscription if is_prefix else core.TypeSubscription
            await runtime.add_subscription(kind(topic, agent_type))
        runtime.start()
        sends = []
        for kind, name, key, script in openings:
            if kind == "send":
                sending = runtime.send_message(script, core.AgentId(name, key))
                sends.append(asyncio.create_task(outcome_of(sending)))
            else:
                await runtime.publish_message(script, core.TopicId(name, key))
        record("responses", [str(response) for response in await asyncio.gather(*sends)])
        await yield_to_loop(200)  # upstream counts as idle too early
        await runtime.stop()
        record("received", sorted(received))

    same(scenario)
