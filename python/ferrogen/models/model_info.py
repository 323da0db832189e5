"""The abilities of a model, as its client declares them."""

from __future__ import annotations

import warnings
from typing import Any, ClassVar, Literal, Optional, Union

from typing_extensions import Required, TypedDict, deprecated

from ferrogen.exceptions import ModelInfoError


class ModelFamily:
    """The families of models that have a name here; any other text is an unknown family.

    It only holds names and questions about them, and cannot be made an instance of.

    Example:
        ```python
        from ferrogen.models import ModelFamily

        assert ModelFamily.is_claude(ModelFamily.CLAUDE_4_OPUS)
        assert not ModelFamily.is_claude("my-own-model")
        ```
    """

    __module__ = "ferrogen.models"

    GPT_5 = "gpt-5"
    GPT_45 = "gpt-45"
    GPT_41 = "gpt-41"
    GPT_4O = "gpt-4o"
    GPT_4 = "gpt-4"
    GPT_35 = "gpt-35"
    O1 = "o1"
    O3 = "o3"
    O4 = "o4"
    R1 = "r1"
    GEMINI_1_5_FLASH = "gemini-1.5-flash"
    GEMINI_1_5_PRO = "gemini-1.5-pro"
    GEMINI_2_0_FLASH = "gemini-2.0-flash"
    GEMINI_2_5_PRO = "gemini-2.5-pro"
    GEMINI_2_5_FLASH = "gemini-2.5-flash"
    CLAUDE_3_HAIKU = "claude-3-haiku"
    CLAUDE_3_SONNET = "claude-3-sonnet"
    CLAUDE_3_OPUS = "claude-3-opus"
    CLAUDE_3_5_HAIKU = "claude-3-5-haiku"
    CLAUDE_3_5_SONNET = "claude-3-5-sonnet"
    CLAUDE_3_7_SONNET = "claude-3-7-sonnet"
    CLAUDE_4_OPUS = "claude-4-opus"
    CLAUDE_4_SONNET = "claude-4-sonnet"
    LLAMA_3_3_8B = "llama-3.3-8b"
    LLAMA_3_3_70B = "llama-3.3-70b"
    LLAMA_4_SCOUT = "llama-4-scout"
    LLAMA_4_MAVERICK = "llama-4-maverick"
    CODESRAL = "codestral"
    OPEN_CODESRAL_MAMBA = "open-codestral-mamba"
    MISTRAL = "mistral"
    MINISTRAL = "ministral"
    PIXTRAL = "pixtral"
    UNKNOWN = "unknown"

    # fmt: off
    ANY = Literal[
        "gpt-5", "gpt-41", "gpt-45", "gpt-4o", "o1", "o3", "o4", "gpt-4", "gpt-35", "r1",
        "gemini-1.5-flash", "gemini-1.5-pro", "gemini-2.0-flash", "gemini-2.5-pro",
        "gemini-2.5-flash",
        "claude-3-haiku", "claude-3-sonnet", "claude-3-opus", "claude-3-5-haiku",
        "claude-3-5-sonnet", "claude-3-7-sonnet", "claude-4-opus", "claude-4-sonnet",
        "llama-3.3-8b", "llama-3.3-70b", "llama-4-scout", "llama-4-maverick",
        "codestral", "open-codestral-mamba", "mistral", "ministral", "pixtral",
        "unknown",
    ]
    # fmt: on
    """The type of all these names."""

    _VENDORS: ClassVar = {
        "claude": {
            *(CLAUDE_3_HAIKU, CLAUDE_3_SONNET, CLAUDE_3_OPUS, CLAUDE_3_5_HAIKU),
            *(CLAUDE_3_5_SONNET, CLAUDE_3_7_SONNET, CLAUDE_4_OPUS, CLAUDE_4_SONNET),
        },
        "gemini": {
            *(GEMINI_1_5_FLASH, GEMINI_1_5_PRO, GEMINI_2_0_FLASH),
            *(GEMINI_2_5_PRO, GEMINI_2_5_FLASH),
        },
        "llama": {LLAMA_3_3_8B, LLAMA_3_3_70B, LLAMA_4_SCOUT, LLAMA_4_MAVERICK},
        "mistral": {CODESRAL, OPEN_CODESRAL_MAMBA, MISTRAL, MINISTRAL, PIXTRAL},
        "openai": {GPT_5, GPT_45, GPT_41, GPT_4O, GPT_4, GPT_35, O1, O3, O4},
    }

    def __new__(cls, *args: Any, **kwargs: Any) -> ModelFamily:
        """Refuse: there is nothing to make."""
        raise TypeError(f"{cls.__name__} is a namespace class and cannot be instantiated.")

    @staticmethod
    def is_claude(family: str) -> bool:
        """Return whether a family is a Claude of Anthropic's that has a name here."""
        return family in ModelFamily._VENDORS["claude"]

    @staticmethod
    def is_gemini(family: str) -> bool:
        """Return whether a family is a Gemini of Google's that has a name here."""
        return family in ModelFamily._VENDORS["gemini"]

    @staticmethod
    def is_openai(family: str) -> bool:
        """Return whether a family is one of OpenAI's that has a name here."""
        return family in ModelFamily._VENDORS["openai"]

    @staticmethod
    def is_llama(family: str) -> bool:
        """Return whether a family is a Llama of Meta's that has a name here."""
        return family in ModelFamily._VENDORS["llama"]

    @staticmethod
    def is_mistral(family: str) -> bool:
        """Return whether a family is one of Mistral's that has a name here."""
        return family in ModelFamily._VENDORS["mistral"]


# ruff: noqa: UP007, UP045 - annotations are part of the surface that is compared

# Upstream postpones these annotations too, so `__required_keys__` is empty on both; pydantic
# and type checkers see what is required all the same.

_REQUIRED = ("vision", "function_calling", "json_output", "family")


@deprecated("ModelCapabilities is deprecated: use ModelInfo.")
class ModelCapabilities(TypedDict, total=False):
    """The abilities of a model, in the form before `ModelInfo`."""

    vision: Required[bool]
    """Whether it sees pictures."""

    function_calling: Required[bool]
    """Whether it calls functions."""

    json_output: Required[bool]
    """Whether it can be held to JSON."""


class ModelInfo(TypedDict, total=False):
    """The abilities of a model: the ``model_info`` of a client.

    Example:
        ```python
        from ferrogen.models import ModelFamily, ModelInfo, validate_model_info

        info: ModelInfo = {
            "vision": False,
            "function_calling": True,
            "json_output": True,
            "structured_output": True,
            "family": ModelFamily.UNKNOWN,
        }
        validate_model_info(info)
        ```
    """

    vision: Required[bool]
    """Whether it sees pictures."""

    function_calling: Required[bool]
    """Whether it calls functions."""

    json_output: Required[bool]
    """Whether it can be made to respond with JSON, of any shape."""

    family: Required[Union[ModelFamily.ANY, str]]
    """A name of `ModelFamily`, or any text for another family."""

    structured_output: Required[bool]
    """Whether it can be held to a JSON schema."""

    multiple_system_messages: Optional[bool]
    """Whether system messages may stand apart from each other."""


def validate_model_info(model_info: ModelInfo) -> None:
    """Check that a model info says all that agents rely on.

    A missing ``structured_output`` is a `UserWarning` only.

    Args:
        model_info: The abilities of the model of a client.

    Raises:
        ModelInfoError: A field is missing.
    """
    for field in _REQUIRED:
        if field not in model_info:
            raise ModelInfoError(
                f"Missing required field '{field}' in ModelInfo. "
                f"Required are: {', '.join(_REQUIRED)}"
            )
    if "structured_output" not in model_info:
        warnings.warn(
            "Missing required field 'structured_output' in ModelInfo. "
            "Agents take its absence for False; say so, or True",
            UserWarning,
            stacklevel=2,
        )
