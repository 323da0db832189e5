"""The one table of upstream's private module paths: path, names, and where ferrogen has them.

Published packages import these names, and pickles and configs of upstream store these paths.
"""

from __future__ import annotations

from collections.abc import Mapping


def _at(home: str, *names: str) -> dict[str, str]:
    return {name: f"{home}:{name}" for name in names}


_PUBLIC = "ferrogen"
_CONTEXTS = "ferrogen.model_context"
_MODELS = "ferrogen.models"
_TOOLS = "ferrogen.tools"
_TOOL_AGENT = "ferrogen.tool_agent"
_LOGGERS = _at(_PUBLIC, "EVENT_LOGGER_NAME", "ROOT_LOGGER_NAME", "TRACE_LOGGER_NAME")
_GENAI = _at(_PUBLIC, "trace_create_agent_span", "trace_invoke_agent_span", "trace_tool_span")
_PROPAGATION = _at(
    "ferrogen.telemetry.propagation",
    "EnvelopeMetadata",
    "TelemetryMetadataContainer",
    "get_telemetry_envelope_metadata",
    "get_telemetry_grpc_metadata",
)
_TRACING = _at("ferrogen.telemetry.tracing", "TraceHelper")
_TRACING_CONFIG = _at("ferrogen.telemetry.tracing_config", "MessageRuntimeTracingConfig")

PRIVATE_PATHS: Mapping[str, Mapping[str, str]] = {
    "_agent": _at(_PUBLIC, "Agent"),
    "_agent_id": _at(_PUBLIC, "AgentId"),
    "_agent_instantiation": _at(_PUBLIC, "AgentInstantiationContext"),
    "_agent_metadata": _at(_PUBLIC, "AgentMetadata"),
    "_agent_proxy": _at(_PUBLIC, "AgentProxy"),
    "_agent_runtime": _at(_PUBLIC, "AgentRuntime"),
    "_agent_type": _at(_PUBLIC, "AgentType"),
    "_base_agent": {
        **_at(_PUBLIC, "BaseAgent"),
        **_at("ferrogen.agents.base", "handles", "subscription_factory"),
    },
    "_cancellation_token": _at(_PUBLIC, "CancellationToken"),
    "_closure_agent": _at(_PUBLIC, "ClosureAgent", "ClosureContext"),
    "_cache_store": {
        **_at(_PUBLIC, "CacheStore", "InMemoryStore"),
        **_at("ferrogen.components.cache_store", "InMemoryStoreConfig"),
    },
    "_component_config": {
        **_at(
            _PUBLIC,
            "Component",
            "ComponentBase",
            "ComponentFromConfig",
            "ComponentLoader",
            "ComponentModel",
            "ComponentSchemaType",
            "ComponentToConfig",
            "ComponentType",
            "is_component_class",
            "is_component_instance",
        ),
        **_at("ferrogen.components.providers", "WELL_KNOWN_PROVIDERS"),
        "_type_to_provider_str": "ferrogen.components.providers:provider_of",
    },
    "_constants": _LOGGERS,
    "_default_subscription": _at(
        _PUBLIC, "DefaultSubscription", "default_subscription", "type_subscription"
    ),
    "_default_topic": _at(_PUBLIC, "DefaultTopicId"),
    "_intervention": _at(
        _PUBLIC, "DefaultInterventionHandler", "DropMessage", "InterventionHandler"
    ),
    "_message_context": _at(_PUBLIC, "MessageContext"),
    "_message_handler_context": _at(_PUBLIC, "MessageHandlerContext"),
    "_routed_agent": {
        **_at(_PUBLIC, "RoutedAgent", "event", "message_handler", "rpc"),
        **_at("ferrogen.agents.handlers", "MessageHandler"),
    },
    "_runtime_impl_helpers": {
        **_at("ferrogen.compat.other_runtimes", "SubscriptionManager"),
        **_at("ferrogen.compat.other_runtimes", "get_impl"),
    },
    "_serialization": {
        **_at(
            _PUBLIC,
            "JSON_DATA_CONTENT_TYPE",
            "MessageSerializer",
            "PROTOBUF_DATA_CONTENT_TYPE",
            "UnknownPayload",
            "try_get_known_serializers_for_type",
        ),
        **_at("ferrogen.serialization.json_serializers", "DataclassJsonMessageSerializer"),
        **_at("ferrogen.serialization.kinds", "has_nested_base_model"),
        **_at("ferrogen.serialization.protobuf", "ProtobufMessageSerializer"),
        **_at("ferrogen.serialization.json_serializers", "PydanticJsonMessageSerializer"),
        **_at("ferrogen.serialization.registry", "SerializationRegistry"),
        "_type_name": "ferrogen.serialization.serializer:type_name",
    },
    "_single_threaded_agent_runtime": _at(_PUBLIC, "SingleThreadedAgentRuntime"),
    "_subscription": {
        **_at(_PUBLIC, "Subscription"),
        **_at("ferrogen.messaging.subscription", "UnboundSubscription"),
    },
    "_subscription_context": _at(_PUBLIC, "SubscriptionInstantiationContext"),
    "_telemetry": {**_GENAI, **_PROPAGATION, **_TRACING, **_TRACING_CONFIG},
    "_telemetry._constants": _at("ferrogen.telemetry.names", "NAMESPACE"),
    "_telemetry._genai": {
        **_GENAI,
        **_at("ferrogen.telemetry.genai_conventions", "GenAiOperationNameValues"),
        "GENAI_SYSTEM_AUTOGEN": "ferrogen.telemetry.genai_conventions:AUTOGEN",
    },
    "_telemetry._propagation": {
        **_PROPAGATION,
        **_at("ferrogen.telemetry.propagation", "get_telemetry_context", "get_telemetry_links"),
    },
    "_telemetry._tracing": _TRACING,
    "_telemetry._tracing_config": {
        **_TRACING_CONFIG,
        **_at(
            "ferrogen.telemetry.tracing_config",
            "ExtraMessageRuntimeAttributes",
            "MessagingDestination",
            "MessagingOperation",
            "TracingConfig",
        ),
    },
    "_topic": _at(_PUBLIC, "TopicId"),
    "_type_helpers": _at("ferrogen.agents.signatures", "AnyType", "get_types"),
    "_type_prefix_subscription": _at(_PUBLIC, "TypePrefixSubscription"),
    "_type_subscription": _at(_PUBLIC, "TypeSubscription"),
    "_types": _at(_PUBLIC, "FunctionCall"),
    "utils._json_to_pydantic": {
        **_at(
            "ferrogen.exceptions",
            "FormatNotSupportedError",
            "ReferenceNotFoundError",
            "SchemaConversionError",
            "UnsupportedKeywordError",
        ),
        **_at("ferrogen.json_schema.types", "FORMAT_MAPPING", "TYPE_MAPPING"),
        **_at("ferrogen.utils", "schema_to_pydantic_model"),
        "_JSONSchemaToPydantic": "ferrogen.json_schema.builder:SchemaModels",
    },
    "memory._base_memory": {
        **_at(
            "ferrogen.memory",
            "Memory",
            "MemoryContent",
            "MemoryMimeType",
            "MemoryQueryResult",
            "UpdateContextResult",
        ),
        **_at("ferrogen.memory.content", "ContentType"),
    },
    "memory._list_memory": {
        **_at("ferrogen.memory", "ListMemory"),
        **_at("ferrogen.memory.list_memory", "ListMemoryConfig"),
    },
    "model_context._buffered_chat_completion_context": {
        **_at(_CONTEXTS, "BufferedChatCompletionContext"),
        **_at(f"{_CONTEXTS}.buffered", "BufferedChatCompletionContextConfig"),
    },
    "model_context._head_and_tail_chat_completion_context": {
        **_at(_CONTEXTS, "HeadAndTailChatCompletionContext"),
        **_at(f"{_CONTEXTS}.head_and_tail", "HeadAndTailChatCompletionContextConfig"),
    },
    "model_context._token_limited_chat_completion_context": {
        **_at(_CONTEXTS, "TokenLimitedChatCompletionContext"),
        **_at(f"{_CONTEXTS}.token_limited", "TokenLimitedChatCompletionContextConfig"),
    },
    "model_context._unbounded_chat_completion_context": {
        **_at(_CONTEXTS, "UnboundedChatCompletionContext"),
        **_at(f"{_CONTEXTS}.unbounded", "UnboundedChatCompletionContextConfig"),
    },
    "model_context._chat_completion_context": _at(
        _CONTEXTS, "ChatCompletionContext", "ChatCompletionContextState"
    ),
    "models._model_client": _at(
        _MODELS,
        "ChatCompletionClient",
        "ModelCapabilities",
        "ModelFamily",
        "ModelInfo",
        "validate_model_info",
    ),
    "models._types": _at(
        _MODELS,
        "AssistantMessage",
        "ChatCompletionTokenLogprob",
        "CreateResult",
        "FinishReasons",
        "FunctionExecutionResult",
        "FunctionExecutionResultMessage",
        "LLMMessage",
        "RequestUsage",
        "SystemMessage",
        "TopLogprob",
        "UserMessage",
    ),
    "tools._base": _at(
        _TOOLS,
        "BaseStreamTool",
        "BaseTool",
        "BaseToolWithState",
        "ParametersSchema",
        "StreamTool",
        "Tool",
        "ToolOverride",
        "ToolSchema",
    ),
    "tools._function_tool": {
        **_at(_TOOLS, "FunctionTool"),
        **_at(f"{_TOOLS}.function_tool", "FunctionToolConfig"),
    },
    "tools._static_workbench": {
        **_at(_TOOLS, "StaticStreamWorkbench", "StaticWorkbench"),
        **_at(f"{_TOOLS}.static_workbench", "StaticWorkbenchConfig"),
        "StateicWorkbenchState": f"{_TOOLS}.static_workbench:StaticWorkbenchState",
    },
    "tools._workbench": {
        **_at(
            _TOOLS,
            "ImageResultContent",
            "StreamWorkbench",
            "TextResultContent",
            "ToolResult",
            "Workbench",
        ),
        **_at(f"{_TOOLS}.results", "ResultContent"),
    },
    "tool_agent._caller_loop": _at(_TOOL_AGENT, "tool_agent_caller_loop"),
    "tool_agent._tool_agent": _at(
        _TOOL_AGENT,
        "InvalidToolArgumentsException",
        "ToolAgent",
        "ToolException",
        "ToolExecutionException",
        "ToolNotFoundException",
    ),
    "_function_utils": _at(
        "ferrogen.tools.function_signature",
        "args_base_model_from_signature",
        "get_typed_signature",
        "normalize_annotated_type",
    ),
    "utils._load_json": _at("ferrogen.utils", "extract_json_from_str"),
    "code_executor._base": _at("ferrogen.code_executor", "CodeBlock", "CodeExecutor", "CodeResult"),
    "code_executor._func_with_reqs": {
        **_at(
            "ferrogen.code_executor",
            "Alias",
            "FunctionWithRequirements",
            "FunctionWithRequirementsStr",
            "Import",
            "ImportFromModule",
            "with_requirements",
        ),
        **_at("ferrogen.code_executor.requirements", "import_to_str"),
        **_at(
            "ferrogen.code_executor.functions_file",
            "build_python_functions_file",
            "to_code",
            "to_stub",
        ),
    },
}
