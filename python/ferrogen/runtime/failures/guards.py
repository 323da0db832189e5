"""Guarded handlers: retries, circuit breakers and supervision, for types that have them.

The handlers of other types are called by the engine, which knows nothing of this.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from random import Random
from typing import Any, Protocol

from ferrogen._core import AgentId, CancellationToken
from ferrogen.agents.option_checks import is_final
from ferrogen.agents.options import AgentOptions
from ferrogen.agents.retry_policy import RetryPolicy
from ferrogen.exceptions import AgentStoppedError, AttemptTimeoutError, CircuitOpenError
from ferrogen.messaging.handler_context import (
    CHAIN_CONTEXT,
    HANDLER_ATTEMPT,
    MESSAGE_HANDLER_CONTEXT,
)
from ferrogen.messaging.message_context import MessageContext
from ferrogen.messaging.streams import has_parts
from ferrogen.runtime.entry_points import Invoke, entry_point_of, invoked_by
from ferrogen.runtime.failures.circuit import Circuit, CircuitBreakerState
from ferrogen.runtime.log import log
from ferrogen.runtime.protocols import Agent
from ferrogen.runtime.time_limit import TimeLimit
from ferrogen.telemetry.names import ROOT_LOGGER_NAME

__all__ = ["Failure", "Guards", "describe_attempt", "is_guarded", "note_attempts"]


_PREFIX = "earlier attempts: "
_MOST_CHARACTERS = 200


def describe_attempt(attempt: int, attempts: int, error: Exception) -> str:
    """Describe a failed attempt in one line. The error itself is not kept alive."""
    try:
        text = " ".join(str(error).split())
    except Exception:  # noqa: BLE001 - an error of the program, which may raise anything
        text = "its text cannot be read"
    if len(text) > _MOST_CHARACTERS:
        text = text[:_MOST_CHARACTERS] + "..."
    return f"attempt {attempt} of {attempts} failed with {type(error).__name__}: {text}"


def note_attempts(error: Exception, earlier: Sequence[str]) -> None:
    """Add a note about earlier attempts to an error, in place of such a note that it has.

    CPython 3.10 does not print notes; there they can be read as `__notes__`.
    """
    if earlier:
        notes = getattr(error, "__notes__", ())
        others = [one for one in notes if not str(one).startswith(_PREFIX)]
        setattr(error, "__notes__", [*others, _PREFIX + "; ".join(earlier)])  # noqa: B010


_logger = logging.getLogger(ROOT_LOGGER_NAME)


@dataclass(frozen=True)
class Failure:
    """A message that a guarded handler has not handled."""

    agent_id: AgentId
    message: Any
    context: MessageContext
    error: Exception
    attempts: int
    """How often the handler was called."""
    is_rejection: bool = False
    """Whether no handler was called, or none again: the circuit breaker is open, or the agent was
    stopped."""


class FailureListener(Protocol):
    """A listener to the handlers of supervised agents: the supervisor."""

    async def admit(self, agent_id: AgentId, agent: Agent) -> Agent:
        """Return the instance that handles a message."""
        ...

    def leave(self, agent_id: AgentId, instance: Agent) -> None:
        """Report that a handler has ended."""
        ...

    def failed(self, agent_id: AgentId, instance: Agent, error: BaseException) -> None:
        """Report that a handler has raised in its last attempt."""
        ...


class Guards:
    """Calls the handlers of agent types with retries, a circuit breaker or supervision.

    Args:
        options: Returns the options of an agent type.
        report: Is called with the failures of messages that were sent.
        supervisor: Gets the failures, and has the present instances of agents.
        random: The source of the jitter of delays.
    """

    def __init__(
        self,
        options: Callable[[str], AgentOptions],
        report: Callable[[Failure], None],
        supervisor: FailureListener,
        random: Random | None = None,
    ) -> None:
        self._options = options
        self._report = report
        self._supervisor = supervisor
        self._random = Random() if random is None else random
        self._circuits: dict[str, Circuit] = {}
        # The present instance of an agent may be another one than the engine's from then on.
        self._guarded: set[str] = set()
        # The failure of a published message. Its error reaches the engine, and from there the host,
        # before any other handler runs.
        self._failure: Failure | None = None
        self.count_retry: Callable[[str], None]
        """Counts a further attempt of a type, for the statistics."""
        self.note_rejection: Callable[[], None]
        """Counts the message of the handler that runs as dropped."""

    # Entry points.

    def guard(self, agent_type: str) -> Invoke | None:
        """Return the entry point of a type that has, or had, a guard."""
        if is_guarded(self._options(agent_type)):
            self._guarded.add(agent_type)
        return self._handle if agent_type in self._guarded else None

    def retrying(self, policy: Any) -> Invoke:
        """Return the entry point for a message that has a retry policy of its own.

        Raises:
            TypeError: It is not a `RetryPolicy`.
        """
        if not isinstance(policy, RetryPolicy):
            raise TypeError(f"retry must be a RetryPolicy, or None; got {policy!r}")
        return partial(self._handle, policy=policy)

    # Circuit breakers.

    def reset(self, agent_type: str, before: AgentOptions, options: AgentOptions) -> None:
        """Forget the state of a circuit breaker, if its options have changed."""
        if before.circuit_breaker != options.circuit_breaker:
            self._circuits.pop(agent_type, None)

    def state(self, agent_type: str) -> CircuitBreakerState:
        """Return the state of a circuit breaker.

        Raises:
            LookupError: The agent type has none.
        """
        circuit = self._circuit(agent_type, self._options(agent_type))
        if circuit is None:
            raise LookupError(
                f'agent type "{agent_type}" has no circuit breaker: give it one with '
                "AgentOptions(circuit_breaker=CircuitBreaker(...))"
            )
        return circuit.state(_now())

    def _circuit(self, agent_type: str, options: AgentOptions) -> Circuit | None:
        if options.circuit_breaker is None:
            return None
        circuit = self._circuits.get(agent_type)
        if circuit is None:
            circuit = self._circuits[agent_type] = Circuit(options.circuit_breaker)
        return circuit

    # Failures.

    def take_failure(self, error: BaseException) -> Failure | None:
        """Return the failure of a published message whose handler has just raised this error."""
        failure, self._failure = self._failure, None
        return failure if failure is not None and failure.error is error else None

    # Handling.

    async def _handle(
        self, agent: Agent, message: Any, ctx: MessageContext, *, policy: RetryPolicy | None = None
    ) -> Any:
        agent_id = MESSAGE_HANDLER_CONTEXT.get()
        options = self._options(agent_id.type)
        given = policy or options.retry
        policy, circuit = given or _ONCE, self._circuit(agent_id.type, options)
        failed: list[str] = []
        while True:
            try:
                instance = await self._supervisor.admit(agent_id, agent)
                try:
                    permit = _enter(circuit, agent_id, message)
                except BaseException:
                    self._supervisor.leave(agent_id, instance)
                    raise
            except (AgentStoppedError, CircuitOpenError) as error:
                note_attempts(error, failed)
                self.note_rejection()
                failure = Failure(agent_id, message, ctx, error, len(failed), True)
                self._fail(failure, given)
                raise
            attempt = len(failed) + 1
            if attempt > 1:
                HANDLER_ATTEMPT.set(attempt)
                self.count_retry(agent_id.type)
            try:
                with _limit(policy, agent_id, message, attempt):
                    invoke = invoked_by(entry_point_of(instance))
                    response = await invoke(instance, message, ctx)
            except BaseException as error:
                _report_to(circuit, permit, options, error)
                if not isinstance(error, Exception):
                    raise
                failed.append(describe_attempt(attempt, policy.attempts, error))
                is_open = circuit is not None and circuit.state(_now()).state == "open"
                may_retry = attempt < policy.attempts and policy.retries(error)
                if is_open or not may_retry or has_parts(agent_id, ctx):
                    note_attempts(error, failed[:-1])
                    self._supervisor.failed(agent_id, instance, error)
                    self._fail(Failure(agent_id, message, ctx, error, attempt), given)
                    raise
            else:
                if circuit is not None:
                    circuit.succeed(permit, _now())
                return response
            finally:
                self._supervisor.leave(agent_id, instance)
            # Outside of `except`, so that the error and its frames are freed.
            await self._pause(attempt, policy, agent_id, message, ctx.cancellation_token)
            chain = CHAIN_CONTEXT.get(None)
            if chain is not None and chain.is_cancelled:
                # By another runtime, which cannot cancel the handlers of this one.
                raise asyncio.CancelledError

    async def _pause(
        self,
        failures: int,
        policy: RetryPolicy,
        agent_id: AgentId,
        message: Any,
        token: CancellationToken,
    ) -> None:
        """Wait before the next attempt. Cancelling the message ends the wait."""
        delay = policy.delay_after(failures, self._random)
        log(
            _logger,
            logging.WARNING,
            "attempt %d of %d of %s to handle %s failed; the next one follows in %.3f s",
            failures,
            policy.attempts,
            agent_id,
            type(message).__name__,
            delay,
        )
        loop = asyncio.get_running_loop()
        over: asyncio.Future[None] = loop.create_future()
        timer = loop.call_later(delay, _set, over)
        try:
            _ = token.link_future(over)
            await over
        finally:
            timer.cancel()

    def _fail(self, failure: Failure, policy: RetryPolicy | None) -> None:
        if not failure.context.is_rpc:
            self._failure = failure
        elif failure.is_rejection or policy is not None:
            # Otherwise it is an error of the handler, as those of other types: for the sender only.
            self._report(failure)


def is_guarded(options: AgentOptions) -> bool:
    """Whether handlers of agents with these options are called through a guard."""
    supervision = options.supervision
    is_supervised = supervision is not None and supervision.on_failure != "resume"
    return is_supervised or options.retry is not None or options.circuit_breaker is not None


_ONCE = RetryPolicy(attempts=1)


def _now() -> float:
    return asyncio.get_running_loop().time()


def _set(over: asyncio.Future[None]) -> None:
    if not over.done():
        over.set_result(None)


def _limit(
    policy: RetryPolicy, agent_id: AgentId, message: Any, attempt: int
) -> AbstractContextManager[None]:
    seconds = policy.attempt_timeout
    if seconds is None:
        return nullcontext()
    error = AttemptTimeoutError(
        f"attempt {attempt} of {policy.attempts} of {agent_id} to handle "
        f"{type(message).__name__} took longer than {seconds} s (attempt_timeout)"
    )
    return TimeLimit(seconds, error)


def _enter(circuit: Circuit | None, agent_id: AgentId, message: Any) -> int:
    if circuit is None:
        return 0
    permit = circuit.enter(_now())
    if permit is None:
        raise _open_error(agent_id, message, circuit.state(_now()))
    return permit


def _report_to(
    circuit: Circuit | None, permit: int, options: AgentOptions, error: BaseException
) -> None:
    breaker = options.circuit_breaker
    if circuit is None or breaker is None:
        return
    if is_final(error) or not isinstance(error, breaker.failure_on):
        circuit.abandon(permit)
    else:
        circuit.fail(permit, _now())


def _open_error(agent_id: AgentId, message: Any, state: CircuitBreakerState) -> CircuitOpenError:
    again = (
        f"in {state.retry_after:.3f} s" if state.retry_after else "when the calls being tried end"
    )
    return CircuitOpenError(
        f'circuit breaker of agent type "{agent_id.type}" is {state.state} after '
        f"{state.failures} failed call(s); message {type(message).__name__} to {agent_id} was "
        f"rejected. It may be tried {again}",
        agent_type=agent_id.type,
        failures=state.failures,
        retry_after=state.retry_after,
    )
