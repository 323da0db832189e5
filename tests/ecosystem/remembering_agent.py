"""An unmodified AssistantAgent with a SqliteMemory and a MemoryContext, on Ferrogen."""

import asyncio
import json
import sys
from pathlib import Path

from autogen_agentchat.agents import AssistantAgent
from autogen_agentchat.messages import MemoryQueryEvent
from autogen_core.memory import Memory, MemoryContent, MemoryMimeType
from autogen_core.model_context import ChatCompletionContext, UnboundedChatCompletionContext
from autogen_core.models import LLMMessage, SystemMessage
from autogen_ext.models.replay import ReplayChatCompletionClient

from ferrogen.memory import Compaction, MemoryContext, Scope, SqliteMemory
from ferrogen.testing import ScriptedModel


class Watched(ReplayChatCompletionClient):
    """Prints the system messages that it is sent."""

    async def create(self, messages, **arguments):
        self.seen: list[LLMMessage] = list(messages)
        system = [each.content for each in messages if isinstance(each, SystemMessage)]
        print(" system:", json.dumps(system[1:]))
        return await super().create(messages, **arguments)


def agent_with(memory: Memory, context: ChatCompletionContext) -> AssistantAgent:
    client = Watched(["Green tea.", "As before.", "Again."])
    return AssistantAgent("cook", client, memory=[memory], model_context=context)


async def main(path: Path) -> None:
    memory = SqliteMemory(path, scope=Scope(user="ada"))
    for words in ("Ada likes green tea.", "Bob lives in Turin."):
        await memory.add(MemoryContent(content=words, mime_type=MemoryMimeType.TEXT))
    agent = agent_with(memory, UnboundedChatCompletionContext())
    result = await agent.run(task="Which tea?")
    for message in result.messages:
        if isinstance(message, MemoryQueryEvent):
            print(" recalled:", [one.content for one in message.content])
            print(" score:", message.content[0].metadata["memory"]["score"] > 0)
    await agent.run(task="Which tea, again?")

    print("compacted, saved and loaded")
    summarizer = ScriptedModel(["Ada asked for tea."])
    compaction = Compaction(summarizer, max_tokens=4, keep_messages=1)
    context = MemoryContext(memories=memory, compaction=compaction)
    agent = agent_with(memory, context)
    await agent.run(task="Which tea?")
    await agent.run(task="Thanks!")
    state = json.loads(json.dumps(await agent.save_state()))
    other = agent_with(memory, MemoryContext(memories=memory))
    await other.load_state(state)
    await other.run(task="Who lives in Turin?")
    await memory.close()


asyncio.run(main(Path(sys.argv[1])))
