"""Approvals: calls that wait for a person, their ids and answers, kept in memory and in a file."""

import asyncio
import functools
import hashlib
import json
import os
import time
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from threading import RLock
from typing import Any, Literal
from uuid import uuid4

from pydantic import TypeAdapter

from ferrogen.tools.guarding.decisions import ToolCall
from ferrogen.tools.guarding.errors import ApprovalError

Status = Literal["pending", "approved", "denied", "used"]


@dataclass(frozen=True)
class Approval:
    """A call that a person has to approve, and the answer.

    Example:
        ```python
        from ferrogen.tools import Approval

        asked = Approval("pay-1", "", tool="pay", arguments={"amount": 5})
        assert asked.status == "pending"
        ```
    """

    __module__ = "ferrogen.tools"

    id: str
    key: str
    """A hash of all that identifies the call."""
    tool: str
    arguments: dict[str, Any]
    call_id: str | None = None
    caller: str | None = None
    conversation: str | None = None
    question: str = ""
    asked_at: float = 0.0
    """The time, in seconds since 1970."""
    status: Status = "pending"
    reason: str = ""
    """Why it was denied."""


@dataclass(frozen=True)
class _State:
    approvals: list[Approval]
    asked: dict[str, int]


class Approvals:
    """The approvals of a guard.

    Args:
        guard: The name of the guard, a part of the ids.
        path: A file to which each change is appended as a line of JSON, and from which approvals
            are loaded; by default they are only in memory.
    """

    def __init__(self, guard: str, path: Path | None = None) -> None:
        self._guard = guard
        self._path = path
        self._lock = RLock()
        self._approvals: dict[str, Approval] = {}
        # How often each call was asked about. It makes the ids of repeated calls distinct.
        self._asked: dict[str, int] = {}
        self._in_use: set[str] = set()
        self._waiters: dict[str, list[tuple[asyncio.AbstractEventLoop, asyncio.Future[None]]]] = {}
        if path is not None and path.exists():
            self._read(path)

    def _read(self, path: Path) -> None:
        written = path.read_bytes()
        complete = written.rfind(b"\n") + 1
        if complete < len(written):  # a crash left a part of a line
            os.truncate(path, complete)
        for line in written[:complete].splitlines():
            self._take(json.loads(line))

    def pending(self) -> list[Approval]:
        """Return copies of the approvals that are not answered, in the order of the calls."""
        with self._lock:
            found = [each for each in self._approvals.values() if each.status == "pending"]
        return [deepcopy(each) for each in found]

    def get(self, approval_id: str) -> Approval:
        """Return a copy of an approval.

        Raises:
            ApprovalError: There is none with this id.
        """
        with self._lock:
            return deepcopy(self._known(approval_id))

    def answer(self, approval_id: str, status: Status, reason: str = "") -> None:
        """Answer an approval, from any thread. The same answer twice is one.

        Raises:
            ApprovalError: There is none with this id, or it has another answer.
        """
        with self._lock:
            known = self._known(approval_id)
            if known.status == status or (known.status == "used" and status == "approved"):
                return
            if known.status != "pending":
                raise ApprovalError(f"the approval {approval_id} is answered: {known.status}")
            self._note(replace(known, status=status, reason=reason))
            waiters = self._waiters.pop(approval_id, [])
        for loop, future in waiters:
            if not loop.is_closed():
                loop.call_soon_threadsafe(_wake, future)

    def open(self, call: ToolCall, question: str) -> Approval:
        """Find the approval of a call, or create it. It is in use until `release`."""
        with self._lock:
            known = self._of(call)
            if known is None:
                known = self._ask(call, question)
            self._in_use.add(known.id)
            return known

    def use(self, approval_id: str) -> bool:
        """Use up an approval that was granted; false if it is not granted any more."""
        with self._lock:
            known = self._approvals[approval_id]
            if known.status != "approved":
                return False
            self._note(replace(known, status="used"))
            return True

    def forget_denial(self, approval_id: str) -> None:
        """Forget the denial of a call without an id: its repetition is a call of its own."""
        with self._lock:
            known = self._approvals[approval_id]
            if known.call_id is None:
                self._note(replace(known, status="used"))

    def release(self, approval_id: str) -> None:
        """Note that no running call uses an approval any more."""
        with self._lock:
            self._in_use.discard(approval_id)

    def waiter(self, approval_id: str) -> "asyncio.Future[None]":
        """Return a future of the running event loop that is done when there is an answer."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()
        with self._lock:
            if self._approvals[approval_id].status == "pending":
                self._waiters.setdefault(approval_id, []).append((loop, future))
            else:
                future.set_result(None)
        return future

    def save(self) -> dict[str, Any]:
        """Return all approvals in a form that JSON can hold."""
        with self._lock:
            state = _State(list(self._approvals.values()), self._asked)
            return asdict(state)

    def load(self, state: Mapping[str, Any]) -> None:
        """Replace the approvals by saved ones.

        Raises:
            pydantic.ValidationError: It is not a saved state.
        """
        loaded = _adapter(_State).validate_python(state)
        with self._lock:
            self._approvals = {}
            self._asked = dict(loaded.asked)
            for approval in loaded.approvals:
                self._note(approval)

    def _known(self, approval_id: str) -> Approval:
        known = self._approvals.get(approval_id)
        if known is None:
            raise ApprovalError(f"the guard {self._guard!r} has no approval {approval_id!r}")
        return known

    def _of(self, call: ToolCall) -> Approval | None:
        key = _key(call)
        found = None
        for known in self._approvals.values():
            # A call can be repeated with the id of the approval as its id.
            is_named = known.id == call.call_id and known.key == _key(call, known)
            if (known.key != key and not is_named) or known.id in self._in_use:
                continue
            if known.status == "used" or (call.call_id is None and known.status == "pending"):
                continue  # without an id, two calls cannot be told from one that is repeated
            found = found or known
        return found

    def _ask(self, call: ToolCall, question: str) -> Approval:
        key = _key(call)
        number = self._asked[key] = self._asked.get(key, 0) + 1
        unique = uuid4().hex if call.call_id is None else f"{self._guard} {key} {number}"
        digest = hashlib.sha256(unique.encode()).hexdigest()[:20]
        asked = Approval(
            id=f"{call.tool}-{digest}",
            key=key,
            tool=call.tool,
            arguments=dict(call.arguments),
            call_id=call.call_id,
            caller=None if call.caller is None else str(call.caller),
            conversation=call.conversation,
            question=question,
            asked_at=time.time(),
        )
        self._note(asked)
        return asked

    def _note(self, approval: Approval) -> None:
        self._approvals[approval.id] = approval
        if self._path is not None:
            line = {**asdict(approval), "number": self._asked.get(approval.key, 1)}
            with self._path.open("ab") as file:
                file.write(json.dumps(line).encode() + b"\n")

    def _take(self, line: dict[str, Any]) -> None:
        number = line.pop("number")
        approval = _adapter(Approval).validate_python(line)
        self._approvals[approval.id] = approval
        self._asked[approval.key] = max(self._asked.get(approval.key, 0), number)


@functools.cache
def _adapter(kind: type[Any]) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


def _key(call: ToolCall, like: Approval | None = None) -> str:
    """Hash what identifies a call; as if it came from the same place as another one."""
    if like is None:
        place = [call.call_id, None if call.caller is None else str(call.caller), call.conversation]
    else:
        place = [like.call_id, like.caller, like.conversation]
    text = json.dumps([call.tool, call.arguments, *place], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _wake(future: "asyncio.Future[None]") -> None:
    if not future.done():
        future.set_result(None)
