"""An agent that remembers what users have said, also in later runs of the program.

    python examples/remember.py --user ada "I am Ada, and I drink nothing but green tea."
    python examples/remember.py --user ada "What should you bring me to drink?"

Each run is a new process. What is remembered is in the file that --memory names, in a namespace
for each user. OPENAI_BASE_URL, OPENAI_API_KEY and MODEL say which model answers.
"""

import argparse
import asyncio
import os
import sys
from dataclasses import dataclass
from pathlib import Path

from ferrogen import (
    AgentId,
    MessageContext,
    RoutedAgent,
    SingleThreadedAgentRuntime,
    message_handler,
)
from ferrogen.exceptions import FerrogenError
from ferrogen.memory import Deduplication, MemoryContent, MemoryContext, SearchOptions, SqliteMemory
from ferrogen.models import ChatCompletionClient, SystemMessage, UserMessage
from ferrogen.models.openai import OpenAIChatCompletionClient

ROLE = "You are a helpful assistant. You answer in one short sentence."
MOST_TOKENS = 60


@dataclass
class Question:
    text: str


@dataclass
class Reply:
    text: str
    recalled: list[str]


class Assistant(RoutedAgent):
    """Talks with one user: the key of its id."""

    def __init__(self, client: ChatCompletionClient, memory: SqliteMemory) -> None:
        super().__init__("an assistant that remembers")
        self._client = client
        self._memory = memory.scoped(user=self.id.key, agent=self.id.type)
        self._context = MemoryContext(memories=self._memory, template="You know:\n{memories}")

    @message_handler
    async def on_question(self, message: Question, ctx: MessageContext) -> Reply:
        known = await self._memory.search(message.text)
        await self._context.add_message(UserMessage(content=message.text, source=self.id.key))
        messages = [SystemMessage(content=ROLE), *await self._context.get_messages()]
        result = await self._client.create(messages, cancellation_token=ctx.cancellation_token)
        await self._memory.add(
            MemoryContent(content=f'{self.id.key} said: "{message.text}"', mime_type="text/plain"),
            source=self.id.key,
            message_id=ctx.message_id,
        )
        return Reply(str(result.content).strip(), [str(one.item.content.content) for one in known])


async def ask(question: str, user: str, path: Path) -> Reply:
    client = OpenAIChatCompletionClient(
        model=os.environ.get("MODEL", "gpt-4o-mini"),
        max_tokens=MOST_TOKENS,
        model_info={
            "vision": False,
            "function_calling": False,
            "json_output": False,
            "structured_output": False,
            "family": "unknown",
        },
    )
    options = SearchOptions(limit=3, recency_half_life=7 * 86_400)
    async with (
        SqliteMemory(path, search=options, deduplication=Deduplication()) as memory,
        client,
        SingleThreadedAgentRuntime() as runtime,
    ):
        await Assistant.register(runtime, "assistant", lambda: Assistant(client, memory))
        reply = await runtime.send_message(Question(question), AgentId("assistant", user))
        assert isinstance(reply, Reply)
        return reply


def main() -> int:
    parser = argparse.ArgumentParser(prog="remember", description=__doc__.splitlines()[0])
    parser.add_argument("question")
    parser.add_argument("--user", default="you")
    parser.add_argument("--memory", type=Path, default=Path("memory.sqlite"), metavar="FILE")
    arguments = parser.parse_args()
    try:
        reply = asyncio.run(ask(arguments.question, arguments.user, arguments.memory))
    except FerrogenError as error:
        print(error, file=sys.stderr)
        return 1
    for line in reply.recalled:
        print(f"(recalled) {line}")
    print(reply.text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
