"""Supervision options: what the failure of an agent does to its runtime."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["Supervision"]


@dataclass(frozen=True, kw_only=True)
class Supervision:
    """What happens when an agent of a type fails.

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

    on_failure: Literal["resume", "escalate"] = "resume"
    """`"resume"`: the agent handles its next message. `"escalate"`: the runtime halts; it raises
    the error in its next `process_next`, `stop`, `stop_when_idle` or `stop_when`, even if it
    has `ignore_unhandled_exceptions=True`."""

    def __post_init__(self) -> None:
        if self.on_failure not in ("resume", "escalate"):
            raise ValueError(f'on_failure must be "resume" or "escalate"; got {self.on_failure!r}')
