"""Messages of a conversation with a model."""

from typing import Annotated, List, Literal, Optional, Union  # noqa: UP035 - upstream's spelling

from pydantic import BaseModel, Field

from ferrogen._image import Image
from ferrogen.messaging.function_call import FunctionCall

# ruff: noqa: UP006, UP007, UP045 - annotations are part of the surface that is compared


class SystemMessage(BaseModel):
    """Instructions of the developer, before all other messages.

    Example:
        ```python
        from ferrogen.models import SystemMessage

        assert SystemMessage(content="Be brief.").type == "SystemMessage"
        ```
    """

    __module__ = "ferrogen.models"

    content: str
    """The instructions."""

    type: Literal["SystemMessage"] = "SystemMessage"


class UserMessage(BaseModel):
    """A message of a person or another agent to the model: text and images.

    Example:
        ```python
        from ferrogen.models import UserMessage

        message = UserMessage(content="What is in Turin?", source="traveller")
        assert UserMessage.model_validate_json(message.model_dump_json()) == message
        ```
    """

    __module__ = "ferrogen.models"

    content: Union[str, List[Union[str, Image]]]
    """Text, or pieces of text and images in their order."""

    source: str
    """Who says it."""

    type: Literal["UserMessage"] = "UserMessage"


class AssistantMessage(BaseModel):
    """A message of the model: text, or calls of functions.

    Example:
        ```python
        from ferrogen import FunctionCall
        from ferrogen.models import AssistantMessage

        call = FunctionCall(id="1", name="weather", arguments='{"city": "Turin"}')
        assert AssistantMessage(content=[call], source="guide").content == [call]
        ```
    """

    __module__ = "ferrogen.models"

    content: Union[str, List[FunctionCall]]
    """Text, or the functions that the model wants to be called."""

    thought: Union[str, None] = None
    """How the model reasoned, or the text that came along with its function calls."""

    source: str
    """The agent whose model it is."""

    type: Literal["AssistantMessage"] = "AssistantMessage"


class FunctionExecutionResult(BaseModel):
    """The result of one function call.

    Example:
        ```python
        from ferrogen.models import FunctionExecutionResult

        result = FunctionExecutionResult(content="sunny", name="weather", call_id="1")
        assert result.is_error is None
        ```
    """

    __module__ = "ferrogen.models"

    content: str
    """The return value, as text."""

    name: str
    """The function."""

    call_id: str
    """The ``id`` of the call with this result; some models leave it empty."""

    is_error: Optional[bool] = None
    """Whether the function failed; ``None`` if that is not known."""


class FunctionExecutionResultMessage(BaseModel):
    """The results of the function calls in the assistant's message before.

    Example:
        ```python
        from ferrogen.models import FunctionExecutionResult, FunctionExecutionResultMessage

        result = FunctionExecutionResult(content="sunny", name="weather", call_id="1")
        assert FunctionExecutionResultMessage(content=[result]).content[0].content == "sunny"
        ```
    """

    __module__ = "ferrogen.models"

    content: List[FunctionExecutionResult]
    """A result for each call."""

    type: Literal["FunctionExecutionResultMessage"] = "FunctionExecutionResultMessage"


LLMMessage = Annotated[
    Union[SystemMessage, UserMessage, AssistantMessage, FunctionExecutionResultMessage],
    Field(discriminator="type"),
]
"""Any message of a conversation; its ``type`` is the class."""
