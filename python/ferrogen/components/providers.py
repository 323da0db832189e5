"""From a provider string to its class: aliases, and which namespaces may be imported at all.

A config names code to import, so a config from elsewhere could name any (A17). Only namespaces
that are trusted are imported; the environment variable is the one that upstream's later
versions use.
"""

from __future__ import annotations

import os
from importlib import import_module
from typing import cast

from ferrogen.compat.private_modules import resolve
from ferrogen.compat.private_paths import PRIVATE_PATHS
from ferrogen.exceptions import ProviderError, UntrustedProviderError

NAMESPACES_VARIABLE = "AUTOGEN_ALLOWED_PROVIDER_NAMESPACES"
TRUSTED_NAMESPACES = frozenset(
    {
        "autogen_agentchat",
        "autogen_core",
        "autogen_ext",
        "autogen_studio",
        "autogenstudio",
        "ferrogen",
    }
)

_OPENAI = "autogen_ext.models.openai"
WELL_KNOWN_PROVIDERS = {
    "AzureOpenAIChatCompletionClient": f"{_OPENAI}.AzureOpenAIChatCompletionClient",
    "azure_openai_chat_completion_client": f"{_OPENAI}.AzureOpenAIChatCompletionClient",
    "OpenAIChatCompletionClient": f"{_OPENAI}.OpenAIChatCompletionClient",
    "openai_chat_completion_client": f"{_OPENAI}.OpenAIChatCompletionClient",
    "OllamaChatCompletionClient": "autogen_ext.models.ollama.OllamaChatCompletionClient",
}


def provider_of(component_class: type) -> str:
    """Return the dotted path of a class."""
    return f"{component_class.__module__}.{component_class.__qualname__}"


def find_provider(provider: str) -> object:
    """Import what a provider string names, which should be a class.

    Args:
        provider: A dotted path, or one of the well-known short names.

    Raises:
        ProviderError: It is not a dotted path.
        UntrustedProviderError: Its namespace is not trusted; nothing was imported.
        ImportError: Its module cannot be imported.
        AttributeError: Its module has no such name.
    """
    provider = WELL_KNOWN_PROVIDERS.get(provider, provider)
    module, _, name = provider.rpartition(".")
    if not module or not all(part.isidentifier() for part in provider.split(".")):
        raise ProviderError(
            f"Invalid provider {provider!r}: give the dotted path of a class, such as "
            "'autogen_core.InMemoryStore'"
        )
    if not _is_trusted(module):
        raise UntrustedProviderError(
            f"provider {provider!r} is not in a trusted namespace, so it was not imported; to "
            f"trust it, add {module.partition('.')[0]!r} to the environment variable "
            f"{NAMESPACES_VARIABLE} (names separated by commas)"
        )
    top, _, below = module.partition(".")
    if top != "autogen_core":
        return cast("object", getattr(import_module(module), name))
    # Configs name upstream's classes; ours are meant, whether or not the import hook is in use.
    if name in PRIVATE_PATHS.get(below, {}):
        return resolve(PRIVATE_PATHS[below][name])
    own = import_module(f"ferrogen.{below}" if below else "ferrogen")
    return cast("object", getattr(own, name))


def _is_trusted(module: str) -> bool:
    """Return whether a namespace is a trusted one or is below one."""
    given = os.environ.get(NAMESPACES_VARIABLE, "").split(",")
    trusted = TRUSTED_NAMESPACES | {name for part in given if (name := part.strip().rstrip("."))}
    return any(module == name or module.startswith(f"{name}.") for name in trusted)
