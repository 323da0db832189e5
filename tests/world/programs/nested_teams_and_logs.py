"""A team inside a team, a message type of the user's own, and the logs of it all."""

import asyncio
import json
import logging
from collections.abc import AsyncGenerator, Sequence

from autogen_agentchat import EVENT_LOGGER_NAME as CHAT_EVENTS
from autogen_agentchat.agents import AssistantAgent, BaseChatAgent
from autogen_agentchat.base import Response
from autogen_agentchat.conditions import MaxMessageTermination
from autogen_agentchat.messages import (
    BaseAgentEvent,
    BaseChatMessage,
    StructuredMessage,
    TextMessage,
)
from autogen_agentchat.teams import RoundRobinGroupChat
from autogen_agentchat.ui import Console
from autogen_core import EVENT_LOGGER_NAME, CancellationToken, SingleThreadedAgentRuntime
from autogen_ext.models.replay import ReplayChatCompletionClient
from pydantic import BaseModel


class Score(BaseModel):
    points: int
    reasons: list[str]


class Judge(BaseChatAgent):
    """Gives a score for what was said last."""

    @property
    def produced_message_types(self) -> Sequence[type[BaseChatMessage]]:
        return (StructuredMessage[Score],)

    async def on_messages(
        self, messages: Sequence[BaseChatMessage], cancellation_token: CancellationToken
    ) -> Response:
        async for item in self.on_messages_stream(messages, cancellation_token):
            if isinstance(item, Response):
                return item
        raise AssertionError

    async def on_messages_stream(
        self, messages: Sequence[BaseChatMessage], cancellation_token: CancellationToken
    ) -> AsyncGenerator[BaseAgentEvent | BaseChatMessage | Response, None]:
        score = Score(points=len(messages[-1].to_model_text()), reasons=["length"])
        yield Response(chat_message=StructuredMessage[Score](content=score, source=self.name))

    async def on_reset(self, cancellation_token: CancellationToken) -> None:
        pass


class Types(logging.Handler):
    """Collects the types of the events."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        said = record.msg if isinstance(record.msg, str) else str(record.msg)
        try:
            self.seen.append(json.loads(said)["type"])
        except (ValueError, KeyError):
            self.seen.append(type(record.msg).__name__)


async def main() -> None:
    core, chat = Types(), Types()
    for name, handler in ((EVENT_LOGGER_NAME, core), (CHAT_EVENTS, chat)):
        logging.getLogger(name).addHandler(handler)
        logging.getLogger(name).setLevel(logging.INFO)

    runtime = SingleThreadedAgentRuntime(ignore_unhandled_exceptions=False)
    runtime.start()
    author = AssistantAgent("author", ReplayChatCompletionClient(["short", "a longer text"]))
    pair = RoundRobinGroupChat(
        [author],
        max_turns=1,
        name="pair",
        description="writes",
        custom_message_types=[StructuredMessage[Score]],
    )
    team = RoundRobinGroupChat(
        [pair, Judge("judge", "scores")],
        termination_condition=MaxMessageTermination(5),
        custom_message_types=[StructuredMessage[Score]],
        runtime=runtime,
    )
    result = await Console(team.run_stream(task=[TextMessage(content="Write.", source="user")]))
    print([message.to_text() for message in result.messages], result.stop_reason)
    await runtime.stop_when_idle()
    # How many of each runtime event there are is the runtime's affair; that there are some is not.
    print(sorted(set(core.seen)), sorted(set(chat.seen)))


asyncio.run(main())
