"""Sandboxes of root and of an ordinary user: each has a process that runs what a test asks for."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import tempfile
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ferrogen import CancellationToken
from ferrogen.code_executor import CodeBlock, SandboxCodeExecutor
from ferrogen.exceptions import SandboxUnavailableError

from ..random_examples import IN_SOAK, number_of
from . import users

SERVER = Path(__file__).with_name("sandbox_server.py")
USERS = ("root", "ordinary") if os.geteuid() == 0 else ("ordinary",)
ISOLATIONS = ("bubblewrap", "landlock")
SECRET = "hunter2-of-the-host"


async def trial(isolation: str) -> None:
    async with SandboxCodeExecutor(isolation=isolation) as executor:
        await executor.execute_code_blocks([CodeBlock("exit", "sh")], CancellationToken())


@pytest.fixture(scope="session", autouse=True)
def isolations_work() -> None:
    """Skip the tests where code cannot be isolated, such as in a chroot; fail them in CI."""
    try:
        for isolation in ISOLATIONS:
            asyncio.run(trial(isolation))
    except SandboxUnavailableError as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(error))


class SandboxServer:
    """Runs code in sandboxes, as a user."""

    def __init__(self, user: str, isolation: str) -> None:
        self.user, self.isolation = user, isolation
        self.folder = Path(tempfile.mkdtemp(prefix="ferrogen-tests-"))
        self.folder.chmod(0o755)
        self.process = users.start(user, SERVER, self.folder, SANDBOX_SECRET=SECRET)

    def run(
        self,
        code: str,
        language: str = "python",
        *,
        inputs: dict[str, str] | None = None,
        cancel_on: str = "",
        blocks: list[tuple[str, str]] | None = None,
        **options: Any,
    ) -> dict[str, Any]:
        """Run code with the options of an executor; `MARKER` in it is a word of its own."""
        marker = uuid.uuid4().hex
        request = {
            "blocks": [
                [text.replace("MARKER", marker), name]
                for text, name in blocks or [(code, language)]
            ],
            "options": {"timeout": 60, "isolation": self.isolation, **options},
            "inputs": inputs or {},
            "cancel_on": cancel_on,
            "marker": marker,
        }
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        response: dict[str, Any] = json.loads(self.process.stdout.readline())
        assert "error" not in response, response["error"]
        return response

    def close(self) -> None:
        """End the process, and remove its folder."""
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                pipe.close()
        shutil.rmtree(self.folder, ignore_errors=True)


@pytest.fixture(scope="session")
def servers() -> Iterator[Callable[[str, str], SandboxServer]]:
    """Start a server for each user and isolation, once."""
    started: dict[tuple[str, str], SandboxServer] = {}

    def server(user: str, isolation: str) -> SandboxServer:
        key = (user, isolation)
        if key not in started:
            started[key] = SandboxServer(user, isolation)
        return started[key]

    yield server
    for one in started.values():
        one.close()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Attack both isolations: in a soak as each user, and else as one user each."""
    if "sandbox" not in metafunc.fixturenames:
        return
    pairs = [
        (user, isolation)
        for number, isolation in enumerate(ISOLATIONS, number_of(metafunc.function))
        for user in (USERS if IN_SOAK else [USERS[number % len(USERS)]])
    ]
    params = [pytest.param(pair, id="-".join(pair), marks=pytest.mark.soak) for pair in pairs]
    metafunc.parametrize("sandbox", params, indirect=True)


@pytest.fixture
def sandbox(request: pytest.FixtureRequest, servers: Any) -> SandboxServer:
    """A sandbox of a user, by an isolation."""
    server: SandboxServer = servers(*request.param)
    return server
