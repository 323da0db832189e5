"""One process leaves things in this folder, another takes them up: the argument says which."""

# ruff: noqa: ASYNC240  # it does one thing at a time

import asyncio
import json
import pickle
import sys
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import diskcache
from autogen_agentchat.agents import AssistantAgent
from autogen_agentchat.conditions import MaxMessageTermination, TextMentionTermination
from autogen_agentchat.messages import TextMessage
from autogen_agentchat.teams import RoundRobinGroupChat
from autogen_core import AgentId, FunctionCall, TopicId
from autogen_core.memory import ListMemory, MemoryContent, MemoryMimeType
from autogen_core.model_context import BufferedChatCompletionContext
from autogen_core.models import (
    CreateResult,
    FunctionExecutionResult,
    FunctionExecutionResultMessage,
    RequestUsage,
    UserMessage,
)
from autogen_ext.cache_store.diskcache import DiskCacheStore
from autogen_ext.models.cache import CHAT_CACHE_VALUE_TYPE, ChatCompletionCache
from autogen_ext.models.replay import ReplayChatCompletionClient

COMPONENT, STATE, PICKLE = Path("team.json"), Path("state.json"), Path("things.pickle")
ASKED = [UserMessage(content="Why?", source="user")]


def team() -> RoundRobinGroupChat:
    house_style = MemoryContent(content="No rhymes.", mime_type=MemoryMimeType.TEXT)
    writer = AssistantAgent(
        "writer",
        ReplayChatCompletionClient(["one", "two", "three"]),
        memory=[ListMemory("style", [house_style])],
        model_context=BufferedChatCompletionContext(buffer_size=6),
    )
    critic = AssistantAgent("critic", ReplayChatCompletionClient(["no", "not yet", "APPROVE"]))
    end = TextMentionTermination("APPROVE") | MaxMessageTermination(4)
    return RoundRobinGroupChat([writer, critic], termination_condition=end)


def things() -> list[Any]:
    return [
        AgentId("type", "key"),
        TopicId("type", "source"),
        FunctionCall(id="1", name="add", arguments="{}"),
        FunctionExecutionResultMessage(
            content=[FunctionExecutionResult(content="2", name="add", call_id="1", is_error=False)]
        ),
        CreateResult(
            finish_reason="stop",
            content="because",
            usage=RequestUsage(prompt_tokens=1, completion_tokens=2),
            cached=False,
        ),
        TextMessage(
            content="hello",
            source="user",
            id="1",
            created_at=datetime.fromtimestamp(0, timezone.utc),
        ),
    ]


async def ask(words: str) -> CreateResult:
    with diskcache.Cache("answers") as cache:
        store = DiskCacheStore[CHAT_CACHE_VALUE_TYPE](cache)
        return await ChatCompletionCache(ReplayChatCompletionClient([words]), store).create(ASKED)


async def leave() -> None:
    left = team()
    await left.run(task="Write.")
    COMPONENT.write_text(left.dump_component().model_dump_json())
    STATE.write_text(json.dumps(await left.save_state()))


async def take() -> None:
    taken = RoundRobinGroupChat.load_component(json.loads(COMPONENT.read_text()))
    await taken.load_state(json.loads(STATE.read_text()))
    result = await taken.run(task="Go on.")
    print([type(message).__name__ for message in result.messages], result.stop_reason)
    state = await taken.save_state()
    kept = state["agent_states"]["writer"]["agent_state"]["llm_context"]["messages"]
    print([message["content"] for message in kept if message["type"] != "SystemMessage"])


async def leave_pickles() -> None:
    PICKLE.write_bytes(pickle.dumps(things()))
    await ask("Because it is.")


async def take_pickles() -> None:
    read = pickle.loads(PICKLE.read_bytes())
    print(read == things())
    print((await ask("Never said.")).content)


if __name__ == "__main__":
    parts = (leave, take, leave_pickles, take_pickles)
    asyncio.run({part.__name__: part for part in parts}[sys.argv[1]]())
