"""Intervention handlers, which can change or drop messages before they are queued."""

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
    """Intercepts every message and every response, and can change or drop it.

    Each method returns the message to deliver, or `DropMessage`. Returning None means "no
    change" and logs a warning, since it is most often a forgotten ``return``. With several
    handlers, each gets the result of the one before.

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
        """Intercept a message that is sent to one agent.

        Args:
            message: The message.
            message_context: Its context, with the sender.
            recipient: The agent it is sent to.

        Returns:
            The message to deliver, or `DropMessage`.
        """
        ...

    async def on_publish(
        self, message: Any, *, message_context: MessageContext
    ) -> Any | type[DropMessage]:
        """Intercept a message that is published to a topic.

        Args:
            message: The message.
            message_context: Its context, with the sender and the topic.

        Returns:
            The message to deliver, or `DropMessage`.
        """
        ...

    async def on_response(
        self, message: Any, *, sender: AgentId, recipient: AgentId | None
    ) -> Any | type[DropMessage]:
        """Intercept a response.

        Args:
            message: The response.
            sender: The agent that responds.
            recipient: The agent that awaits the response, or None outside any agent.

        Returns:
            The response to deliver, or `DropMessage`.
        """
        ...


class DefaultInterventionHandler(InterventionHandler):
    """Changes nothing. Subclass it, and override the methods you need.

    Example:
        ```python
        from ferrogen import DefaultInterventionHandler, SingleThreadedAgentRuntime

        runtime = SingleThreadedAgentRuntime(intervention_handlers=[DefaultInterventionHandler()])
        ```
    """

    async def on_send(
        self, message: Any, *, message_context: MessageContext, recipient: AgentId
    ) -> Any | type[DropMessage]:
        """Return the message unchanged."""
        return message

    async def on_publish(
        self, message: Any, *, message_context: MessageContext
    ) -> Any | type[DropMessage]:
        """Return the message unchanged."""
        return message

    async def on_response(
        self, message: Any, *, sender: AgentId, recipient: AgentId | None
    ) -> Any | type[DropMessage]:
        """Return the response unchanged."""
        return message
