"""How an operation on a message is written into a span: its name, its kind, its attributes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Generic, Literal, TypeAlias, TypedDict, TypeVar

from opentelemetry.trace import SpanKind
from opentelemetry.util import types
from typing_extensions import NotRequired

from ferrogen._core import AgentId
from ferrogen.messaging.topic import TopicId
from ferrogen.telemetry.names import NAMESPACE

MESSAGE_TYPE = "messaging.message.type"
"""The attribute that names the class of a message."""

Operation = TypeVar("Operation", bound=str)
Destination = TypeVar("Destination")
ExtraAttributes = TypeVar("ExtraAttributes")

MessagingDestination: TypeAlias = AgentId | TopicId | str | None
"""Where a message goes."""

MessagingOperation: TypeAlias = Literal[
    "create", "send", "publish", "receive", "intercept", "process", "ack"
]
"""The operation on a message."""


class ExtraMessageRuntimeAttributes(TypedDict):
    """Further attributes of the span of a message."""

    message_size: NotRequired[int]
    message_type: NotRequired[str]


class TracingConfig(ABC, Generic[Operation, Destination, ExtraAttributes]):
    """The naming scheme of one instrumented part of the program."""

    @property
    @abstractmethod
    def name(self) -> str:
        """The name of the instrumented part; the tracer's name is made from it."""

    @abstractmethod
    def build_attributes(
        self,
        operation: Operation,
        destination: Destination,
        extraAttributes: ExtraAttributes | None,  # noqa: N803 - upstream's name
    ) -> dict[str, types.AttributeValue]:
        """Build the attributes of a span.

        Args:
            operation: The operation.
            destination: With whom or what.
            extraAttributes: Further attributes.

        Returns:
            The attributes, by name.
        """

    @abstractmethod
    def get_span_name(self, operation: Operation, destination: Destination) -> str:
        """Name a span.

        Args:
            operation: The operation.
            destination: With whom or what.

        Returns:
            The name.
        """

    @abstractmethod
    def get_span_kind(self, operation: Operation) -> SpanKind:
        """Return which kind of span the operation is.

        Args:
            operation: The operation.

        Returns:
            The kind.
        """


class MessageRuntimeTracingConfig(
    TracingConfig[MessagingOperation, MessagingDestination, ExtraMessageRuntimeAttributes]
):
    """The naming scheme of an agent runtime, after OpenTelemetry's messaging conventions.

    Args:
        runtime_name: The name of the runtime.
    """

    def __init__(self, runtime_name: str) -> None:
        self._runtime_name = runtime_name

    @property
    def name(self) -> str:
        """The name of the runtime."""
        return self._runtime_name

    def build_attributes(
        self,
        operation: MessagingOperation,
        destination: MessagingDestination,
        extraAttributes: ExtraMessageRuntimeAttributes | None,  # noqa: N803 - upstream's name
    ) -> dict[str, types.AttributeValue]:
        """Build the attributes of a message span.

        Args:
            operation: The operation on the message.
            destination: Where the message goes.
            extraAttributes: The message's size and type, where known.

        Returns:
            The attributes, by name.
        """
        attributes: dict[str, types.AttributeValue] = {
            "messaging.operation": _OPERATION_TYPES.get(operation, "Unknown"),
            "messaging.destination": _destination_text(destination),
        }
        if extraAttributes:
            size = extraAttributes.get("message_size")
            type_name = extraAttributes.get("message_type")
            if size is not None:
                attributes["messaging.message.envelope.size"] = size
            if type_name is not None:
                attributes[MESSAGE_TYPE] = type_name
        return attributes

    def get_span_name(
        self, operation: MessagingOperation, destination: MessagingDestination
    ) -> str:
        """Name a message span.

        Args:
            operation: The operation on the message.
            destination: Where the message goes.

        Returns:
            The name, such as ``autogen send greeter.(default)-A``.
        """
        place = _destination_text(destination)
        return f"{NAMESPACE} {operation} {place}" if place else f"{NAMESPACE} {operation}"

    def get_span_kind(self, operation: MessagingOperation) -> SpanKind:
        """Return which kind of span the operation is.

        Args:
            operation: The operation on the message.

        Returns:
            Producer on the sender's side, consumer on the recipient's, client for anything else.
        """
        return _SPAN_KINDS.get(operation, SpanKind.CLIENT)


_OPERATION_TYPES = {
    "create": "create",
    "send": "publish",
    "publish": "publish",
    "receive": "receive",
    "intercept": "receive",
    "ack": "receive",
    "process": "process",
}

_SPAN_KINDS = {
    "create": SpanKind.PRODUCER,
    "send": SpanKind.PRODUCER,
    "publish": SpanKind.PRODUCER,
    "receive": SpanKind.CONSUMER,
    "intercept": SpanKind.CONSUMER,
    "process": SpanKind.CONSUMER,
    "ack": SpanKind.CONSUMER,
}


def _destination_text(destination: MessagingDestination) -> str:
    match destination:
        case AgentId():
            instance, suffix = destination.key, "A"
        case TopicId():
            instance, suffix = destination.source, "T"
        case str() | None:
            return destination or ""
        case _:
            raise ValueError(
                f"the destination of a span is an AgentId, a TopicId, text or None, not "
                f"{type(destination)}"
            )
    return f"{destination.type}.({instance})-{suffix}"
