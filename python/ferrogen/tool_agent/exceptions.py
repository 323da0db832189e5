"""The exceptions of tool agents and of the caller loop.

The tree::

    FerrogenError
    ├── ToolException                        a call of a tool failed
    │   ├── ToolNotFoundException            the agent has no such tool
    │   ├── InvalidToolArgumentsException    the arguments are not valid JSON
    │   └── ToolExecutionException           the tool failed, or the arguments do not fit it
    └── MaxTurnsExceededError                (RuntimeError) the model still called tools in the last
                                             turn of a caller loop
"""

from collections.abc import Sequence
from dataclasses import dataclass

from ferrogen.exceptions import FerrogenError
from ferrogen.models.messages import LLMMessage


@dataclass
class ToolException(FerrogenError):
    """A call of a tool failed.

    Example:
        ```python
        from ferrogen.tool_agent import ToolException, ToolNotFoundException

        try:
            raise ToolNotFoundException(call_id="call-1", content="Error: no such tool", name="add")
        except ToolException as error:
            assert (error.name, error.call_id, str(error)) == (
                "add",
                "call-1",
                "Error: no such tool",
            )
        ```
    """

    __module__ = "ferrogen.tool_agent"

    call_id: str
    """The id that the model gave to the call."""

    content: str
    """The text for the model."""

    name: str
    """The tool that was called."""

    def __post_init__(self) -> None:
        self.args = (self.call_id, self.content, self.name)  # what copies and pickles are made of

    def __str__(self) -> str:
        return self.content


@dataclass
class ToolNotFoundException(ToolException):
    """The agent has no tool of that name."""

    __module__ = "ferrogen.tool_agent"


@dataclass
class InvalidToolArgumentsException(ToolException):
    """The arguments of a call are not valid JSON."""

    __module__ = "ferrogen.tool_agent"


@dataclass
class ToolExecutionException(ToolException):
    """A tool failed, or its arguments do not fit; the cause is the ``__cause__``."""

    __module__ = "ferrogen.tool_agent"


class MaxTurnsExceededError(FerrogenError, RuntimeError):
    """The model still called tools in the last turn that a caller loop permits.

    Args:
        message: The text of the error.
        messages: The messages that the loop added. The last one has the calls of the last turn,
            which were not made.
    """

    __module__ = "ferrogen.tool_agent"

    def __init__(self, message: str, *, messages: Sequence[LLMMessage] = ()) -> None:
        super().__init__(message)
        self.messages = tuple(messages)
