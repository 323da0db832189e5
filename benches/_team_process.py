"""A team of three agents, written for AgentChat; prints the seconds that a turn took.

It does not depend on which package is imported as autogen_core: agentchat.py runs it on both.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import sys
import time
from collections.abc import Callable, Sequence

from autogen_agentchat.agents import AssistantAgent, BaseChatAgent
from autogen_agentchat.base import Response
from autogen_agentchat.messages import BaseChatMessage, TextMessage
from autogen_agentchat.teams import RoundRobinGroupChat
from autogen_core import EVENT_LOGGER_NAME, CancellationToken
from autogen_ext.models.replay import ReplayChatCompletionClient
from opentelemetry import trace
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider

TURNS = 30
CONVERSATIONS = 10
WORDS = "word " * 20
NAMES = ("one", "two", "three")


class Speaker(BaseChatAgent):
    """Responds with the same text at each turn, and keeps no state."""

    produced_message_types = (TextMessage,)

    async def on_messages(
        self, messages: Sequence[BaseChatMessage], cancellation_token: CancellationToken
    ) -> Response:
        await asyncio.sleep(0)  # suspends, as it does for a model
        return Response(chat_message=TextMessage(content=WORDS, source=self.name))

    async def on_reset(self, cancellation_token: CancellationToken) -> None:
        pass


def speakers() -> list[BaseChatAgent]:
    return [Speaker(name, "speaks") for name in NAMES]


def assistants(streaming: bool = False) -> list[BaseChatAgent]:
    return [
        AssistantAgent(
            name, ReplayChatCompletionClient([WORDS] * TURNS), model_client_stream=streaming
        )
        for name in NAMES
    ]


MEMBERS: dict[str, Callable[[], list[BaseChatAgent]]] = {
    "speakers": speakers,
    "assistants": assistants,
    "streaming": lambda: assistants(streaming=True),
    "logged": speakers,
    "traced": speakers,
}


async def in_a_team(members: list[BaseChatAgent]) -> int:
    """The three take turns in a group chat."""
    team = RoundRobinGroupChat(members, max_turns=TURNS)
    result = await team.run(task="Talk.")
    return len(result.messages) - 1


async def in_a_loop(members: list[BaseChatAgent]) -> int:
    """Calls the three in turn, each with the messages since its last turn, without a runtime."""
    said: list[BaseChatMessage] = [TextMessage(content="Talk.", source="user")]
    for turn in range(TURNS):
        news = said[-len(members) + 1 :] if turn >= len(members) else said[:]
        stream = members[turn % len(members)].on_messages_stream(news, CancellationToken())
        said += [item.chat_message async for item in stream if isinstance(item, Response)]
    return len(said) - 1


def log_events() -> None:
    """Logs the events of the runtime to the null device."""
    logger = logging.getLogger(EVENT_LOGGER_NAME)
    logger.addHandler(logging.FileHandler(os.devnull))
    logger.setLevel(logging.INFO)


def record_spans() -> None:
    """Records every span, and drops it."""
    provider = TracerProvider()
    provider.add_span_processor(SpanProcessor())
    trace.set_tracer_provider(provider)


async def main(kind: str, implementation: str) -> None:
    converse = {"team": in_a_team, "floor": in_a_loop}[implementation]
    telemetry = {"logged": log_events, "traced": record_spans}
    if kind in telemetry and implementation == "team":
        telemetry[kind]()
    await converse(MEMBERS[kind]())
    gc.collect()
    gc.freeze()
    elapsed = 0.0
    for _ in range(CONVERSATIONS):
        members = MEMBERS[kind]()
        start = time.perf_counter()
        turns = await converse(members)
        elapsed += time.perf_counter() - start
        assert turns == TURNS
    print(elapsed / (CONVERSATIONS * TURNS))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
