"""Servers of statistics: sockets, readers that leave, and the end of the runtime."""

from __future__ import annotations

import asyncio
import json
import os
import socket
from pathlib import Path
from typing import Any

import pytest

from ferrogen import SingleThreadedAgentRuntime, StatsServer

from .function_agents import register, until

Runtime = SingleThreadedAgentRuntime


async def read(path: Path) -> dict[str, Any]:
    reader, writer = await asyncio.open_unix_connection(path)
    document = json.loads(await reader.read())
    writer.close()
    assert isinstance(document, dict)
    return document


async def test_each_connection_gets_the_present_statistics(
    runtime: Runtime, tmp_path: Path
) -> None:
    a = await register(runtime, "a")
    server = runtime.serve_stats(tmp_path / "s.sock")
    for number in range(3):
        document = await read(server.path)
        assert document["pid"] == os.getpid()
        assert document["stats"]["handled"] == number
        await runtime.send_message("x", a())


async def test_a_server_ends_with_its_runtime(tmp_path: Path) -> None:
    runtime = Runtime()
    async with runtime:
        server = runtime.serve_stats(tmp_path / "s.sock")
        assert server.path.is_socket()
    assert not server.path.exists()
    server.close()


async def test_a_server_that_is_closed_at_once_has_served_nothing(
    runtime: Runtime, tmp_path: Path
) -> None:
    async with runtime.serve_stats(tmp_path / "s.sock") as server:
        pass
    assert not server.path.exists()
    await asyncio.sleep(0)
    again = runtime.serve_stats(server.path)
    assert (await read(again.path))["stats"]["accepted"] == 0


async def test_readers_may_leave_or_not_read(runtime: Runtime, tmp_path: Path) -> None:
    for number in range(200):
        await register(runtime, f"a{number}")
    a = await register(runtime, "a")
    for number in range(200):
        await runtime.send_message("x", (await register(runtime, f"b{number}"))())
    server = runtime.serve_stats(tmp_path / "s.sock")
    readers = []
    for number in range(20):
        reader = socket.socket(socket.AF_UNIX)
        reader.setblocking(False)
        reader.connect(str(server.path))
        readers.append(reader)
        if number % 2:
            reader.close()
    await until(lambda: len(server._writers) >= 10)
    assert await runtime.send_message("x", a()) == "x"
    assert (await read(server.path))["stats"]["handled"] == 201
    server.close()
    await until(lambda: not server._writers)
    for reader in readers:
        reader.close()


async def test_a_path_that_is_in_use_is_refused(runtime: Runtime, tmp_path: Path) -> None:
    server = runtime.serve_stats(tmp_path / "s.sock")
    with pytest.raises(FileExistsError, match="another runtime serves its statistics here"):
        runtime.serve_stats(server.path)
    assert (await read(server.path))["stats"]["accepted"] == 0


async def test_a_file_that_is_not_a_socket_is_kept(runtime: Runtime, tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("mine")
    with pytest.raises(FileExistsError, match="not a socket"):
        runtime.serve_stats(path)
    assert path.read_text() == "mine"


async def test_a_path_that_is_too_long_is_refused(runtime: Runtime, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="at most 107 bytes"):
        runtime.serve_stats(tmp_path / ("x" * 120))


async def test_by_default_sockets_are_in_the_folder_of_the_user(
    runtime: Runtime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    one, two = runtime.serve_stats(), runtime.serve_stats()
    assert {one.path.parent, two.path.parent} == {tmp_path / "ferrogen"}
    assert one.path != two.path
    assert one.path.name.startswith(f"{os.getpid()}-")
    assert (tmp_path / "ferrogen").stat().st_mode & 0o777 == 0o700
    assert one.path.stat().st_mode & 0o777 == 0o600


async def test_a_start_succeeds_where_nothing_can_be_served(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("FERROGEN_STATS", str(tmp_path / "missing" / "s.sock"))
    runtime = Runtime()
    async with runtime:
        pass
    assert "the statistics of a runtime cannot be served (FERROGEN_STATS=" in caplog.text


async def test_a_runtime_that_is_started_again_serves_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "s.sock"
    monkeypatch.setenv("FERROGEN_STATS", str(path))
    runtime = Runtime()
    for _ in range(2):
        runtime.start()
        assert (await read(path))["stats"]["accepted"] == 0
        await runtime.stop()
        assert not path.exists()


def test_a_server_needs_a_running_event_loop(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="no running event loop"):
        StatsServer(dict, tmp_path / "s.sock")
