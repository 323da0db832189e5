"""Calls as the rules of a guard see them, and the decisions of rules."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from ferrogen._core import AgentId


@dataclass(frozen=True)
class ToolCall:
    """A call of a tool, before it runs.

    Example:
        ```python
        from ferrogen.tools import Deny, Guard, ToolCall


        def stay_at_home(call: ToolCall) -> Deny | None:
            path = str(call.arguments.get("path", ""))
            return (
                Deny("only files in /home may be read") if not path.startswith("/home/") else None
            )


        guard = Guard(stay_at_home)
        ```
    """

    __module__ = "ferrogen.tools"

    tool: str
    """The name of the tool; in a workbench that is not static, the name it was called by."""

    arguments: Mapping[str, Any]
    """The validated arguments with their defaults, as JSON would have them; a copy."""

    call_id: str | None = None
    """The id that the model gave to the call."""

    caller: AgentId | None = None
    """The agent that calls; None outside message handlers."""

    conversation: str | None = None
    """The conversation, see `ToolContext`."""

    def matches(self, *patterns: str) -> bool:
        """Whether the name of the tool matches a pattern, such as ``"read_*"``."""
        return any(fnmatchcase(self.tool, pattern) for pattern in patterns)


class Decision:
    """The decision of a rule about a call: `Allow`, `Deny`, `Change` or `Ask`."""

    __module__ = "ferrogen.tools"


Rule = Callable[[ToolCall], Decision | Awaitable[Decision | None] | None]
"""A function that decides on a call, asynchronous or not; None leaves it to the next rule."""


@dataclass(frozen=True)
class Allow(Decision):
    """The call passes; no further rule is asked."""

    __module__ = "ferrogen.tools"

    @classmethod
    def tools(cls, *patterns: str) -> Rule:
        """Return a rule that allows the tools whose names match a pattern."""
        return lambda call: cls() if call.matches(*patterns) else None


@dataclass(frozen=True)
class Deny(Decision):
    """The call does not pass; the model gets the reason."""

    __module__ = "ferrogen.tools"

    reason: str = "it is not allowed"

    @classmethod
    def tools(cls, *patterns: str, reason: str = "it is not allowed") -> Rule:
        """Return a rule that denies the tools whose names match a pattern."""
        return lambda call: cls(reason) if call.matches(*patterns) else None


@dataclass(frozen=True)
class Change(Decision):
    """Other values for some arguments, which are validated again; the next rule sees them.

    Example:
        ```python
        import asyncio

        from ferrogen.tools import Change, Guard, ToolCall, tool


        @tool
        async def search(words: str, limit: int = 100) -> str:
            '''Search for words.'''
            return f"{limit} results"


        def few(call: ToolCall) -> Change:
            return Change({"limit": min(call.arguments["limit"], 10)})


        with Guard(few):
            assert asyncio.run(search.run_json({"words": "iron"})) == "10 results"
        ```
    """

    __module__ = "ferrogen.tools"

    arguments: Mapping[str, Any]


@dataclass(frozen=True)
class Ask(Decision):
    """A person has to approve the call. The rules that follow can still deny or change it."""

    __module__ = "ferrogen.tools"

    question: str = ""

    @classmethod
    def tools(cls, *patterns: str, question: str = "") -> Rule:
        """Return a rule that asks a person about the tools whose names match a pattern."""
        return lambda call: cls(question) if call.matches(*patterns) else None
