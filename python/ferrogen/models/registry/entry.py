"""Registry entry of one model."""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

from ferrogen.models.model_info import ModelInfo
from ferrogen.models.results import RequestUsage
from ferrogen.models.usage import detailed

Ability: TypeAlias = Literal[
    "vision",
    "function_calling",
    "json_output",
    "structured_output",
    "multiple_system_messages",
]
"""A word of `ModelInfo` that a model can have."""


class Price(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The price of a million tokens, in US dollars.

    Example:
        ```python
        from ferrogen.models.registry import Price

        assert Price(input=3.0, output=15.0).cached is None
        ```
    """

    input: float
    """A million tokens of a prompt."""

    output: float
    """A million tokens of a response, its reasoning included."""

    cached: float | None = None
    """A million tokens of a prompt that come from the service's cache; as others if not given."""

    cache_write: float | None = None
    """A million tokens of a prompt that go into the cache; as others if not given."""

    over: int = 0
    """The price is for requests whose prompt is longer than this many tokens."""


class ModelEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The entry of one model in the registry.

    Example:
        ```python
        from ferrogen.models import RequestUsage
        from ferrogen.models.registry import known_model

        entry = known_model("gpt-4o-mini-2024-07-18")
        assert entry is not None
        assert entry.context_length == 128_000
        assert entry.cost(RequestUsage(prompt_tokens=1_000_000, completion_tokens=0)) == 0.15
        ```
    """

    provider: str
    """Who makes it, such as ``"openai"``."""

    family: str
    """The name under which clients treat similar models alike; see `ModelFamily`."""

    abilities: tuple[Ability, ...] = ()
    """Its abilities."""

    context_length: int | None = None
    """How many tokens prompt and response may have together."""

    output_length: int | None = None
    """How many tokens a response may have."""

    prices: tuple[Price, ...] = ()
    """Its price; None for models with open weights."""

    as_of: str = ""
    """The month in which this was true, such as ``"2025-08"``."""

    source: str = ""
    """The page that said so."""

    aliases: tuple[str, ...] = ()
    """Other names of the same model."""

    @property
    def info(self) -> ModelInfo:
        """Its abilities, as the ``model_info`` of a client; a new object each time."""
        return ModelInfo(
            vision="vision" in self.abilities,
            function_calling="function_calling" in self.abilities,
            json_output="json_output" in self.abilities,
            structured_output="structured_output" in self.abilities,
            multiple_system_messages="multiple_system_messages" in self.abilities,
            family=self.family,
        )

    def cost(self, usage: RequestUsage) -> float | None:
        """Compute what a request cost.

        Args:
            usage: Its tokens. Those that came from a cache or went into it are counted apart if it
                is a `DetailedUsage`.

        Returns:
            US dollars, or ``None`` if the price is not known.
        """
        fitting = [
            price for price in self.prices if not price.over or usage.prompt_tokens > price.over
        ]
        if not fitting:
            return None
        price = max(fitting, key=lambda price: price.over)
        more = detailed(usage)
        plain = max(0, more.prompt_tokens - more.cached_tokens - more.cache_write_tokens)
        cached = price.input if price.cached is None else price.cached
        cache_write = price.input if price.cache_write is None else price.cache_write
        millionths = (
            plain * price.input
            + more.cached_tokens * cached
            + more.cache_write_tokens * cache_write
            + more.completion_tokens * price.output
        )
        return millionths / 1_000_000
