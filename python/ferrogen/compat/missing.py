"""Errors for parts of autogen_core that Ferrogen does not have."""

from __future__ import annotations

import sys
from importlib import import_module

from _ferrogen_hook import ALIAS, REAL
from ferrogen.compat.private_paths import PRIVATE_PATHS
from ferrogen.exceptions import NotProvidedError

_MODULES = """
_agent _agent_id _agent_instantiation _agent_metadata _agent_proxy _agent_runtime _agent_type
_base_agent _cache_store _cancellation_token _closure_agent _component_config _constants
_default_subscription _default_topic _function_utils _image _intervention _message_context
_message_handler_context _queue _routed_agent _runtime_impl_helpers _serialization
_single_threaded_agent_runtime _subscription _subscription_context _telemetry
_telemetry._constants _telemetry._genai _telemetry._propagation _telemetry._tracing
_telemetry._tracing_config _topic _type_helpers _type_prefix_subscription _type_subscription
_types code_executor code_executor._base code_executor._func_with_reqs exceptions logging
memory memory._base_memory memory._list_memory model_context
model_context._buffered_chat_completion_context model_context._chat_completion_context
model_context._head_and_tail_chat_completion_context
model_context._token_limited_chat_completion_context
model_context._unbounded_chat_completion_context models models._model_client models._types
tool_agent tool_agent._caller_loop tool_agent._tool_agent tools tools._base
tools._function_tool tools._static_workbench tools._workbench utils utils._json_to_pydantic
utils._load_json
"""

_NAMES = """
Agent AgentId AgentInstantiationContext AgentMetadata AgentProxy AgentRuntime AgentType
BaseAgent CacheStore CancellationToken ClosureAgent ClosureContext Component ComponentBase
ComponentFromConfig ComponentLoader ComponentModel ComponentSchemaType ComponentToConfig
ComponentType DefaultInterventionHandler DefaultSubscription DefaultTopicId DropMessage
EVENT_LOGGER_NAME FunctionCall Image InMemoryStore InterventionHandler JSON_DATA_CONTENT_TYPE
MessageContext MessageHandlerContext MessageSerializer PROTOBUF_DATA_CONTENT_TYPE
ROOT_LOGGER_NAME RoutedAgent SingleThreadedAgentRuntime Subscription
SubscriptionInstantiationContext TRACE_LOGGER_NAME TopicId TypePrefixSubscription
TypeSubscription UnknownPayload default_subscription event is_component_class
is_component_instance message_handler rpc trace_create_agent_span trace_invoke_agent_span
trace_tool_span try_get_known_serializers_for_type type_subscription
"""

MODULES = frozenset(_MODULES.split())
NAMES = frozenset(_NAMES.split())


def not_provided(name: str) -> str:
    """Return the text of the error for a dotted name below ``autogen_core``."""
    return f"ferrogen does not provide autogen_core.{name} yet"


def missing_attribute(name: str) -> object:
    """Return the module for a name that ``ferrogen`` does not have, or raise.

    It raises what ``hasattr`` expects. The import hook raises a `NotProvidedError` with the same
    text for the statement ``from autogen_core import name``.

    Args:
        name: A name that the module ``ferrogen`` does not have.

    Returns:
        The module of that name, if it is a private path of upstream and the hook is in use.

    Raises:
        AttributeError: There is nothing of that name.
    """
    module = sys.modules[REAL]
    if name in PRIVATE_PATHS and sys.modules.get(ALIAS) is module:
        return import_module(f"{ALIAS}.{name}")
    if name in MODULES or name in NAMES:
        raise AttributeError(not_provided(name))
    raise AttributeError(f"module {REAL!r} has no attribute {name!r}", name=name, obj=module)


def refuse(name: str) -> None:
    """Raise if a module or name that was not found is one of upstream's.

    Args:
        name: The dotted name below ``autogen_core``.

    Raises:
        NotProvidedError: Upstream has it, or may have it, as it is below a private path.
    """
    module, _, _ = name.rpartition(".")
    if name in MODULES or name in NAMES or module in PRIVATE_PATHS:
        # The import system drops a ModuleNotFoundError that names what it looked for itself. That
        # is ferrogen.name, not this one; below a private path it is this one, so name the module,
        # as ImportErrors about names do.
        at = module if module in PRIVATE_PATHS else name
        raise NotProvidedError(not_provided(name), name=f"{ALIAS}.{at}")
