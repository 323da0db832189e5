"""Facts are extracted by a model, merged with what is known, and contradictions are kept."""

from __future__ import annotations

import json
from datetime import datetime

import pytest

from ferrogen.exceptions import MemoryContentError, ModelError, ModelResponseError
from ferrogen.memory import FactExtractor, Scope, filters
from ferrogen.models import UserMessage
from ferrogen.testing import ScriptedModel

from .conftest import on_sql, text

SAID = [UserMessage(content="Tea, please!", source="Ada")]
PLAIN = {
    "vision": False,
    "function_calling": True,
    "json_output": False,
    "structured_output": False,
    "family": "unknown",
}


def fact(value, statement=None, subject="Ada", attribute="drink", **more):
    return {
        "subject": subject,
        "attribute": attribute,
        "value": value,
        "statement": statement or f"{subject} prefers {value}.",
        **more,
    }


def line(*facts):
    return json.dumps({"facts": facts})


async def extracted(memory, *lines, **arguments):
    extractor = FactExtractor(ScriptedModel(lines, **arguments), memory)
    return [await extractor.extract(SAID, message_id=f"m{n}") for n, _ in enumerate(lines)]


@on_sql
async def test_facts_become_items_with_provenance(open_memory):
    memory = open_memory(scope=Scope(user="ada"))
    found = line(fact("tea", importance=0.9), fact("Turin", attribute="city"))
    (done,) = await extracted(memory, found)
    assert (len(done.added), done.confirmed, done.contradicted) == (2, [], [])
    item = await memory.get(done.added[0])
    assert item.content.content == "Ada prefers tea."
    assert (item.source, item.message_id, item.importance) == ("extraction", "m0", 0.9)
    assert item.scope == Scope(user="ada")
    details = item.content.metadata["fact"]
    assert (details["subject"], details["attribute"], details["value"]) == ("Ada", "drink", "tea")
    city = filters.metadata("fact", "attribute").equals("city")
    assert [one.id for one in await memory.items(city)] == done.added[1:]


@on_sql
async def test_a_known_fact_is_confirmed(open_memory):
    memory = open_memory()
    first, second = await extracted(
        memory,
        line(fact("tea")),
        line(fact(" TEA", subject="ada", attribute="Drink", importance=0.8)),
    )
    assert (second.added, second.confirmed, second.contradicted) == ([], first.added, [])
    (item,) = await memory.items()
    details = item.content.metadata["fact"]
    assert datetime.fromisoformat(details["confirmed"]) > datetime.fromisoformat(details["since"])
    assert (item.importance, details["former"]) == (0.8, [])


@on_sql
async def test_a_contradiction_is_kept_with_its_dates(open_memory):
    memory = open_memory()
    first, second, third = await extracted(
        memory, line(fact("tea")), line(fact("coffee")), line(fact("cocoa"))
    )
    assert second.contradicted == third.contradicted == first.added
    (item,) = await memory.items()
    assert item.content.content == "Ada prefers cocoa."
    former = item.content.metadata["fact"]["former"]
    assert [one["value"] for one in former] == ["tea", "coffee"]
    assert former[0]["statement"] == "Ada prefers tea."
    times = [former[0]["since"], former[0]["until"], former[1]["until"]]
    assert sorted(times) == times
    assert former[0]["until"] == former[1]["since"]
    versions = await memory.history(item.id)
    assert [one.content.content for one in versions] == [
        "Ada prefers tea.",
        "Ada prefers coffee.",
        "Ada prefers cocoa.",
    ]
    assert versions[-1].message_id == "m2"


@on_sql
async def test_facts_of_other_users_are_neither_seen_nor_changed(open_memory):
    memory = open_memory()
    await extracted(memory.scoped(user="bob"), line(fact("coffee")))
    model = ScriptedModel([line(fact("tea"))])
    done = await FactExtractor(model, memory.scoped(user="ada")).extract(SAID)
    assert len(done.added) == 1
    assert "coffee" not in model.requests[0][-1].content
    assert len(await memory.items()) == 2


@on_sql
async def test_the_model_is_shown_what_is_known(open_memory):
    memory = open_memory()
    await memory.add(text("Ada told a joke about tea."))
    await extracted(memory, line(fact("tea")))
    model = ScriptedModel([line()])
    await FactExtractor(model, memory).extract(SAID)
    asked = model.requests[0][-1].content
    assert '{"subject": "Ada", "attribute": "drink", "value": "tea"}' in asked
    assert "joke" not in asked
    assert 'Ada: "Tea, please!"' in asked


@on_sql
async def test_a_model_without_structured_output_may_write_around_the_json(open_memory):
    around = f"Here you are:\n```json\n{line(fact('tea'))}\n```\n"
    (done,) = await extracted(open_memory(), around, model_info=PLAIN)
    assert len(done.added) == 1


@pytest.mark.parametrize(
    "response",
    [
        "no facts",
        "[]",
        '{"facts": [{"subject": "Ada"}]}',
        line(fact("")),
        line(fact("tea", importance=3)),
        ScriptedModel.call("cook"),
    ],
)
@on_sql
async def test_a_bad_response_is_a_typed_error_and_nothing_is_stored(open_memory, response):
    memory = open_memory()
    with pytest.raises(ModelResponseError):
        await extracted(memory, response)
    assert await memory.items() == []


@on_sql
async def test_a_failing_model_is_reported(open_memory):
    with pytest.raises(ModelError, match="down"):
        await extracted(open_memory(), ModelError("down"))


@on_sql
async def test_foreign_metadata_under_the_same_key_is_a_typed_error(open_memory):
    memory = open_memory()
    await memory.add(text("x", fact={"key": '["ada", "drink"]'}))
    with pytest.raises(MemoryContentError, match="metadata"):
        await extracted(memory, line(fact("Turin", attribute="city"), fact("tea")))
    assert len(await memory.items()) == 1


@on_sql
async def test_nothing_is_asked_about_nothing(open_memory):
    model = ScriptedModel([])
    assert (await FactExtractor(model, open_memory()).extract([])).added == []
    assert model.requests == []
