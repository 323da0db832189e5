"""Requests to all subscribers of a topic, and their outcomes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic, TypeVar

from ferrogen._core import AgentId, CancellationToken

__all__ = ["GatheredResponses", "check_limits", "gather_responses"]

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class GatheredResponses(Generic[T]):
    """The outcomes of `request_all`: each recipient is in exactly one of the three.

    Args:
        responses: The responses by agent, in the order of their arrival.
        failures: The errors of agents that failed, by agent, in the order of their arrival. A
            handler that was cancelled has an `asyncio.CancelledError`.
        missing: The agents that had neither responded nor failed when the call returned, in the
            order of their subscriptions.
        quorum: How many responses were asked for, or None for all.

    Example:
        ```python
        from ferrogen import AgentId, GatheredResponses

        votes = GatheredResponses(
            responses={AgentId("voter", "a"): True},
            failures={},
            missing=(AgentId("voter", "b"),),
            quorum=1,
        )
        assert votes.has_quorum
        assert not votes.is_complete
        ```
    """

    __module__ = "ferrogen"

    responses: Mapping[AgentId, T]
    failures: Mapping[AgentId, BaseException]
    missing: Sequence[AgentId]
    quorum: int | None = None

    @property
    def is_complete(self) -> bool:
        """Whether every recipient has responded."""
        return not self.failures and not self.missing

    @property
    def has_quorum(self) -> bool:
        """Whether as many agents have responded as were asked for; without a quorum, all."""
        return self.is_complete if self.quorum is None else len(self.responses) >= self.quorum


def check_limits(timeout: float | None, quorum: int | None) -> None:
    """Check the limits of a request to all subscribers.

    Raises:
        ValueError: One of them is out of range.
    """
    # Written so that NaN is rejected too.
    is_number = isinstance(timeout, (int, float)) and not isinstance(timeout, bool)
    if timeout is not None and not (is_number and timeout > 0):
        raise ValueError(
            "timeout must be a number of seconds greater than 0, or None for no limit; "
            f"got {timeout!r}"
        )
    if quorum is not None and (type(quorum) is not int or quorum < 1):
        raise ValueError(
            f"quorum must be a whole number of at least 1, or None for all; got {quorum!r}"
        )


async def gather_responses(
    send: Callable[[AgentId, CancellationToken], Awaitable[Any]],
    recipients: Sequence[AgentId],
    *,
    timeout: float | None,
    quorum: int | None,
    cancellation_token: CancellationToken | None,
    await_tasks: Callable[[list[asyncio.Task[Any]]], None],
) -> GatheredResponses[Any]:
    """Send a request to each agent, until enough have responded.

    Args:
        send: Sends the request to one agent, with a token, and returns the response.
        recipients: The agents, each once.
        timeout: After how many seconds to return the responses received so far.
        quorum: After how many responses to return.
        cancellation_token: Cancels the call, and all requests.
        await_tasks: Is called with the tasks that all have to end before the call returns.

    Raises:
        asyncio.CancelledError: The call or its token was cancelled; so are the requests.
    """
    requests = _Requests(len(recipients), quorum)
    if cancellation_token is not None:
        _ = cancellation_token.link_future(requests.enough)
    tasks: dict[asyncio.Task[Any], CancellationToken] = {}
    for agent_id in recipients:
        token = CancellationToken()
        task = asyncio.ensure_future(_awaited(send, agent_id, token))
        task.add_done_callback(partial(requests.ended, agent_id))
        tasks[task] = token
    if quorum is None:
        await_tasks(list(tasks))
    try:
        _ = await asyncio.wait({requests.enough}, timeout=timeout)
        if requests.enough.cancelled():
            raise asyncio.CancelledError
    finally:
        requests.close()
        for task, token in tasks.items():
            if not task.done():
                token.cancel()
                task.cancel()
    return GatheredResponses(
        responses=requests.responses,
        failures=requests.failures,
        missing=tuple(
            one
            for one in recipients
            if one not in requests.responses and one not in requests.failures
        ),
        quorum=quorum,
    )


class _Requests:
    """The requests of one call, until it returns."""

    def __init__(self, pending: int, quorum: int | None) -> None:
        self._pending = pending
        self._quorum = quorum
        self._is_open = True
        self.enough: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.responses: dict[AgentId, Any] = {}
        self.failures: dict[AgentId, BaseException] = {}

    def ended(self, agent_id: AgentId, task: asyncio.Task[Any]) -> None:
        """Enter the outcome of a request. What comes after the end of the call is ignored."""
        error = asyncio.CancelledError() if task.cancelled() else task.exception()
        if not self._is_open:
            return
        if error is None:
            self.responses[agent_id] = task.result()
        else:
            self.failures[agent_id] = error
        self._pending -= 1
        is_quorum = self._quorum is not None and len(self.responses) >= self._quorum
        if (is_quorum or not self._pending) and not self.enough.done():
            self.enough.set_result(None)

    def close(self) -> None:
        """Enter nothing from now on."""
        self._is_open = False
        self.enough.cancel()


async def _awaited(
    send: Callable[[AgentId, CancellationToken], Awaitable[Any]],
    agent_id: AgentId,
    token: CancellationToken,
) -> Any:
    return await send(agent_id, token)
