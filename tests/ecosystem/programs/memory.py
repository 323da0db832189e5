"""Memories of agents: a list that adds all its contents, and one that searches."""

import asyncio
import json
from typing import Any

from autogen_agentchat.agents import AssistantAgent
from autogen_agentchat.conditions import MaxMessageTermination
from autogen_agentchat.messages import MemoryQueryEvent
from autogen_agentchat.teams import RoundRobinGroupChat
from autogen_core import CancellationToken
from autogen_core.memory import (
    ListMemory,
    Memory,
    MemoryContent,
    MemoryMimeType,
    MemoryQueryResult,
    UpdateContextResult,
)
from autogen_core.model_context import BufferedChatCompletionContext, ChatCompletionContext
from autogen_core.models import LLMMessage, SystemMessage
from autogen_ext.models.replay import ReplayChatCompletionClient


class Notebook(Memory):
    """Finds the notes that share a word with the last message."""

    def __init__(self) -> None:
        self.notes: list[MemoryContent] = []
        self.closed = False

    async def update_context(self, model_context: ChatCompletionContext) -> UpdateContextResult:
        messages = await model_context.get_messages()
        found = await self.query(str(messages[-1].content)) if messages else None
        if found is None or not found.results:
            return UpdateContextResult(memories=MemoryQueryResult(results=[]))
        notes = "; ".join(str(note.content) for note in found.results)
        await model_context.add_message(SystemMessage(content=f"You noted: {notes}"))
        return UpdateContextResult(memories=found)

    async def query(
        self,
        query: str | MemoryContent,
        cancellation_token: CancellationToken | None = None,
        **kwargs: Any,
    ) -> MemoryQueryResult:
        words = str(query.content if isinstance(query, MemoryContent) else query).lower().split()
        return MemoryQueryResult(
            results=[note for note in self.notes if set(str(note.content).split()) & set(words)]
        )

    async def add(
        self, content: MemoryContent, cancellation_token: CancellationToken | None = None
    ) -> None:
        self.notes.append(content)

    async def clear(self) -> None:
        self.notes.clear()

    async def close(self) -> None:
        self.closed = True


class Listening(ReplayChatCompletionClient):
    """Prints what the model is sent."""

    async def create(self, messages: list[LLMMessage], **options: Any) -> Any:
        print("  model gets:", [(message.type, message.content) for message in messages])
        return await super().create(messages, **options)


async def main() -> None:
    tastes = ListMemory(name="tastes")
    await tastes.add(MemoryContent(content="likes tea", mime_type=MemoryMimeType.TEXT))
    await tastes.add(MemoryContent(content={"city": "Turin"}, mime_type="application/json"))
    notebook = Notebook()
    for note in ("trains leave at nine", "rain on tuesday"):
        await notebook.add(MemoryContent(content=note, mime_type="text/plain", metadata={"n": 1}))

    guide = AssistantAgent(
        "guide",
        Listening(["Take the train.", "Bring a coat.", "Enjoy."]),
        memory=[notebook, tastes],
        model_context=BufferedChatCompletionContext(buffer_size=6),
        system_message="Be brief.",
    )
    team = RoundRobinGroupChat([guide], termination_condition=MaxMessageTermination(2))
    for task in ("When do trains go?", "And in the rain ?"):
        async for event in team.run_stream(task=task):
            if isinstance(event, MemoryQueryEvent):
                print("remembered:", [(m.content, m.mime_type) for m in event.content])
                print("  in JSON:", json.loads(event.model_dump_json())["content"])
            elif hasattr(event, "content"):
                print("said:", type(event).__name__, event.content)
    await notebook.close()
    print("closed", notebook.closed)

    listener = AssistantAgent(
        "listener", ReplayChatCompletionClient(["x"]), memory=[tastes], system_message="Listen."
    )
    written = listener.dump_component().model_dump_json()
    print(json.loads(written)["config"]["memory"][0]["config"])
    again = AssistantAgent.load_component(json.loads(written))
    print(again.dump_component().model_dump_json() == written)


asyncio.run(main())
