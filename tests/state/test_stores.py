"""State stores: in memory and in an SQLite file."""

from __future__ import annotations

import asyncio
import gc
import os
import sqlite3
import sys
import threading
from collections.abc import AsyncIterator
from math import nan
from pathlib import Path
from typing import Any

import pytest

from ferrogen import (
    AgentId,
    InMemoryStateStore,
    ListableStateStore,
    SqliteStateStore,
    StateStore,
)
from ferrogen.exceptions import FerrogenError, StateStoreError
from ferrogen.testing import run

A, B = AgentId("counter", "a"), AgentId("counter", "b")


@pytest.fixture(params=["memory", "sqlite"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Any]:
    if request.param == "memory":
        yield InMemoryStateStore()
    else:
        async with SqliteStateStore(tmp_path / "agents.sqlite") as store:
            yield store


async def test_it_keeps_the_state_that_was_saved_last(store: Any) -> None:
    assert isinstance(store, StateStore)
    assert isinstance(store, ListableStateStore)
    assert await store.load(A) is None
    await store.save(A, {"count": 1})
    await store.save(A, {"count": 2, "list": [1, {"deep": None}], "text": "ä\ud800\0'"})
    assert await store.load(A) == {"count": 2, "list": [1, {"deep": None}], "text": "ä\ud800\0'"}
    assert await store.load(B) is None
    await store.delete(A)
    await store.delete(B)
    assert await store.load(A) is None


async def test_states_are_copies(store: Any) -> None:
    state = {"list": [1]}
    await store.save(A, state)
    state["list"].append(2)
    loaded = await store.load(A)
    loaded["list"].append(3)
    assert await store.load(A) == {"list": [1]}


async def test_types_and_keys_are_not_confused(store: Any) -> None:
    ids = [AgentId(*one) for one in (("a", "b"), ("a", "B"), ("b", "a"), ("a.b", "c"), ("a", "ü"))]
    for number, agent_id in enumerate(ids):
        await store.save(agent_id, {"number": number})
    assert [(await store.load(one))["number"] for one in ids] == [0, 1, 2, 3, 4]
    found = [(one, state["number"]) async for one, state in store.items()]
    assert sorted(found, key=lambda one: one[1]) == list(zip(ids, range(5), strict=True))


async def test_all_states_are_listed_once(store: Any) -> None:
    for number in range(1234):
        await store.save(AgentId(f"type{number % 3}", str(number)), {"number": number})
    found = [state["number"] async for _, state in store.items()]
    assert sorted(found) == list(range(1234))


async def test_a_file_outlives_the_store(tmp_path: Path) -> None:
    path = tmp_path / "agents.sqlite"
    first = SqliteStateStore(path)
    assert first.path == str(path)
    await first.save(A, {"count": 1})
    await first.close()
    await first.close()
    assert await first.load(A) == {"count": 1}, "it is opened again"
    async with SqliteStateStore(str(path)) as second:
        assert await second.load(A) == {"count": 1}
        assert await first.load(A) == {"count": 1}
    await first.close()


async def test_it_is_in_wal_mode_and_others_can_read(tmp_path: Path) -> None:
    path = tmp_path / "agents.sqlite"
    async with SqliteStateStore(path) as store:
        await store.save(A, {"count": 1})
        connection = sqlite3.connect(path)
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        connection.close()


async def test_calls_at_the_same_time_keep_their_order(tmp_path: Path) -> None:
    async with SqliteStateStore(tmp_path / "agents.sqlite") as store:
        saves = (store.save(A, {"count": number}) for number in range(100))
        loads = (store.load(A) for _ in range(100))
        calls = [call for pair in zip(saves, loads, strict=True) for call in pair]
        results = await asyncio.gather(*calls)
        assert [state["count"] for state in results[1::2]] == list(range(100))


async def test_one_call_that_fails_does_not_fail_the_others(tmp_path: Path) -> None:
    async with SqliteStateStore(tmp_path / "agents.sqlite") as store:
        await store.save(A, {})
        connection = sqlite3.connect(store.path)
        connection.execute(
            "CREATE TRIGGER refuse BEFORE INSERT ON ferrogen_agent_states WHEN new.key = 'bad' "
            "BEGIN SELECT raise(ROLLBACK, 'refused'); END"
        )
        connection.close()
        bad = AgentId("counter", "bad")
        calls = [store.save(A, {"a": 1}), store.save(bad, {"x": 1}), store.save(B, {"b": 2})]
        results = await asyncio.gather(*calls, return_exceptions=True)
        assert [type(result) for result in results] == [type(None), StateStoreError, type(None)]
        assert (await store.load(A), await store.load(B)) == ({"a": 1}, {"b": 2})


@pytest.mark.parametrize("wrong", [{"x": object()}, {"x": {1, 2}}, {"x": b"bytes"}, {(1, 2): 3}])
async def test_what_json_cannot_hold_is_refused(tmp_path: Path, wrong: dict[Any, Any]) -> None:
    async with SqliteStateStore(tmp_path / "agents.sqlite") as store:
        with pytest.raises(TypeError):
            await store.save(A, wrong)
        assert await store.load(A) is None


async def test_numbers_that_json_does_not_have_are_kept(tmp_path: Path) -> None:
    async with SqliteStateStore(tmp_path / "agents.sqlite") as store:
        await store.save(A, {"nan": nan, "big": 10**40, "inf": -float("inf")})
        state = await store.load(A)
        assert state is not None
        assert str(state["nan"]) == "nan"
        assert (state["big"], state["inf"]) == (10**40, -float("inf"))


async def test_a_file_that_cannot_be_used_is_an_error_and_tried_again(tmp_path: Path) -> None:
    path = tmp_path / "missing" / "agents.sqlite"
    async with SqliteStateStore(path) as store:
        with pytest.raises(StateStoreError, match="cannot be used as a state store") as caught:
            await store.load(A)
        assert isinstance(caught.value, FerrogenError)
        assert isinstance(caught.value.__cause__, sqlite3.Error)
        path.parent.mkdir()
        await store.save(A, {"count": 1})
        assert await store.load(A) == {"count": 1}


@pytest.mark.parametrize("text", ["no json", "[1, 2]", "null"])
async def test_a_state_that_others_have_changed_is_an_error(tmp_path: Path, text: str) -> None:
    path = tmp_path / "agents.sqlite"
    async with SqliteStateStore(path) as store:
        await store.save(A, {"count": 1})
        connection = sqlite3.connect(path)
        connection.execute("UPDATE ferrogen_agent_states SET state = ?", (text,))
        connection.commit()
        connection.close()
        with pytest.raises(StateStoreError, match="counter/a that is not a JSON object") as caught:
            await store.load(A)
        assert caught.value.agent_id == A


async def test_a_cancelled_call_does_not_disturb_the_others(tmp_path: Path) -> None:
    async with SqliteStateStore(tmp_path / "agents.sqlite") as store:
        first = asyncio.ensure_future(store.save(A, {"count": 1}))
        second = asyncio.ensure_future(store.save(B, {"count": 2}))
        await asyncio.sleep(0)
        first.cancel()
        await second
        assert first.cancelled()
        assert await store.load(B) == {"count": 2}


def test_it_works_in_one_event_loop_after_the_other(tmp_path: Path) -> None:
    store = SqliteStateStore(tmp_path / "agents.sqlite")
    asyncio.run(store.save(A, {"count": 1}))
    assert asyncio.run(store.load(A)) == {"count": 1}
    assert run(store.load(A)) == {"count": 1}, "in simulated time"
    asyncio.run(store.close())


async def test_a_store_that_is_gone_leaves_no_thread(tmp_path: Path) -> None:
    def threads() -> list[threading.Thread]:
        return [one for one in threading.enumerate() if "state-store" in one.name]

    store = SqliteStateStore(tmp_path / "agents.sqlite")
    await store.save(A, {"count": 1})
    (thread,) = threads()
    del store
    gc.collect()
    thread.join(10)
    assert threads() == []


@pytest.mark.skipif(sys.platform == "win32", reason="there is no fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
async def test_a_child_process_opens_the_file_itself(tmp_path: Path) -> None:
    store = SqliteStateStore(tmp_path / "agents.sqlite")
    await store.save(A, {"count": 1})
    child = os.fork()
    if child == 0:
        code = 1
        try:
            loop = asyncio.SelectorEventLoop()
            state = _run_apart(loop, store)
            code = 0 if state == {"count": 1} else 2
        finally:
            os._exit(code)
    _, status = await asyncio.to_thread(os.waitpid, child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    await store.close()


def _run_apart(loop: asyncio.AbstractEventLoop, store: SqliteStateStore) -> Any:
    """Load a state in a thread, which has no event loop that runs."""
    results: list[Any] = []
    thread = threading.Thread(target=lambda: results.append(loop.run_until_complete(store.load(A))))
    thread.start()
    thread.join(10)
    return results[0]
