"""Intervention handlers, which can change or drop messages before they are queued."""

from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, final

from ferrogen._core import AgentId
from ferrogen.agents.option_checks import check_number
from ferrogen.messaging.message_context import MessageContext
from ferrogen.messaging.topic import TopicId

__all__ = [
    "DefaultInterventionHandler",
    "Delay",
    "DropMessage",
    "InterventionHandler",
    "Redirect",
    "Reject",
]


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


@final
@dataclass(frozen=True)
class Redirect:
    """Returned by an intervention handler to send a message or a response elsewhere.

    Who awaits a response gets that of the other agent, or None at once from a topic. A published
    message that is redirected to an agent is delivered to that agent only. The next intervention
    handlers see the message as it is then. Beware of redirecting a response to an agent whose own
    response is redirected again. A stopped runtime redirects no response: it becomes a dead letter,
    and who awaits that of an agent gets a `RuntimeStoppedError`.

    Args:
        to: The agent or the topic.
        message: The message to send there; None for the intercepted one.

    Raises:
        TypeError: `to` is neither an `AgentId` nor a `TopicId`.

    Example:
        ```python
        from typing import Any

        from ferrogen import AgentId, DefaultInterventionHandler, Redirect


        class SendsOrdersToTheNewShop(DefaultInterventionHandler):
            async def on_send(self, message: Any, *, recipient: AgentId, **how: Any) -> Any:
                if recipient.type == "shop":
                    return Redirect(AgentId("new-shop", recipient.key))
                return message
        ```
    """

    to: AgentId | TopicId
    message: Any = None

    def __post_init__(self) -> None:
        if not isinstance(self.to, (AgentId, TopicId)):
            raise TypeError(f"Redirect takes an AgentId or a TopicId, not {self.to!r}")


@final
@dataclass(frozen=True)
class Delay:
    """Returned by an intervention handler to deliver a message or a response later.

    The next intervention handlers see the message before the delay; delays add up. A stopped
    runtime does not delay responses.

    Args:
        seconds: How much later; at least 0.
        message: The message to deliver; None for the intercepted one.

    Raises:
        ValueError: `seconds` is not a finite number of at least 0.

    Example:
        ```python
        from typing import Any

        from ferrogen import DefaultInterventionHandler, Delay


        class SlowsDown(DefaultInterventionHandler):
            async def on_publish(self, message: Any, **how: Any) -> Any:
                return Delay(0.5)
        ```
    """

    seconds: float
    message: Any = None

    def __post_init__(self) -> None:
        check_number("seconds", self.seconds, least=0, allowed="a number of seconds of at least 0")


@final
@dataclass(frozen=True)
class Reject:
    """Returned by an intervention handler to drop a message or a response with an error.

    Who awaits a response gets the error; the message is a dead letter.

    Args:
        error: The error.

    Raises:
        TypeError: It is not an exception.

    Example:
        ```python
        from typing import Any

        from ferrogen import DefaultInterventionHandler, Reject


        class NeedsALogin(DefaultInterventionHandler):
            async def on_send(self, message: Any, **how: Any) -> Any:
                return message if message.user else Reject(PermissionError("log in first"))
        ```
    """

    error: Exception

    def __post_init__(self) -> None:
        if not isinstance(self.error, Exception):
            raise TypeError(f"Reject takes an exception, not {self.error!r}")


class InterventionHandler(Protocol):
    """Intercepts every message and every response, and can change or drop it.

    Each method returns the message to deliver, or `DropMessage`, `Redirect`, `Delay` or `Reject`.
    Returning None means "no change" and logs a warning, since it is most often a forgotten
    ``return``. With several handlers, each gets the result of the one before. They are called in
    their order, unless they have an attribute ``priority``, a whole number: those with a higher one
    are called earlier. It is read when a handler is added; without the attribute it is 0.

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
    ) -> Any | type[DropMessage] | Redirect | Delay | Reject:
        """Intercept a message that is sent to one agent.

        Args:
            message: The message.
            message_context: Its context, with the sender.
            recipient: The agent it is sent to.

        Returns:
            The message to deliver, or one of the outcomes above.
        """
        ...

    async def on_publish(
        self, message: Any, *, message_context: MessageContext
    ) -> Any | type[DropMessage] | Redirect | Delay | Reject:
        """Intercept a message that is published to a topic.

        Args:
            message: The message.
            message_context: Its context, with the sender and the topic.

        Returns:
            The message to deliver, or one of the outcomes above.
        """
        ...

    async def on_response(
        self, message: Any, *, sender: AgentId, recipient: AgentId | None
    ) -> Any | type[DropMessage] | Redirect | Delay | Reject:
        """Intercept a response.

        Args:
            message: The response.
            sender: The agent that responds.
            recipient: The agent that awaits the response, or None outside any agent.

        Returns:
            The response to deliver, or one of the outcomes above.
        """
        ...


class DefaultInterventionHandler(InterventionHandler):
    """Changes nothing. Subclass it, and override the methods you need.

    Attributes:
        priority: Handlers with a higher one are called earlier.

    Example:
        ```python
        from ferrogen import DefaultInterventionHandler, SingleThreadedAgentRuntime

        runtime = SingleThreadedAgentRuntime(intervention_handlers=[DefaultInterventionHandler()])
        ```
    """

    priority: ClassVar[int] = 0

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
