"""``ferrogen top`` reads the statistics of running processes from their sockets."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import CompletedProcess

import pytest

Call = Callable[..., CompletedProcess[str]]

# It says that it is ready, and runs until its input ends.
PROGRAM = """
import asyncio
import sys
from dataclasses import dataclass

from autogen_core import AgentId, RoutedAgent, SingleThreadedAgentRuntime, message_handler


@dataclass
class Order: ...


class Clerk(RoutedAgent):
    @message_handler
    async def take(self, message: Order, ctx: object) -> None:
        pass


async def main():
    runtimes = [SingleThreadedAgentRuntime() for _ in range(int(sys.argv[1]))]
    for runtime in runtimes:
        await Clerk.register(runtime, "clerk", lambda: Clerk("takes orders"))
        runtime.start()
        for _ in range(3):
            await runtime.send_message(Order(), AgentId("clerk", "shop"))
    print("ready", flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    for runtime in runtimes:
        await runtime.stop()
    print("stopped", flush=True)
    sys.stdin.close()


asyncio.run(main())
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder for the sockets of this user."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    return tmp_path / "ferrogen"


@contextmanager
def program(where: str = "1", runtimes: int = 1) -> Iterator[subprocess.Popen[str]]:
    source = "import ferrogen; ferrogen.install()\n" + PROGRAM
    command = [sys.executable, "-c", source, str(runtimes)]
    with subprocess.Popen(
        command,
        env={**os.environ, "FERROGEN_STATS": where},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == "ready\n"
        try:
            yield running
        finally:
            running.kill()


def test_it_shows_a_table_of_a_process(fork: Call, folder: Path) -> None:
    with program() as running:
        ended = fork("top", str(running.pid), "--once")
    assert ended.returncode == 0, ended.stderr
    lines = [line.split() for line in ended.stdout.splitlines() if line.strip()]
    assert f"process {running.pid}, runtime 1" in ended.stdout
    rows = {line[0]: line[1:6] for line in lines}
    assert rows["clerk"] == rows["all"] == ["-", "-", "3", "-", "-"]


def test_it_prints_json_of_all_processes(fork: Call, folder: Path) -> None:
    with program() as one, program(runtimes=2) as two:
        ended = fork("top", "--json")
        own = fork("top", str(two.pid), "--json")
    found = json.loads(ended.stdout)["runtimes"]
    assert sorted((each["pid"], each["runtime"]) for each in found) == sorted(
        [(one.pid, 1), (two.pid, 1), (two.pid, 2)]
    )
    assert {each["stats"]["agent_types"]["clerk"]["handled"] for each in found} == {3}
    assert [each["pid"] for each in json.loads(own.stdout)["runtimes"]] == [two.pid] * 2


def test_the_socket_has_a_given_path_and_is_removed_when_the_runtime_stops(
    fork: Call, folder: Path, tmp_path: Path
) -> None:
    path = tmp_path / "stats.sock"
    with program(str(path), runtimes=2) as running:
        other = path.with_name("stats.sock.2")
        assert [one.stat().st_mode & 0o777 for one in (path, other)] == [0o600, 0o600]
        for one in (path, other):
            assert fork("top", str(one), "--json").returncode == 0
        out, _ = running.communicate("")
        assert out == "stopped\n"
        assert not path.exists()
        assert not other.exists()
    assert not folder.exists()


def test_the_socket_of_a_killed_process_is_replaced(
    fork: Call, folder: Path, tmp_path: Path
) -> None:
    path = tmp_path / "stats.sock"
    with program(str(path)) as running:
        running.send_signal(signal.SIGKILL)
        running.wait()
    assert path.exists()
    ended = fork("top", str(path))
    assert (ended.returncode, ended.stdout) == (1, "")
    assert f"nothing listens at {path} (Connection refused)" in ended.stderr
    with program(str(path)) as again:
        found = json.loads(fork("top", str(path), "--json").stdout)["runtimes"]
        assert [one["pid"] for one in found] == [again.pid]


def test_sockets_of_killed_processes_are_skipped_in_the_list(fork: Call, folder: Path) -> None:
    with program() as killed:
        pass
    assert killed.returncode == -signal.SIGKILL
    assert list(folder.iterdir())
    ended = fork("top")
    assert ended.returncode == 1
    assert "no program serves any: start the program with FERROGEN_STATS=1" in ended.stderr


@pytest.mark.parametrize("target", ["4194304", "nowhere.sock"])
def test_without_a_server_it_says_what_to_do(fork: Call, folder: Path, target: str) -> None:
    ended = fork("top", target)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr.startswith("ferrogen top: ")
    assert "Traceback" not in ended.stderr


def test_a_socket_of_another_program_is_refused(fork: Call, tmp_path: Path) -> None:
    path = tmp_path / "other.sock"
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        listening.listen()
        with subprocess.Popen(
            [sys.executable, "-m", "ferrogen", "top", str(path)],
            stderr=subprocess.PIPE,
            text=True,
        ) as ended:
            connection, _ = listening.accept()
            connection.sendall(b"[]\n")
            connection.close()
            _, errors = ended.communicate()
    assert ended.returncode == 1
    assert "it does not send statistics of Ferrogen" in errors


def test_a_folder_that_others_may_enter_is_refused(fork: Call, folder: Path) -> None:
    folder.mkdir(mode=0o755)
    folder.chmod(0o755)
    ended = fork("top")
    assert ended.returncode == 1
    assert "it must be a folder of this user, closed to others" in ended.stderr
