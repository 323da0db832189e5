"""Names of model families."""

from typing import Any, ClassVar, Literal


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

    def __new__(cls, *args: Any, **kwargs: Any) -> "ModelFamily":
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
