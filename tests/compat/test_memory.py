"""Memories: the same contents, the same words to the model, the same configs."""

import autogen_core
import pytest

import ferrogen

from .harness import same, submodule

CONTENTS = [
    {"content": "likes tea", "mime_type": "text/plain"},
    {"content": "*dislikes* rain", "mime_type": "text/markdown", "metadata": {"source": "talk"}},
    {"content": {"lives_in": "Turin"}, "mime_type": "application/json"},
    {"content": b"raw", "mime_type": "application/octet-stream", "metadata": {}},
    {"content": "of a kind of its own", "mime_type": "text/x-own"},
]


def contents(core):
    return [submodule(core, "memory").MemoryContent(**content) for content in CONTENTS]


def lines(result):
    return [content.model_dump_json() for content in result.results]


def test_a_list_memory_returns_all_its_content_for_each_query():
    async def scenario(core, record):
        memory = submodule(core, "memory").ListMemory()
        context = submodule(core, "model_context").UnboundedChatCompletionContext()
        nothing = await memory.update_context(context)
        record("nothing", lines(nothing.memories), await context.get_messages())
        for content in contents(core):
            await memory.add(content)
        for _turn in range(2):
            update = await memory.update_context(context)
            record("added", lines(update.memories))
        record([message.model_dump() for message in await context.get_messages()])
        for query in ("tea", "", contents(core)[0]):
            found = await memory.query(query, core.CancellationToken(), limit=1)
            record("found", lines(found))
        await memory.clear()
        record("cleared", lines(await memory.query()))
        await memory.close()

    same(scenario)


def test_the_lists_that_come_in_and_go_out_are_whose_they_were():
    async def scenario(core, record):
        given = contents(core)
        memory = submodule(core, "memory").ListMemory("tastes", given)
        record(memory.name, memory.content is given)
        found = await memory.query()
        record("found", found.results is given, found.results[0] is given[0])
        found.results.clear()
        await memory.add(given[0])
        record("given", len(given), len(memory.content))
        memory.content = given[:1]
        record("replaced", lines(await memory.query()))
        await memory.clear()
        record("cleared", len(given), memory.content)

    same(scenario)


def test_a_memory_of_ones_own_is_used_by_its_interface():
    async def scenario(core, record):
        module = submodule(core, "memory")
        record.call("abstract", module.Memory)
        record(sorted(module.Memory.__abstractmethods__), module.Memory.component_type)

        class Filtering(module.ListMemory):
            async def query(self, query="", cancellation_token=None, **kwargs):
                return module.MemoryQueryResult(
                    results=[one for one in self.content if query in str(one.content)]
                )

        memory = Filtering(memory_contents=contents(core))
        record(lines(await memory.query("tea")))
        context = submodule(core, "model_context").UnboundedChatCompletionContext()
        record(lines((await memory.update_context(context)).memories))

    same(scenario)


def test_what_is_no_content_is_refused_at_the_same_places():
    async def scenario(core, record):
        module = submodule(core, "memory")
        for fields in (
            {},
            {"content": "x"},
            {"content": "x", "mime_type": 1},
            {"content": "x", "mime_type": "text/plain", "metadata": [1]},
        ):
            with pytest.raises(ValueError, match="MemoryContent") as caught:
                module.MemoryContent(**fields)
            record({error["loc"][0] for error in caught.value.errors()})

    same(scenario)


def test_kinds_of_content_look_alike():
    async def scenario(core, record):
        kinds = submodule(core, "memory").MemoryMimeType
        for kind in kinds:
            record(str(kind), repr(kind), f"{kind}", f"{kind:>30}", isinstance(kind, str))
            record(kinds(kind.value) is kind, kinds[kind.name] is kind, {kind: 1}[kind])
            made = submodule(core, "memory").MemoryContent(content="x", mime_type=kind)
            record(type(made.mime_type).__name__, made.model_dump(), made.model_dump_json())
            record(repr(made))

    same(scenario)


@pytest.mark.parametrize(("writer", "reader"), [(autogen_core, ferrogen), (ferrogen, autogen_core)])
def test_a_dumped_memory_loads_in_the_other_package(writer, reader):
    written = submodule(writer, "memory").ListMemory("tastes", contents(writer)).dump_component()
    model = reader.ComponentModel.model_validate_json(written.model_dump_json())
    memory = submodule(reader, "memory").Memory.load_component(model)
    assert isinstance(memory, submodule(reader, "memory").ListMemory)
    assert memory.name == "tastes"
    again = memory.dump_component().model_dump(exclude={"description"}, mode="json")
    assert again == written.model_dump(exclude={"description"}, mode="json")
