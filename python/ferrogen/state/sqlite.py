"""A state store in an SQLite file."""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any

from typing_extensions import Self

from ferrogen._core import AgentId
from ferrogen.exceptions import StateStoreError

from .worker import SqliteWorker

if TYPE_CHECKING:
    import sqlite3

__all__ = ["SqliteStateStore"]

_TABLE = """
CREATE TABLE IF NOT EXISTS ferrogen_agent_states (
    type TEXT NOT NULL, key TEXT NOT NULL, state TEXT NOT NULL, PRIMARY KEY (type, key)
) WITHOUT ROWID
"""
_LOAD = "SELECT state FROM ferrogen_agent_states WHERE type = ? AND key = ?"
_SAVE = "INSERT OR REPLACE INTO ferrogen_agent_states VALUES (?, ?, ?)"
_DELETE = "DELETE FROM ferrogen_agent_states WHERE type = ? AND key = ?"
_PAGE = """
SELECT type, key, state FROM ferrogen_agent_states WHERE (type, key) > (?, ?)
ORDER BY type, key LIMIT 500
"""


class SqliteStateStore:
    """A `StateStore` in an SQLite file, which outlives the process.

    States are written as JSON: what JSON cannot hold is an error, and tuples and numbers as keys
    come back as lists and strings. A thread of the store's own has the one connection, and writes
    the states that are saved together in one transaction. The file is in WAL mode, so that other
    processes can read it meanwhile. After `close` it opens the file again when it is next used.

    Args:
        path: The file; made if there is none.

    Example:
        ```python
        import asyncio
        from pathlib import Path
        from tempfile import TemporaryDirectory

        from ferrogen import AgentId, SqliteStateStore


        async def main() -> None:
            with TemporaryDirectory() as folder:
                path = Path(folder) / "agents.sqlite"
                ada = AgentId("counter", "ada")
                async with SqliteStateStore(path) as store:
                    await store.save(ada, {"count": 3})
                async with SqliteStateStore(path) as store:
                    assert await store.load(ada) == {"count": 3}


        asyncio.run(main())
        ```
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = os.fspath(path)
        self._worker = SqliteWorker(self._path, _TABLE)

    @property
    def path(self) -> str:
        """The file."""
        return self._path

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._path!r})"

    async def load(self, agent_id: AgentId) -> Mapping[str, Any] | None:
        """Return the state that was saved last, or None if there is none.

        Args:
            agent_id: The agent.

        Raises:
            StateStoreError: The file cannot be read, or the entry is not a JSON object.
        """
        address = (agent_id.type, agent_id.key)
        found = await self._worker.call(lambda one: one.execute(_LOAD, address).fetchone())
        return None if found is None else self._decode(agent_id, found[0])

    async def save(self, agent_id: AgentId, state: Mapping[str, Any]) -> None:
        """Write a state, in place of the one that was saved before.

        Args:
            agent_id: The agent.
            state: Its state.

        Raises:
            StateStoreError: The file cannot be written.
            TypeError: The state has a part that JSON does not have.
            ValueError: The state contains itself.
        """
        row = (agent_id.type, agent_id.key, json.dumps(dict(state), separators=(",", ":")))
        await self._worker.call(lambda one: one.execute(_SAVE, row).rowcount)

    async def delete(self, agent_id: AgentId) -> None:
        """Remove a state, if there is one.

        Args:
            agent_id: The agent.

        Raises:
            StateStoreError: The file cannot be written.
        """
        address = (agent_id.type, agent_id.key)
        await self._worker.call(lambda one: one.execute(_DELETE, address).rowcount)

    async def items(self) -> AsyncIterator[tuple[AgentId, Mapping[str, Any]]]:
        """Iterate over the agents that have a state, and their states, by type and key.

        Raises:
            StateStoreError: The file cannot be read, or an entry is not a JSON object.
        """
        last = ("", "")
        while page := await self._worker.call(_Page(last)):
            for agent_type, key, text in page:
                agent_id = AgentId(agent_type, key)
                yield agent_id, self._decode(agent_id, text)
            last = page[-1][:2]

    async def close(self) -> None:
        """Write all pending states, and close the file."""
        await self._worker.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    def _decode(self, agent_id: AgentId, text: str) -> dict[str, Any]:
        try:
            state = json.loads(text)
        except (TypeError, ValueError) as error:
            raise self._broken(agent_id, str(error)) from error
        if not isinstance(state, dict):
            raise self._broken(agent_id, f"it is {type(state).__name__}")
        return state

    def _broken(self, agent_id: AgentId, reason: str) -> StateStoreError:
        return StateStoreError(
            f"{self._path} has a state of agent {agent_id} that is not a JSON object: {reason}",
            agent_id=agent_id,
        )


class _Page:
    """Reads the next rows after an agent."""

    def __init__(self, last: tuple[str, str]) -> None:
        self._last = last

    def __call__(self, connection: sqlite3.Connection) -> list[tuple[str, str, str]]:
        return connection.execute(_PAGE, self._last).fetchall()
