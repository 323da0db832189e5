"""Ferrogen: an agent runtime with a Rust core, on which AutoGen programs run unchanged.

The names below are those of AutoGen's `autogen_core`, and a few of Ferrogen's own. Where things
live: agents in `_agents`, what passes between them in `_messaging`, the runtime in `_runtime`,
bytes in `_serialization`, spans in `_telemetry`, the drop-in for `autogen_core` in `compat`.
"""

from typing import TYPE_CHECKING as _TYPE_CHECKING

from . import exceptions as exceptions
from . import logging as logging
from ._agents.agent import Agent
from ._agents.agent_type import AgentType
from ._agents.base import BaseAgent
from ._agents.circuit_breaker import CircuitBreaker
from ._agents.closure import ClosureAgent, ClosureContext
from ._agents.handlers import event, message_handler, rpc
from ._agents.instantiation import AgentInstantiationContext
from ._agents.metadata import AgentMetadata
from ._agents.options import AgentOptions, agent_options
from ._agents.proxy import AgentProxy
from ._agents.retry_policy import RetryPolicy
from ._agents.routed import RoutedAgent
from ._agents.streaming import stream
from ._agents.subscribing import default_subscription, type_subscription, wildcard_subscription
from ._agents.supervision import Supervision
from ._core import AgentId, CancellationToken, Chain
from ._core import __version__ as __version__
from ._messaging.default_subscription import DefaultSubscription
from ._messaging.function_call import FunctionCall
from ._messaging.handler_context import MessageHandlerContext
from ._messaging.inbox import Inbox
from ._messaging.intervention import (
    DefaultInterventionHandler,
    Delay,
    DropMessage,
    InterventionHandler,
    Redirect,
    Reject,
)
from ._messaging.message_context import MessageContext
from ._messaging.message_options import MessageOptions
from ._messaging.priority import Priority
from ._messaging.subscription import Subscription, SubscriptionInstantiationContext
from ._messaging.topic import DefaultTopicId, TopicId
from ._messaging.type_prefix_subscription import TypePrefixSubscription
from ._messaging.type_subscription import TypeSubscription
from ._messaging.wildcard_subscription import WildcardSubscription
from ._runtime.circuit import CircuitBreakerState
from ._runtime.dead_letter import DeadLetter, DeadLetterCause, ReplayReport
from ._runtime.dead_letter_topic import DEAD_LETTER_TOPIC
from ._runtime.dead_letters import DeadLetters
from ._runtime.gathering import GatheredResponses
from ._runtime.introspection import AgentInfo
from ._runtime.protocol import AgentRuntime
from ._runtime.scheduling import Schedule
from ._runtime.single_threaded import SingleThreadedAgentRuntime
from ._runtime.stats import AgentTypeStats, MessageCounts, RuntimeStats
from ._runtime.stats_server import StatsServer
from ._runtime.subscription_handle import SubscriptionHandle
from ._runtime.times import TimeHistogram
from ._runtime.topology import AgentTypeInfo, SubscriptionInfo, Topology
from ._serialization.known import try_get_known_serializers_for_type
from ._serialization.serializer import (
    JSON_DATA_CONTENT_TYPE,
    PROTOBUF_DATA_CONTENT_TYPE,
    MessageSerializer,
    UnknownPayload,
)
from ._state.memory import InMemoryStateStore
from ._state.sqlite import SqliteStateStore
from ._state.store import ListableStateStore, StateStore
from ._telemetry.genai import (
    trace_create_agent_span,
    trace_invoke_agent_span,
    trace_tool_span,
)
from ._telemetry.loggers import EVENT_LOGGER_NAME, ROOT_LOGGER_NAME, TRACE_LOGGER_NAME
from .compat.install import install

if _TYPE_CHECKING:  # these are imported when they are first used
    from ._components.cache_store import CacheStore, InMemoryStore
    from ._components.component import (
        Component,
        ComponentBase,
        is_component_class,
        is_component_instance,
    )
    from ._components.config import ComponentFromConfig, ComponentSchemaType, ComponentToConfig
    from ._components.loader import ComponentLoader
    from ._components.model import ComponentModel, ComponentType
    from ._image import Image
else:  # a __getattr__ that type checkers see would let every name through
    from ._lazy_imports import lazy_attribute as __getattr__  # noqa: F401 - Python calls it
    from ._lazy_imports import listed_names as __dir__  # noqa: F401 - and this

__all__ = [
    "DEAD_LETTER_TOPIC",
    "EVENT_LOGGER_NAME",
    "JSON_DATA_CONTENT_TYPE",
    "PROTOBUF_DATA_CONTENT_TYPE",
    "ROOT_LOGGER_NAME",
    "TRACE_LOGGER_NAME",
    "Agent",
    "AgentId",
    "AgentInfo",
    "AgentInstantiationContext",
    "AgentMetadata",
    "AgentOptions",
    "AgentProxy",
    "AgentRuntime",
    "AgentType",
    "AgentTypeInfo",
    "AgentTypeStats",
    "BaseAgent",
    "CacheStore",
    "CancellationToken",
    "Chain",
    "CircuitBreaker",
    "CircuitBreakerState",
    "ClosureAgent",
    "ClosureContext",
    "Component",
    "ComponentBase",
    "ComponentFromConfig",
    "ComponentLoader",
    "ComponentModel",
    "ComponentSchemaType",
    "ComponentToConfig",
    "ComponentType",
    "DeadLetter",
    "DeadLetterCause",
    "DeadLetters",
    "DefaultInterventionHandler",
    "DefaultSubscription",
    "DefaultTopicId",
    "Delay",
    "DropMessage",
    "FunctionCall",
    "GatheredResponses",
    "Image",
    "InMemoryStateStore",
    "InMemoryStore",
    "Inbox",
    "InterventionHandler",
    "ListableStateStore",
    "MessageContext",
    "MessageCounts",
    "MessageHandlerContext",
    "MessageOptions",
    "MessageSerializer",
    "Priority",
    "Redirect",
    "Reject",
    "ReplayReport",
    "RetryPolicy",
    "RoutedAgent",
    "RuntimeStats",
    "Schedule",
    "SingleThreadedAgentRuntime",
    "SqliteStateStore",
    "StateStore",
    "StatsServer",
    "Subscription",
    "SubscriptionHandle",
    "SubscriptionInfo",
    "SubscriptionInstantiationContext",
    "Supervision",
    "TimeHistogram",
    "TopicId",
    "Topology",
    "TypePrefixSubscription",
    "TypeSubscription",
    "UnknownPayload",
    "WildcardSubscription",
    "agent_options",
    "default_subscription",
    "event",
    "install",
    "is_component_class",
    "is_component_instance",
    "message_handler",
    "rpc",
    "stream",
    "trace_create_agent_span",
    "trace_invoke_agent_span",
    "trace_tool_span",
    "try_get_known_serializers_for_type",
    "type_subscription",
    "wildcard_subscription",
]
