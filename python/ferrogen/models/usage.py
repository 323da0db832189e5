"""Usage of requests in tokens and money, per client, agent and conversation."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from ferrogen._core import AgentId
from ferrogen.messaging.handler_context import CONVERSATION, MESSAGE_HANDLER_CONTEXT
from ferrogen.models.results import RequestUsage


@dataclass
class DetailedUsage(RequestUsage):
    """The usage of a request, as far as the service reported it; usages can be added.

    Example:
        ```python
        from ferrogen.models.usage import DetailedUsage

        first = DetailedUsage(100, 20, cached_tokens=80, cost=0.01)
        both = first + DetailedUsage(50, 10, cost=0.02)
        assert (both.prompt_tokens, both.cached_tokens, both.cost) == (150, 80, 0.03)
        ```
    """

    cached_tokens: int = 0
    """Tokens of the prompt that the service read from its cache; part of ``prompt_tokens``."""

    cache_write_tokens: int = 0
    """Tokens of the prompt that it wrote into its cache; part of ``prompt_tokens``."""

    reasoning_tokens: int = 0
    """Tokens of the reasoning before the response; part of ``completion_tokens``."""

    audio_tokens: int = 0
    """Tokens of sound, in the prompt and in the response."""

    cost: float | None = None
    """In US dollars; ``None`` if the price of the model is not known."""

    estimated: bool = False
    """Whether tokens were counted here, because the service did not report them."""

    def __add__(self, other: RequestUsage) -> DetailedUsage:
        if not isinstance(other, RequestUsage):
            return NotImplemented
        more = detailed(other)
        known = self.cost is not None and more.cost is not None
        return DetailedUsage(
            self.prompt_tokens + more.prompt_tokens,
            self.completion_tokens + more.completion_tokens,
            cached_tokens=self.cached_tokens + more.cached_tokens,
            cache_write_tokens=self.cache_write_tokens + more.cache_write_tokens,
            reasoning_tokens=self.reasoning_tokens + more.reasoning_tokens,
            audio_tokens=self.audio_tokens + more.audio_tokens,
            cost=(self.cost or 0.0) + (more.cost or 0.0) if known else None,
            estimated=self.estimated or more.estimated,
        )

    __radd__ = __add__


def detailed(usage: RequestUsage) -> DetailedUsage:
    """Give a usage with details: the same object if it has them, else one of the same tokens.

    A usage of no tokens costs nothing; the cost of any other is not known.
    """
    if isinstance(usage, DetailedUsage):
        return usage
    prompt, completion = usage.prompt_tokens, usage.completion_tokens
    return DetailedUsage(prompt, completion, cost=None if prompt or completion else 0.0)


@contextmanager
def conversation(name: str) -> Iterator[None]:
    """Record the requests inside a ``with`` block under this conversation.

    Args:
        name: The conversation. Inside a message handler it is the agent's key by default.

    Example:
        ```python
        from ferrogen.models.usage import DetailedUsage, UsageLedger, conversation

        ledger = UsageLedger()
        with conversation("support-17"):
            ledger.record(DetailedUsage(12, 30))
        assert ledger.of_conversation("support-17").completion_tokens == 30
        ```
    """
    token = CONVERSATION.set(name)
    try:
        yield
    finally:
        CONVERSATION.reset(token)


class UsageLedger:
    """The usage in total, by agent, and by conversation.

    Each model client has one; give several clients the same one to have their sums together. The
    agent is the one whose message handler asks. The conversation is its key, or what
    `conversation` says.

    Args:
        keep: How many agents, and how many conversations, are remembered: those that asked last.
            The totals count everyone.

    Example:
        ```python
        from ferrogen import AgentId
        from ferrogen.models.usage import DetailedUsage, UsageLedger

        ledger = UsageLedger()
        ledger.record(DetailedUsage(12, 30, cost=0.5), agent=AgentId("guide", "tour-1"))
        assert ledger.of_agent(AgentId("guide", "tour-1")).cost == 0.5
        assert ledger.of_conversation("tour-1").prompt_tokens == 12
        ```
    """

    def __init__(self, *, keep: int = 10_000) -> None:
        self._keep = keep
        self._total = _nothing()
        self._actual = _nothing()
        self._agents: OrderedDict[str, DetailedUsage] = OrderedDict()
        self._conversations: OrderedDict[str, DetailedUsage] = OrderedDict()

    @property
    def total(self) -> DetailedUsage:
        """All requests, including cache hits."""
        return self._total

    @property
    def actual(self) -> DetailedUsage:
        """The requests that reached a service."""
        return self._actual

    @property
    def agents(self) -> dict[str, DetailedUsage]:
        """The usage by agent id as text; the agent with the newest request is the last."""
        return dict(self._agents)

    @property
    def conversations(self) -> dict[str, DetailedUsage]:
        """The usage by conversation; the one with the newest request is the last."""
        return dict(self._conversations)

    def of_agent(self, agent: AgentId | str) -> DetailedUsage:
        """Return the usage of an agent; zero if it sent no request or its usage was dropped."""
        return self._agents.get(str(agent)) or _nothing()

    def of_conversation(self, name: str) -> DetailedUsage:
        """Return the usage of a conversation; zero if it is unknown or its usage was dropped."""
        return self._conversations.get(name) or _nothing()

    def record(
        self,
        usage: RequestUsage,
        *,
        cached: bool = False,
        agent: AgentId | None = None,
    ) -> None:
        """Add what a request took.

        Args:
            usage: The usage.
            cached: Whether it is a cache hit, which counts for the total only.
            agent: The agent that sent the request; by default the one whose handler runs.
        """
        self._total += usage
        if cached:
            return
        self._actual += usage
        agent = agent or MESSAGE_HANDLER_CONTEXT.get(None)
        talk = CONVERSATION.get(None)
        if agent is not None:
            self._add(self._agents, str(agent), usage)
            talk = talk or agent.key
        if talk is not None:
            self._add(self._conversations, talk, usage)

    def _add(self, sums: OrderedDict[str, DetailedUsage], name: str, usage: RequestUsage) -> None:
        sums[name] = sums.get(name, _nothing()) + usage
        sums.move_to_end(name)
        if len(sums) > self._keep:
            sums.popitem(last=False)


def _nothing() -> DetailedUsage:
    return DetailedUsage(0, 0, cost=0.0)
