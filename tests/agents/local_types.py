"""Handlers whose annotations are strings that name local classes, and one that names nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ferrogen.agents.handlers import message_handler
from ferrogen.agents.routed import RoutedAgent

if TYPE_CHECKING:
    from ferrogen.messaging.message_context import MessageContext


def make_agent_class() -> tuple[type[RoutedAgent], list[type]]:
    """Define an agent class whose message types are local, in three ways."""

    class Outer:
        pass

    def define() -> tuple[type[RoutedAgent], list[type]]:
        class Middle:
            pass

        class LocalAgent(RoutedAgent):
            class Inner:
                pass

            @message_handler
            async def on_any(self, it: Inner | Middle | Outer, ctx: MessageContext) -> Outer | None:
                return None

        return LocalAgent, [LocalAgent.Inner, Middle, Outer]

    return define()


def define_with_a_caller_local_name() -> None:
    """Define a handler whose type is local to a caller that does not enclose it."""

    class Stranger:
        pass

    assert Stranger
    _define_elsewhere()


def _define_elsewhere() -> None:
    class Elsewhere(RoutedAgent):
        @message_handler
        async def on_stranger(self, message: Stranger, ctx: Any) -> None:  # noqa: F821
            pass
