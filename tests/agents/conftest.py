"""A runtime that runs nothing and records registrations."""

from typing import Any

import pytest

from ferrogen._core import AgentId, CancellationToken
from ferrogen.agents.agent_type import AgentType
from ferrogen.agents.instantiation import AgentInstantiationContext
from ferrogen.messaging.message_context import MessageContext


class PlainRuntime:
    """Remembers; knows nothing of agent options."""

    def __init__(self) -> None:
        self.registered: list[Any] = []
        self.subscriptions: list[Any] = []
        self.serializers: list[Any] = []
        self.factories: dict[str, Any] = {}
        self.sent: list[Any] = []

    async def register_factory(
        self, type: AgentType, agent_factory: Any, *, expected_class: Any
    ) -> AgentType:
        self.registered.append(("factory", type.type, expected_class))
        self.factories[type.type] = agent_factory
        return type

    async def register_agent_instance(self, agent_instance: Any, agent_id: AgentId) -> AgentId:
        self.registered.append(("instance", agent_id))
        await agent_instance.bind_id_and_runtime(agent_id, self)
        return agent_id

    async def add_subscription(self, subscription: Any) -> None:
        if subscription in self.subscriptions:
            raise ValueError("Subscription already exists")
        self.subscriptions.append(subscription)

    def add_message_serializer(self, serializers: Any) -> None:
        self.serializers.extend(serializers)

    async def send_message(self, message: Any, recipient: AgentId, **how: Any) -> Any:
        self.sent.append((message, recipient, how))
        return "response"

    async def publish_message(self, message: Any, topic_id: Any, **how: Any) -> None:
        self.sent.append((message, topic_id, how))

    def build(self, agent_id: AgentId) -> Any:
        with AgentInstantiationContext.populate_context((self, agent_id)):
            return self.factories[agent_id.type]()


class RecordingRuntime(PlainRuntime):
    """Remembers agent options too."""

    def set_agent_options(self, agent_type: str, options: Any) -> None:
        self.registered.append(("options", agent_type, options))


@pytest.fixture
def runtime() -> RecordingRuntime:
    return RecordingRuntime()


@pytest.fixture
def plain_runtime() -> PlainRuntime:
    return PlainRuntime()


@pytest.fixture
def rpc_context() -> MessageContext:
    return MessageContext(None, None, True, CancellationToken(), "1")


@pytest.fixture
def event_context() -> MessageContext:
    return MessageContext(None, None, False, CancellationToken(), "1")
