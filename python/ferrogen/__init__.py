"""Ferrogen: an agent runtime with a Rust core, on which AutoGen programs run unchanged.

The names below are those of AutoGen's `autogen_core`, and a few of Ferrogen's own. Where things
live: agents in `agents`, what passes between them in `messaging`, the runtime in `runtime`,
bytes in `serialization`, spans in `telemetry`, the drop-in for `autogen_core` in `compat`.
"""

from typing import TYPE_CHECKING as _TYPE_CHECKING

from . import exceptions as exceptions
from . import logging as logging
from ._core import AgentId, CancellationToken, Chain
from ._core import __version__ as __version__
from .agents.agent_type import AgentMetadata, AgentType
from .agents.base import BaseAgent
from .agents.circuit_breaker import CircuitBreaker
from .agents.class_decorators import (
    agent_options,
    default_subscription,
    type_subscription,
    wildcard_subscription,
)
from .agents.closure import ClosureAgent, ClosureContext
from .agents.handlers import event, message_handler, rpc
from .agents.instantiation import AgentInstantiationContext
from .agents.options import AgentOptions
from .agents.proxy import AgentProxy
from .agents.retry_policy import RetryPolicy
from .agents.routed import RoutedAgent
from .agents.streaming import stream
from .agents.supervision import Supervision
from .compat.install import install
from .messaging.function_call import FunctionCall
from .messaging.handler_context import MessageHandlerContext
from .messaging.inbox import Inbox
from .messaging.intervention import (
    DefaultInterventionHandler,
    Delay,
    DropMessage,
    InterventionHandler,
    Redirect,
    Reject,
)
from .messaging.message_context import MessageContext
from .messaging.message_options import MessageOptions, Priority
from .messaging.subscription import Subscription, SubscriptionInstantiationContext
from .messaging.subscriptions import (
    DefaultSubscription,
    TypePrefixSubscription,
    TypeSubscription,
    WildcardSubscription,
)
from .messaging.topic import DefaultTopicId, TopicId
from .runtime.calls.gathering import GatheredResponses
from .runtime.dead_letters.letter import DeadLetter, DeadLetterCause, ReplayReport
from .runtime.dead_letters.recorder import DEAD_LETTER_TOPIC
from .runtime.dead_letters.store import DeadLetters
from .runtime.failures.circuit import CircuitBreakerState
from .runtime.introspection.introspection import AgentInfo
from .runtime.introspection.stats import AgentTypeStats, MessageCounts, RuntimeStats
from .runtime.introspection.stats_server import StatsServer
from .runtime.introspection.times import TimeHistogram
from .runtime.introspection.topology import AgentTypeInfo, SubscriptionInfo, Topology
from .runtime.protocols import Agent, AgentRuntime
from .runtime.schedules.schedule import Schedule
from .runtime.single_threaded import SingleThreadedAgentRuntime
from .runtime.subscription_handle import SubscriptionHandle
from .serialization.registry import try_get_known_serializers_for_type
from .serialization.serializer import (
    JSON_DATA_CONTENT_TYPE,
    PROTOBUF_DATA_CONTENT_TYPE,
    MessageSerializer,
    UnknownPayload,
)
from .state.memory import InMemoryStateStore
from .state.sqlite import SqliteStateStore
from .state.store import ListableStateStore, StateStore
from .telemetry.genai import (
    trace_create_agent_span,
    trace_invoke_agent_span,
    trace_tool_span,
)
from .telemetry.names import EVENT_LOGGER_NAME, ROOT_LOGGER_NAME, TRACE_LOGGER_NAME

if _TYPE_CHECKING:  # these are imported when they are first used
    from ._image import Image
    from .components.cache_store import CacheStore, InMemoryStore
    from .components.component import (
        Component,
        ComponentBase,
        is_component_class,
        is_component_instance,
    )
    from .components.config import ComponentFromConfig, ComponentSchemaType, ComponentToConfig
    from .components.loader import ComponentLoader
    from .components.model import ComponentModel, ComponentType
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
