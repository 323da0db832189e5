"""PostgresMemory: what it has of its own. Most of its tests run on other memories, too."""

from __future__ import annotations

import asyncio
import json
import subprocess
import threading

import pytest

from ferrogen.exceptions import (
    EmbedderMismatchError,
    MemoryBusyError,
    MemoryContentError,
    MemoryQueryError,
    MemoryStoreError,
)
from ferrogen.memory import (
    Embedder,
    HashingEmbedder,
    Memory,
    PostgresMemory,
    Quota,
    Scope,
    filters,
)

from .conftest import check_forked_child, on_postgres, schema_of, text
from .test_search import Angles, words_of
from .test_sqlite_memory import CONTENTS

psycopg = pytest.importorskip(
    "psycopg", reason="psycopg has no wheels for this Python", exc_type=ImportError
)

pytestmark = pytest.mark.parametrize("database", [on_postgres])


@pytest.fixture
def schema(request):
    return schema_of(request)


def executed(address, statement, *parameters):
    with psycopg.connect(address, autocommit=True) as connection:
        cursor = connection.execute(statement, parameters)
        return cursor.fetchall() if cursor.description else None


async def test_it_is_a_component_and_its_address_a_secret(
    postgres, schema, open_memory, monkeypatch
):
    memory = open_memory(
        embedder=HashingEmbedder(8), scope=Scope(user="ada"), quota=Quota(max_items=9), ttl=60
    )
    await memory.add(text("tea"))
    monkeypatch.setenv("MEMORY_DATABASE", postgres)
    config = json.loads(memory.dump_component().model_dump_json())
    assert postgres not in json.dumps(config)
    config["config"]["conninfo"] = {"$env": "MEMORY_DATABASE"}
    loaded = Memory.load_component(config)
    assert isinstance(loaded, PostgresMemory)
    assert words_of(await loaded.search("tea")) == ["tea"]
    assert json.loads(loaded.dump_component().model_dump_json()) == config
    await loaded.close()


async def test_items_move_to_sqlite_and_back(open_memory, database, tmp_path):
    from ferrogen.memory import SqliteMemory

    memory = open_memory(embedder=HashingEmbedder(8))
    await memory.add_many(CONTENTS)
    await memory.scoped(user="ada").add(text("日本語のお茶"), source="ada", text="茶 explicit")
    await memory.export(tmp_path / "items.jsonl", vectors=True)
    async with SqliteMemory(tmp_path / "memory.sqlite", embedder=HashingEmbedder(8)) as other:
        assert await other.import_items(tmp_path / "items.jsonl") == len(CONTENTS) + 1
        assert words_of(await other.search("茶", mode="text")) == ["日本語のお茶"]
        await other.export(tmp_path / "again.jsonl", vectors=True)
    assert (tmp_path / "again.jsonl").read_text() == (tmp_path / "items.jsonl").read_text()
    back = open_memory(path="back", embedder=HashingEmbedder(8))
    await back.import_items(tmp_path / "again.jsonl")
    assert await back.items() == await memory.items()


async def test_common_words_do_not_decide_unless_there_are_no_others(open_memory):
    memory = open_memory()
    await memory.add_many([text("the house and the garden of the king"), text("iron teas")])
    assert words_of(await memory.search("what is the tea of")) == ["iron teas"]
    assert words_of(await memory.search("of the")) == ["the house and the garden of the king"]


@pytest.mark.parametrize(
    "words",
    ["tea@example.org", "https://example.org/tea?x=1", "/usr/share/tea", "-1.5e3 tea", "tea_pot's"],
)
async def test_words_are_found_in_whatever_they_are_a_part_of(open_memory, words):
    memory = open_memory()
    await memory.add(text(words))
    assert len(await memory.search("Tea")) == 1
    assert len(await memory.search(words)) == 1


async def test_a_text_of_any_size_is_kept(open_memory):
    memory = open_memory()
    huge = " ".join(f"word{number}" for number in range(400_000))
    await memory.add(text(huge), id="x")
    assert (await memory.get("x")).content.content == huge
    assert len(await memory.search("word7")) == 1


async def test_vectors_of_other_lengths_are_a_typed_error(open_memory):
    class Same(Embedder):
        id = "same"

        def __init__(self, dimensions: int) -> None:
            self.dimensions = dimensions

        async def embed(self, texts, cancellation_token=None):
            return [[1.0] * self.dimensions for _ in texts]

    await open_memory(embedder=Same(2)).add(text("tea"))
    with pytest.raises(EmbedderMismatchError, match="length 3"):
        await open_memory(embedder=Same(3)).search("tea")
    with pytest.raises(MemoryContentError):
        await open_memory(embedder=Same(20_000)).add(text("coffee"))
    assert len(await open_memory().items()) == 1


# So that the planner uses an index however few rows there are.
WITH_INDEX = "&options=-c%20enable_sort%3Doff"


async def test_an_index_finds_what_filters_let_through(open_memory):
    memory = open_memory(embedder=HashingEmbedder(16), settings=WITH_INDEX)
    with pytest.raises(MemoryQueryError, match="add items"):
        await memory.create_vector_index()
    await memory.add_many([text(f"tea {number}", n=number) for number in range(400)])
    exact = await memory.search("tea 5", mode="vector", limit=5)
    await memory.create_vector_index()
    await memory.create_vector_index()
    await memory.vacuum()
    assert len(await memory.search("tea 5", mode="vector", limit=5)) == 5
    rare = filters.metadata("n").at_least(390)
    assert len(await memory.search("tea 5", mode="vector", limit=5, where=rare)) == 5
    await memory.drop_vector_index()
    again = await memory.search("tea 5", mode="vector", limit=5)
    assert [one.item.id for one in again] == [one.item.id for one in exact]
    with pytest.raises(MemoryQueryError):
        await open_memory().create_vector_index()


async def test_an_index_is_used(open_memory, postgres, schema):
    memory = open_memory(embedder=Angles(), settings=WITH_INDEX)
    await memory.add_many([text(f"tea {number}") for number in range(300)])
    await memory.create_vector_index()
    scanned = "SELECT sum(idx_scan) FROM pg_stat_user_indexes WHERE schemaname = %s"
    scanned += " AND indexrelname LIKE 'items_near_%%'"
    await memory.search("x 20", mode="vector", limit=3)
    await memory.close()  # a connection reports what it has counted when it has ended
    while not executed(postgres, scanned, schema)[0][0]:  # noqa: ASYNC110
        await asyncio.sleep(0.01)


def bytes_of(data, paths):
    return b"".join((data / path).read_bytes() for path in paths)


async def test_a_forgotten_user_is_not_in_the_files_of_the_table(open_memory, postgres, schema):
    from pathlib import Path

    memory = open_memory(embedder=HashingEmbedder(8))
    for number in range(20):
        words = text(f"Xylophone{number} quixotic", topic="Zanzibar")
        await memory.scoped(user="ada-lovelace").add(words, source="Wolverhampton")
        await memory.scoped(user="bob").add(text(f"tea {number}"))
    await memory.scoped(user="ada-lovelace").update(filters.SOURCE.exists(), importance=1.0)
    traces = [b"Xylophone", b"xylophon", b"quixot", b"Zanzibar", b"Wolverhampton", b"ada-lovelace"]

    def left():
        executed(postgres, "CHECKPOINT")
        ((data,),) = executed(postgres, "SELECT current_setting('data_directory')")
        found = executed(
            postgres,
            "SELECT pg_relation_filepath(c.oid) FROM pg_class c JOIN pg_namespace n "
            "ON n.oid = c.relnamespace WHERE n.nspname = %s AND pg_relation_filepath(c.oid) <> ''",
            schema,
        )
        content = bytes_of(Path(data), [path for (path,) in found])
        return [trace for trace in traces if trace in content]

    assert left() == traces
    assert await memory.forget(user="ada-lovelace") == 40
    assert left() == []
    assert len(await memory.search("tea", limit=50)) == 20
    assert (await memory.stats()).versions == 20


async def test_what_keeps_the_table_from_being_written_anew_is_reported(
    open_memory, postgres, schema
):
    memory = open_memory(busy_timeout=0.2)
    await memory.scoped(user="ada").add(text("tea"))
    with psycopg.connect(postgres) as reader:
        reader.execute(f"SELECT count(*) FROM {schema}.items")
        with pytest.raises(MemoryBusyError):
            await memory.forget(user="ada")
    assert await memory.items() == []
    await memory.vacuum()


async def test_writers_wait_for_each_other_and_readers_for_nobody(open_memory, postgres, schema):
    memory = open_memory(busy_timeout=0.2)
    await memory.add(text("tea"))
    with psycopg.connect(postgres) as other:
        other.execute(f"UPDATE {schema}.counters SET value = value + 1 WHERE name = 'changed'")
        with pytest.raises(MemoryBusyError):
            await memory.add(text("coffee"))
        assert words_of(await memory.search("tea")) == ["tea"]
        other.rollback()
    await memory.add(text("coffee"))
    assert len(await memory.items()) == 2


async def test_a_lost_connection_is_replaced(open_memory, postgres, schema):
    memory = open_memory()
    await memory.add(text("tea"))
    executed(
        postgres,
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() "
        "AND backend_type = 'client backend'",
    )
    assert len(await memory.items()) == 1


ADDER = """
import asyncio, sys
from ferrogen.memory import Deduplication, MemoryContent, PostgresMemory

def text(content):
    return MemoryContent(content=content, mime_type="text/plain")

async def main(address, schema, name):
    async with PostgresMemory(address, schema_name=schema, deduplication=Deduplication()) as memory:
        for number in range(10):
            await memory.add_many([text(f"tea {number}"), text(f"{name} {number}")])

asyncio.run(main(*sys.argv[1:]))
"""


def test_processes_that_begin_at_once_share_a_schema(database, postgres, schema, forking_python):
    processes = [
        subprocess.Popen([forking_python, "-c", ADDER, postgres, schema, name])
        for name in ("ada", "bob", "eve")
    ]
    assert [process.wait() for process in processes] == [0, 0, 0]
    memory = PostgresMemory(postgres, schema_name=schema)
    # Duplicates are found among what others have added meanwhile.
    assert len(asyncio.run(memory.items())) == 40
    asyncio.run(memory.close())


WRITER = """
import asyncio, sys
from ferrogen.memory import MemoryContent, NewItem, PostgresMemory

async def main(address, schema, start):
    memory = PostgresMemory(address, schema_name=schema)
    while True:
        items = [
            NewItem(content=MemoryContent(content=f"tea {n}", mime_type="text/plain"), id=str(n))
            for n in range(start, start + 3)
        ]
        print(*await memory.add_many(items), flush=True)
        start += 3

asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
"""


def test_every_acknowledged_item_survives_kill_9(database, postgres, schema, forking_python):
    acknowledged = set[str]()
    for start in (0, 100_000, 200_000):
        command = [forking_python, "-c", WRITER, postgres, schema, str(start)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
            for _ in range(5):
                acknowledged.update(writer.stdout.readline().split())
            writer.kill()
            complete, _, _ = writer.stdout.read().rpartition("\n")
            acknowledged.update(complete.split())

    async def main():
        async with PostgresMemory(postgres, schema_name=schema) as memory:
            items = await memory.items(limit=None)
            assert acknowledged <= {item.id for item in items}
            assert len(items) % 3 == 0

    asyncio.run(main())


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_child_opens_connections_of_its_own(database, postgres, schema):
    check_forked_child(PostgresMemory(postgres, schema_name=schema))


async def test_a_memory_that_was_not_closed_leaves_no_thread(database, postgres, schema):
    before = set(threading.enumerate())
    memory = PostgresMemory(postgres, schema_name=schema)
    await memory.add(text("Ada likes tea."))
    started = set(threading.enumerate()) - before
    assert started
    del memory
    for thread in started:
        thread.join(30)
        assert not thread.is_alive()


async def test_a_schema_of_another_program_or_version_is_refused(open_memory, postgres):
    executed(postgres, 'CREATE SCHEMA "of others"')
    executed(postgres, 'CREATE TABLE "of others".items (id TEXT)')
    with pytest.raises(MemoryStoreError, match="another program"):
        await open_memory(schema_name="of others").items()
    hostile = 'x"; DROP SCHEMA public; --'
    await open_memory(schema_name=hostile).add(text("tea"))
    executed(postgres, """UPDATE "x""; DROP SCHEMA public; --".counters SET value = 99""")
    with pytest.raises(MemoryStoreError, match="version 99"):
        await open_memory(schema_name=hostile).items()


async def test_a_role_without_rights_is_a_typed_error(open_memory, postgres, schema):
    await open_memory().add(text("tea"))
    executed(postgres, f"CREATE ROLE {schema} LOGIN")
    weak = PostgresMemory(f"{postgres}&user={schema}", schema_name=schema)
    with pytest.raises(MemoryStoreError, match="permission denied"):
        await weak.items()
    await weak.close()


@pytest.mark.parametrize(
    ("address", "arguments", "error"),
    [
        ("host=/nowhere connect_timeout=2", {}, MemoryStoreError),
        ("postgresql://ada:hidden@[", {}, MemoryStoreError),
        ("no address", {}, MemoryStoreError),
        ("", {"schema_name": ""}, MemoryContentError),
        ("", {"schema_name": "x" * 64}, MemoryContentError),
        ("", {"busy_timeout": -1}, MemoryContentError),
        ("", {"connections": 0}, MemoryContentError),
        ("", {"embedder_change": "mix"}, MemoryContentError),
    ],
)
async def test_bad_arguments_are_typed_errors(database, address, arguments, error):
    with pytest.raises(error) as raised:
        memory = PostgresMemory(address, **arguments)
        try:
            await memory.items()
        finally:
            await memory.close()
    assert "hidden" not in str(raised.value)
