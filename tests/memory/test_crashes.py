"""Nothing that was acknowledged is lost when a process is killed, and others read meanwhile."""

from __future__ import annotations

import asyncio
import sqlite3
import subprocess
from pathlib import Path

import pytest

from ferrogen.exceptions import MemoryBusyError
from ferrogen.memory import HashingEmbedder, SqliteMemory

from ..random_examples import IN_SOAK
from .conftest import text

WRITER = """
import asyncio, sys
from ferrogen.memory import HashingEmbedder, MemoryContent, NewItem, SqliteMemory

async def main(path, start):
    memory = SqliteMemory(path, embedder=HashingEmbedder(16))
    number = start
    while True:
        items = [
            NewItem(content=MemoryContent(content=f"tea {n}", mime_type="text/plain"), id=str(n))
            for n in range(number, number + 3)
        ]
        ids = await memory.add_many(items)
        if number % 2:
            await memory.update(ids[0], metadata={"changed": True})
        print(*ids, flush=True)
        number += 3

asyncio.run(main(sys.argv[1], int(sys.argv[2])))
"""


@pytest.mark.soak
def test_every_acknowledged_item_survives_kill_9(tmp_path: Path, forking_python: str):
    path, acknowledged = tmp_path / "memory.sqlite", set[str]()
    for round_number in range(8 if IN_SOAK else 3):
        command = [forking_python, "-c", WRITER, str(path), str(round_number * 100_000)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
            # Killed while it works, at another place in each round.
            for _ in range(1 + 5 * round_number):
                acknowledged.update(writer.stdout.readline().split())
            writer.kill()
            complete, _, _ = writer.stdout.read().rpartition("\n")
            acknowledged.update(complete.split())
        asyncio.run(check(path, acknowledged))


async def check(path: Path, acknowledged: set[str]) -> None:
    memory = SqliteMemory(path, embedder=HashingEmbedder(16))
    items = await memory.items(limit=None)
    assert acknowledged <= {item.id for item in items}
    # A call is there as a whole or not at all, and index and vectors are those of the table.
    assert len(items) % 3 == 0
    found = await memory.search("tea", mode="text", limit=10_000)
    assert len(found) == len(items)
    near = await memory.search("tea", mode="vector", limit=10_000)
    assert len(near) == len(items)
    await memory.rebuild()
    await memory.close()
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    connection.close()


def test_commits_wait_for_the_disk(tmp_path: Path):
    memory = SqliteMemory(tmp_path / "memory.sqlite")

    async def main():
        await memory.add(text("tea"))
        return await memory._storage.database.write(
            lambda each: [
                each.execute(f"PRAGMA {name}").fetchone()[0]
                for name in ("journal_mode", "synchronous", "secure_delete")
            ]
        )

    assert asyncio.run(main()) == ["wal", 2, 1]
    asyncio.run(memory.close())


READER = """
import asyncio, sys
from ferrogen.memory import SqliteMemory

async def main(path):
    memory = SqliteMemory(path, busy_timeout=100)
    seen = 0
    while seen < 60:
        found = len(await memory.search("tea", limit=1000))
        assert found >= seen and found % 2 == 0, (found, seen)
        seen = found
    await memory.close()

asyncio.run(main(sys.argv[1]))
"""


def test_many_processes_read_while_one_writes(tmp_path: Path, forking_python: str):
    path = tmp_path / "memory.sqlite"

    async def write() -> None:
        memory = SqliteMemory(path, busy_timeout=100)
        await memory.add_many([text("tea"), text("tea")])
        readers = [
            await asyncio.create_subprocess_exec(
                forking_python, "-c", READER, str(path), stderr=asyncio.subprocess.PIPE
            )
            for _ in range(3)
        ]
        for _ in range(29):
            await memory.add_many([text("tea"), text("tea")])
        for reader in readers:
            _, errors = await reader.communicate()
            assert (reader.returncode, errors) == (0, b"")
        await memory.close()

    asyncio.run(write())


async def test_a_file_that_stays_locked_is_a_typed_error(open_memory, tmp_path):
    memory = open_memory(busy_timeout=0.05)
    await memory.add(text("tea"))
    other = sqlite3.connect(tmp_path / "memory.sqlite", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(MemoryBusyError, match=r"0\.05 seconds"):
        await memory.add(text("coffee"))
    assert len(await memory.items()) == 1
    other.execute("ROLLBACK")
    other.close()
    await memory.add(text("coffee"))
    assert len(await memory.items()) == 2


async def test_many_processes_create_the_same_file(tmp_path, forking_python):
    program = (
        "import asyncio, sys\n"
        "from ferrogen.memory import MemoryContent, SqliteMemory\n"
        "memory = SqliteMemory(sys.argv[1], busy_timeout=100)\n"
        "content = MemoryContent(content='tea', mime_type='text/plain')\n"
        "asyncio.run(memory.add(content))\n"
        "asyncio.run(memory.close())\n"
    )
    path = tmp_path / "memory.sqlite"
    processes = [
        await asyncio.create_subprocess_exec(forking_python, "-c", program, str(path))
        for _ in range(5)
    ]
    assert [await process.wait() for process in processes] == [0] * 5
    memory = SqliteMemory(path)
    assert len(await memory.items()) == 5
    await memory.close()


async def test_the_event_loop_runs_while_the_file_is_locked(open_memory, tmp_path):
    memory = open_memory(busy_timeout=20)
    await memory.add(text("tea"))
    other = sqlite3.connect(tmp_path / "memory.sqlite", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    adding = asyncio.ensure_future(memory.add(text("coffee")))
    for _ in range(100):
        await asyncio.sleep(0)
    assert not adding.done()
    assert len(await memory.items()) == 1  # reading goes on
    other.execute("COMMIT")
    other.close()
    await adding
