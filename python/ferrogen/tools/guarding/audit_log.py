"""Audit logs: JSON lines that are chained by their hashes."""

import hashlib
import json
import os
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone
from fnmatch import fnmatchcase
from pathlib import Path
from secrets import token_hex
from threading import Lock
from types import TracebackType
from typing import Any

from typing_extensions import Self

from ferrogen.tools.guarding.audit_chain import (
    START,
    canonical,
    digest,
    hash_of,
    head_path,
    head_text,
    verify_audit_log,
)
from ferrogen.tools.guarding.decisions import ToolCall
from ferrogen.tools.guarding.errors import AuditError

REDACTED = "[redacted]"
HEAD_LENGTH = 255


class AuditLog:
    """A file with a record for each decision and each outcome of a guard.

    Each line is a JSON object, has the hash of the line before, and its own. `verify_audit_log`
    and ``ferrogen audit verify`` find changes. A file with the ending ``.head`` beside it has the
    number and the hash of the last record, so that a cut end is found.

    Arguments are hashed, with a salt, unless a rule says otherwise. One process at a time can write
    a log.

    Args:
        path: The file; a log that is there is continued.
        clear: Patterns of the names of tools whose arguments are written as they are.
        redact: Patterns of arguments whose values are never written, as tool and path:
            ``"login.password"``, ``"*.card.number"``, ``"order.items.*.price"``.
        key: A key for the hashes. Only a holder of the key can write records that verify.
        sync: Whether each record is written to the disk before the call goes on, so that it
            survives a loss of power.

    Raises:
        AuditError: Another process writes the log, or it is damaged.
        OSError: The file cannot be opened.

    Example:
        ```python
        import asyncio
        import json
        import tempfile
        from pathlib import Path

        from ferrogen.tools import AuditLog, Guard, tool


        @tool
        async def login(user: str, password: str) -> str:
            '''Log in.'''
            return "welcome"


        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "audit.jsonl"
            with AuditLog(path, clear=["login"], redact=["*.password"]) as log, Guard(audit=log):
                asyncio.run(login.run_json({"user": "ada", "password": "secret"}))
            records = [json.loads(line) for line in path.read_text().splitlines()]
            assert [each["event"] for each in records] == [
                "opened",
                "allowed",
                "returned",
                "closed",
            ]
            assert records[1]["arguments"] == {"user": "ada", "password": "[redacted]"}
        ```
    """

    __module__ = "ferrogen.tools"

    def __init__(
        self,
        path: str | Path,
        *,
        clear: Sequence[str] = (),
        redact: Sequence[str] = (),
        key: str | bytes | None = None,
        sync: bool = False,
    ) -> None:
        self._path = Path(path)
        self._clear, self._redact = tuple(clear), tuple(redact)
        self._key = key.encode() if isinstance(key, str) else key
        self._sync = sync
        self._lock = Lock()
        self._salt = token_hex(16)
        self._number, self._last = 0, START
        self._file = self._path.open("ab")
        self._head = -1
        # Of its own: tools that block the threads of the event loop must not delay records.
        self.writer = ThreadPoolExecutor(1, "ferrogen-audit")
        """The thread that writes for guards."""
        try:
            details = self._continue()
            self._head = os.open(head_path(self._path), os.O_RDWR | os.O_CREAT, 0o666)
            self._write_head()
            self.append("opened", version=1, salt=self._salt, **details)
        except BaseException:
            self._shut()
            raise

    @property
    def path(self) -> Path:
        """The file."""
        return self._path

    @property
    def head(self) -> str:
        """The hash of the last record; kept elsewhere, it proves that nothing was cut off."""
        return self._last

    def append(self, event: str, **details: Any) -> None:
        """Write a record, from any thread.

        Args:
            event: The kind of event.
            **details: Values that JSON can hold.

        Raises:
            AuditError: The log is closed, or the record cannot be written.
        """
        with self._lock:
            self._append(event, details)

    def arguments_of(self, call: ToolCall) -> Any:
        """Return the arguments of a call as they are written."""
        if not any(fnmatchcase(call.tool, pattern) for pattern in self._clear):
            salted = canonical([self._salt, dict(call.arguments)])
            return {"sha256": digest(salted, self._key)}
        return self._redacted(dict(call.arguments), call.tool)

    def close(self) -> None:
        """Write that the log is closed, and close it. Idempotent."""
        self.writer.shutdown()
        with self._lock:
            if not self._file.closed:
                self._append("closed", {})
                self._shut()

    def __enter__(self) -> Self:
        """Return the log."""
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_val: BaseException | None,
        exc_tb: TracebackType | None,
    ) -> None:
        """Close it."""
        self.close()

    def _write_head(self) -> None:
        """Write number and hash of the last record: in place, and of one length, so at once."""
        head = head_text(self._number, self._last, self._key).strip().ljust(HEAD_LENGTH)
        os.pwrite(self._head, f"{head}\n".encode(), 0)

    def _shut(self) -> None:
        self._file.close()
        if self._head >= 0:
            os.close(self._head)
            self._head = -1

    def _append(self, event: str, details: dict[str, Any]) -> None:
        if self._file.closed:
            raise AuditError(f"the audit log {self._path} is closed")
        now = datetime.fromtimestamp(time.time(), timezone.utc).isoformat()
        record: dict[str, Any] = {"number": self._number + 1, "time": now, "event": event}
        record.update({name: value for name, value in details.items() if value is not None})
        record["previous"] = self._last
        record["hash"] = hash_of(record, self._key)
        try:
            self._file.write(json.dumps(record, ensure_ascii=True).encode() + b"\n")
            self._file.flush()
            if self._sync:
                os.fsync(self._file.fileno())
            self._number, self._last = record["number"], record["hash"]
            self._write_head()
        except OSError as error:
            raise AuditError(f"the audit log {self._path} cannot be written: {error}") from error

    def _continue(self) -> dict[str, Any]:
        """Lock the file, and find the end of the chain; what a crash left behind is cut off."""
        import fcntl  # only Unix has it

        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise AuditError(
                f"the audit log {self._path} is being written by another log; use another file"
            ) from error
        written = self._path.read_bytes()
        complete = written.rfind(b"\n") + 1
        rest = written[complete:]
        details: dict[str, Any] = {}
        if rest:
            os.truncate(self._path, complete)
            details = {"dropped": len(rest), "dropped_sha256": hashlib.sha256(rest).hexdigest()}
        head = head_path(self._path)
        if not complete and not (head.exists() and head.stat().st_size):
            return details
        report = verify_audit_log(self._path, key=self._key)
        if report.faults:
            raise AuditError(
                f"the audit log {self._path} is damaged, and is not continued: {report.faults[0]};"
                " move it away, or give another file"
            )
        self._number, self._last = report.records, report.head
        return details

    def _redacted(self, value: Any, place: str) -> Any:
        if any(fnmatchcase(place, pattern) for pattern in self._redact):
            return REDACTED
        if isinstance(value, dict):
            return {name: self._redacted(each, f"{place}.{name}") for name, each in value.items()}
        if isinstance(value, list):
            return [self._redacted(each, f"{place}.{at}") for at, each in enumerate(value)]
        return value
