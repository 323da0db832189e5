"""Supervision options: what follows the failure of an agent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ferrogen.agents.option_checks import check_count, check_number

__all__ = ["Supervision"]


@dataclass(frozen=True, kw_only=True)
class Supervision:
    """The consequence of a failure of an agent, an option of its type.

    An agent fails when its handler raises, in its last attempt, or when it cannot be built. Its
    sender gets the error in any case. Cancellation, `CantHandleException` and messages that a
    circuit breaker rejects are not failures.

    Example:
        ```python
        import asyncio
        from dataclasses import dataclass

        from ferrogen import (
            AgentId,
            MessageContext,
            RoutedAgent,
            SingleThreadedAgentRuntime,
            Supervision,
            agent_options,
            rpc,
        )


        @dataclass
        class Entry:
            amount: int


        @agent_options(supervision=Supervision(on_failure="escalate"))
        class Ledger(RoutedAgent):
            @rpc
            async def on_entry(self, entry: Entry, ctx: MessageContext) -> None:
                raise OSError("disk full")


        async def main() -> None:
            runtime = SingleThreadedAgentRuntime()
            await Ledger.register(runtime, "ledger", lambda: Ledger("keeps accounts"))
            runtime.start()
            errors = []
            try:
                await runtime.send_message(Entry(1), AgentId("ledger", "main"))
            except OSError as error:
                errors.append(error)
            try:
                await runtime.stop_when_idle()
            except OSError as error:
                errors.append(error)
            assert len(errors) == 2


        asyncio.run(main())
        ```

    Raises:
        ValueError: An option has an invalid value.
    """

    on_failure: Literal["resume", "restart", "stop", "escalate"] = "resume"
    """`"resume"`: the agent handles its next message.

    `"restart"`: a new instance from the factory takes its place; an agent that could not be built
    is built again. Messages wait meanwhile, and keep their order. Handlers that are running keep
    the instance that they have begun with, which is closed when they have ended.

    `"stop"`: the agent is closed when its handlers have ended. Senders get an `AgentStoppedError`,
    and messages that are queued or follow are dead letters.

    `"escalate"`: the runtime halts; it raises the error in its next `process_next`, `stop`,
    `stop_when_idle` or `stop_when`, even if it has `ignore_unhandled_exceptions=True`."""

    max_restarts: int = 3
    """How often an agent is restarted `within` some time. If it fails once more, it is stopped."""

    within: float = 60.0
    """For how many seconds a restart counts."""

    keep_state: bool = False
    """Whether a new instance gets the state of the one that has failed, by `save_state` and
    `load_state`."""

    def __post_init__(self) -> None:
        if self.on_failure not in ("resume", "restart", "stop", "escalate"):
            raise ValueError(
                'on_failure must be "resume", "restart", "stop" or "escalate"; '
                f"got {self.on_failure!r}"
            )
        check_count("max_restarts", self.max_restarts)
        text = "a number of seconds greater than 0"
        check_number("within", self.within, least=0, allowed=text)
        if type(self.keep_state) is not bool:
            raise ValueError(f"keep_state must be True or False; got {self.keep_state!r}")
        if self.on_failure == "restart":
            return
        for name, default in (("max_restarts", 3), ("within", 60.0), ("keep_state", False)):
            if getattr(self, name) != default:
                raise ValueError(
                    f'{name} needs on_failure="restart": agents are not restarted with '
                    f"on_failure={self.on_failure!r}; got {name}={getattr(self, name)!r}"
                )
