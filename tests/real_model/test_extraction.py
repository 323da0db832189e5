"""Facts that a real model finds in a conversation become items, and are merged when found again.

The model is tiny: what it finds is only sometimes true, but its grammar makes it facts.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import pytest

from ferrogen.memory import FactExtractor, Scope, SqliteMemory
from ferrogen.models import UserMessage
from ferrogen.models.openai import OpenAIChatCompletionClient
from ferrogen.testing import ScriptedModel

from .conftest import chat_client

SAID = [
    UserMessage(
        content="My name is Ada. I live in Turin, and my favorite drink is tea.", source="Ada"
    )
]


@pytest.fixture
async def client(address: str) -> AsyncIterator[OpenAIChatCompletionClient]:
    made = chat_client(address, max_tokens=1000)
    yield made
    await made.close()


@pytest.mark.timeout(600)
async def test_facts_of_a_real_model_become_items(client: OpenAIChatCompletionClient) -> None:
    async with SqliteMemory(":memory:", scope=Scope(user="ada")) as memory:
        done = await FactExtractor(client, memory).extract(SAID, message_id="m-1")
        items = await memory.items(limit=None)
        assert {item.id for item in items} == set(done.added)
        assert items
        facts = []
        for item in items:
            assert (item.source, item.message_id, item.scope.user) == ("extraction", "m-1", "ada")
            details = (item.content.metadata or {})["fact"]
            names = ("subject", "attribute", "value")
            fact = {name: details[name] for name in names}
            facts.append({**fact, "statement": str(item.content.content)})
            found = await memory.search(facts[-1]["statement"], limit=len(items))
            assert item.id in {one.item.id for one in found}
        # When a model finds the same facts again, they are confirmed, and no item is added.
        scripted = ScriptedModel([json.dumps({"facts": facts})])
        again = await FactExtractor(scripted, memory).extract(SAID, message_id="m-2")
        assert again.added == again.contradicted == []
        assert set(again.confirmed) == set(done.added)
        assert len(await memory.items(limit=None)) == len(items)
