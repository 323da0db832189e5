"""Introspection of a runtime: its agents, subscriptions, topology and statistics."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from ferrogen._core import AgentId
from ferrogen.messaging.subscription import Subscription
from ferrogen.runtime.introspection.stats import RuntimeStats, take_stats
from ferrogen.runtime.introspection.stats_server import StatsServer
from ferrogen.runtime.introspection.topology import Topology, describe
from ferrogen.runtime.protocols import Agent

if TYPE_CHECKING:
    from ferrogen._core import Engine, Routes
    from ferrogen.runtime.instances.agent_table import AgentTable
    from ferrogen.runtime.instances.passivation import Passivator
    from ferrogen.runtime.lifecycle.lifecycle import Lifecycle

__all__ = ["AgentInfo", "Introspection"]


@dataclass(frozen=True, kw_only=True)
class AgentInfo:
    """An agent of a runtime, and how busy it is.

    Example:
        ```python
        from ferrogen import AgentId, AgentInfo, BaseAgent

        info = AgentInfo(
            id=AgentId("clerk", "shop-7"), agent_class=None, state="building", queued=3, running=0
        )
        assert f"{info.id} is {info.state}, {info.queued} queued" == (
            "clerk/shop-7 is building, 3 queued"
        )
        ```
    """

    __module__ = "ferrogen"

    id: AgentId
    """The agent."""

    agent_class: type[Agent] | None
    """Its class. While it is being built: the class that its type was registered with, or None."""

    state: Literal["building", "ready", "passivating"]
    """Whether it can handle messages. While it is being built, or passivated (saved and closed),
    its messages are queued."""

    queued: int
    """How many messages are queued for it. Messages that the runtime has not routed yet are not
    counted here, but in `unprocessed_messages_count`."""

    running: int
    """How many of its handlers have begun and not ended; suspended ones are included."""


class Introspection:
    """The introspection methods of a runtime."""

    _engine: Engine
    _routes: Routes
    _agents: AgentTable
    _passivator: Passivator
    _lifecycle: Lifecycle

    def agents(self) -> tuple[AgentInfo, ...]:
        """Return the agents that exist, are being built or are being passivated, by type and key.

        Agents that were passivated, and those that no message has built yet, are not included.
        Not part of AutoGen's API.

        Returns:
            The agents, as they are at the moment of the call.
        """
        passivating = set(self._passivator.agents)
        found = [
            AgentInfo(
                id=agent_id,
                agent_class=(
                    self._agents.expected_class(agent_id.type) if agent is None else type(agent)
                ),
                state=(
                    "ready"
                    if agent is not None
                    else "passivating"
                    if agent_id in passivating
                    else "building"
                ),
                queued=queued,
                running=running,
            )
            for agent_id, agent, queued, running in self._engine.agents()
        ]
        return tuple(sorted(found, key=lambda info: (info.id.type, info.id.key)))

    def subscriptions(self) -> tuple[Subscription, ...]:
        """Return the subscriptions in their order, which is the order of delivery.

        Not part of AutoGen's API.
        """
        return tuple(self._routes.subscriptions)

    def topology(self) -> Topology:
        """Return which agent types there are, and the topics that they subscribe to.

        Messages that were sent are not part of it: to count them would cost each message. Not part
        of AutoGen's API.
        """
        return describe(self._agents, self._routes.subscriptions)

    def stats(self) -> RuntimeStats:
        """Return how many messages there were, how they ended, and how long they took.

        A snapshot of the whole runtime, and of each agent type. Not part of AutoGen's API.
        """
        return take_stats(self._engine)

    def serve_stats(self, path: str | os.PathLike[str] | None = None) -> StatsServer:
        """Serve the statistics over a Unix socket, until the runtime stops; see `ferrogen top`.

        Not part of AutoGen's API. The environment variable `FERROGEN_STATS` does it for each
        runtime that is started.

        Args:
            path: The path of the socket, to which only this user may connect. By default it is a
                new one, which `ferrogen top` finds by the id of the process.

        Returns:
            The server, which can be closed earlier; as a context manager, it closes itself.

        Raises:
            FileExistsError: Statistics are served there already, or there is another file.
            ValueError: The path is too long for a socket.
            OSError: No socket can be made there.
            RuntimeError: No event loop is running.
        """
        server = StatsServer(lambda: self.stats().to_dict(), path)
        self._lifecycle.stop_callbacks.append(server.close)
        return server
