"""Intervention handlers own the last word on a message before it is queued."""

from typing import Any, Protocol, final

from ferrogen._core import AgentId
from ferrogen._messaging.message_context import MessageContext

__all__ = ["DefaultInterventionHandler", "DropMessage", "InterventionHandler"]


@final
class DropMessage:
    """Returned by an intervention handler (the class itself) in place of a message to drop.

    Example:
        ```python
        from typing import Any

        from ferrogen import DefaultInterventionHandler, DropMessage


        class DropsDrafts(DefaultInterventionHandler):
            async def on_publish(self, message: Any, **how: Any) -> Any:
                return DropMessage if message.startswith("draft") else message
        ```
    """


class InterventionHandler(Protocol):
    """Sees every message and every answer on its way, and may change or drop it.

    Each method returns the message to go on with, or `DropMessage`. Returning None means "no
    change" and brings a warning, since it is most often a forgotten ``return``. With several
    handlers, each gets what the one before returned.

    Example:
        ```python
        from typing import Any

        from ferrogen import AgentId, DefaultInterventionHandler, DropMessage, MessageContext
        from ferrogen import SingleThreadedAgentRuntime


        class NoShouting(DefaultInterventionHandler):
            async def on_send(
                self, message: Any, *, message_context: MessageContext, recipient: AgentId
            ) -> Any | type[DropMessage]:
                if isinstance(message, str) and message.isupper():
                    return DropMessage
                return message


        runtime = SingleThreadedAgentRuntime(intervention_handlers=[NoShouting()])
        ```
    """

    async def on_send(
        self, message: Any, *, message_context: MessageContext, recipient: AgentId
    ) -> Any | type[DropMessage]:
        """See a message that is sent to one agent.

        Args:
            message: The message.
            message_context: Who sends it, and how.
            recipient: The agent it is sent to.

        Returns:
            The message to deliver, or `DropMessage`.
        """
        ...

    async def on_publish(
        self, message: Any, *, message_context: MessageContext
    ) -> Any | type[DropMessage]:
        """See a message that is published to a topic.

        Args:
            message: The message.
            message_context: Who publishes it, and to which topic.

        Returns:
            The message to deliver, or `DropMessage`.
        """
        ...

    async def on_response(
        self, message: Any, *, sender: AgentId, recipient: AgentId | None
    ) -> Any | type[DropMessage]:
        """See an answer on its way back.

        Args:
            message: The answer.
            sender: The agent that answers.
            recipient: The agent that waits for the answer, or None when it waits outside.

        Returns:
            The answer to hand over, or `DropMessage`.
        """
        ...


class DefaultInterventionHandler(InterventionHandler):
    """Lets everything pass. Subclass it and override what you want to see.

    Example:
        ```python
        from ferrogen import DefaultInterventionHandler, SingleThreadedAgentRuntime

        runtime = SingleThreadedAgentRuntime(intervention_handlers=[DefaultInterventionHandler()])
        ```
    """

    async def on_send(
        self, message: Any, *, message_context: MessageContext, recipient: AgentId
    ) -> Any | type[DropMessage]:
        """Let a sent message pass."""
        return message

    async def on_publish(
        self, message: Any, *, message_context: MessageContext
    ) -> Any | type[DropMessage]:
        """Let a published message pass."""
        return message

    async def on_response(
        self, message: Any, *, sender: AgentId, recipient: AgentId | None
    ) -> Any | type[DropMessage]:
        """Let an answer pass."""
        return message
