"""Handoffs of AgentChat, which run although their token is cancelled.

`AssistantAgent` calls a handoff by `run_json`, and waits forever if that raises (decision 0027).
The function of a handoff returns a text and does nothing else, so that it can run at any time.
"""

from collections.abc import Callable
from typing import Any

_MODULE = "autogen_agentchat.base._handoff"


def is_handoff(function: Callable[..., Any]) -> bool:
    """Whether AgentChat made a function for a handoff."""
    return getattr(function, "__module__", None) == _MODULE
