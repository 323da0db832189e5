"""The supervisor: decides what the failure of an agent does to its runtime."""

from __future__ import annotations

from collections.abc import Callable

from ferrogen._agents.option_checks import is_final
from ferrogen._agents.options import AgentOptions
from ferrogen._core import AgentId

__all__ = ["Supervisor", "is_supervised"]


class Supervisor:
    """Gets the failures of agents.

    Args:
        options: Returns the options of an agent type.
        halt: Halts the runtime with an error.
    """

    def __init__(
        self, options: Callable[[str], AgentOptions], halt: Callable[[BaseException], None]
    ) -> None:
        self._options = options
        self._halt = halt

    def failed(self, agent_id: AgentId, error: BaseException) -> None:
        """A handler has raised in its last attempt, or the agent could not be built."""
        if not is_final(error) and is_supervised(self._options(agent_id.type)):
            self._halt(error)


def is_supervised(options: AgentOptions) -> bool:
    """Whether failures of agents with these options have consequences."""
    supervision = options.supervision
    return supervision is not None and supervision.on_failure != "resume"
