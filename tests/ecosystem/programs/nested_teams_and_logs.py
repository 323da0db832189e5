"""A team inside a team, a message type of the user's own, and the logs of it all."""

import asyncio
import json
import logging
import re
from collections import Counter
from collections.abc import AsyncGenerator, Sequence

from _replay import tool_calls, tool_model
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
from autogen_core import (
    EVENT_LOGGER_NAME,
    CancellationToken,
    FunctionCall,
    SingleThreadedAgentRuntime,
)
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


class Kept(logging.Handler):
    """Keeps the records of a logger, without ids and times."""

    def __init__(self, logger: str, level: int) -> None:
        super().__init__()
        self.said: list[str] = []
        logging.getLogger(logger).addHandler(self)
        logging.getLogger(logger).setLevel(level)

    def emit(self, record: logging.LogRecord) -> None:
        event = record.msg
        text = event.model_dump_json() if isinstance(event, BaseModel) else record.getMessage()
        text = re.sub(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "ID", text)
        text = re.sub(r"\d{4}-\d\d-\d\dT[\d:.]+Z", "NOW", text)
        self.said.append(f"{record.levelname} {type(event).__name__} {text}")


def words(text: str) -> int:
    """Count the words of a text."""
    return len(text.split())


def author() -> AssistantAgent:
    call = FunctionCall(id="1", name="words", arguments=json.dumps({"text": "a longer text"}))
    return AssistantAgent("author", tool_model("short", tool_calls(call)), tools=[words])


async def main() -> None:
    core, chat = Kept(EVENT_LOGGER_NAME, logging.INFO), Kept(CHAT_EVENTS, logging.DEBUG)
    runtime = SingleThreadedAgentRuntime(ignore_unhandled_exceptions=False)
    runtime.start()
    pair = RoundRobinGroupChat(
        [author()],
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

    print(*chat.said, sep="\n")
    # The order in which concurrent messages are logged is not guaranteed.
    for event, times in sorted(Counter(core.said).items()):
        print(times, event)


asyncio.run(main())
