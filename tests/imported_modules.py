"""What fork servers import: few kinds, each for the tests of several folders."""

# What the OpenAI SDK imports, some of it when it connects.
CLIENT = ("anyio._backends._asyncio", "httpcore2", "openai.resources.chat.completions")

# Nearly all of Ferrogen, with what it imports.
FERROGEN = (
    *("ferrogen.cli.app", "ferrogen.memory", "ferrogen.model_context", "ferrogen.testing"),
    *("ferrogen.models.anthropic", "ferrogen.models.middleware", "ferrogen.models.openai"),
    *("ferrogen.tools", "google.protobuf.message", "mcp", "opentelemetry.sdk.trace", *CLIENT),
)
STRICT = ("-W", "error")

AGENTCHAT = (
    *("autogen_agentchat.conditions", "autogen_agentchat.teams", "autogen_agentchat.ui"),
    *("autogen_ext.models.openai", "autogen_ext.models.replay", *CLIENT),
)
AGENTCHAT_ON_FERROGEN = (*AGENTCHAT, "ferrogen.models.anthropic")

# What Ferrogen and AutoGen import of others.
DEPENDENCIES = (
    *("asyncio", "concurrent.futures.thread", "importlib.resources", "msgspec", "queue"),
    *("opentelemetry.trace.propagation.tracecontext", "PIL.Image", "pydantic", "statistics"),
    "xml.etree.ElementTree",
)
