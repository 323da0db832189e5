"""Usage is added up in all, per agent and per conversation."""

from dataclasses import dataclass

import pytest
from pydantic import TypeAdapter

from ferrogen import (
    AgentId,
    MessageContext,
    RoutedAgent,
    SingleThreadedAgentRuntime,
    message_handler,
)
from ferrogen.models import CreateResult, RequestUsage
from ferrogen.models.usage import DetailedUsage, UsageLedger, conversation


def test_every_number_is_added() -> None:
    one = DetailedUsage(
        1, 2, cached_tokens=3, cache_write_tokens=4, reasoning_tokens=5, audio_tokens=6, cost=0.5
    )
    assert one + one == DetailedUsage(
        2, 4, cached_tokens=6, cache_write_tokens=8, reasoning_tokens=10, audio_tokens=12, cost=1.0
    )


def test_a_cost_that_is_not_known_makes_the_sum_unknown() -> None:
    assert (DetailedUsage(1, 1, cost=0.5) + RequestUsage(1, 1)).cost is None
    assert (RequestUsage(1, 1) + DetailedUsage(1, 1, cost=0.5)).cost is None


def test_nothing_costs_nothing() -> None:
    assert (RequestUsage(0, 0) + DetailedUsage(1, 1, cost=0.5)).cost == 0.5


def test_an_estimate_in_a_sum_shows() -> None:
    assert (DetailedUsage(1, 1, estimated=True) + DetailedUsage(1, 1)).estimated


def test_only_usages_can_be_added() -> None:
    with pytest.raises(TypeError):
        DetailedUsage(1, 1) + 1  # type: ignore[operator]


def test_a_result_keeps_the_details_and_writes_what_upstream_reads() -> None:
    usage = DetailedUsage(3, 2, cached_tokens=1, cost=0.5)
    result = CreateResult(finish_reason="stop", content="", usage=usage, cached=False)
    assert result.usage is usage
    assert result.model_dump()["usage"] == {"prompt_tokens": 3, "completion_tokens": 2}
    assert TypeAdapter(CreateResult).validate_json(result.model_dump_json()).usage == RequestUsage(
        3, 2
    )


def test_cached_responses_count_for_the_total_only() -> None:
    ledger = UsageLedger()
    ledger.record(DetailedUsage(1, 1, cost=0.5))
    ledger.record(DetailedUsage(2, 2, cost=0.5), cached=True)
    assert ledger.total == DetailedUsage(3, 3, cost=1.0)
    assert ledger.actual == DetailedUsage(1, 1, cost=0.5)


@dataclass
class Question:
    text: str


class _Asker(RoutedAgent):
    def __init__(self, ledger: UsageLedger) -> None:
        super().__init__("asks a model")
        self._ledger = ledger

    @message_handler
    async def on_question(self, message: Question, ctx: MessageContext) -> None:
        self._ledger.record(DetailedUsage(len(message.text), 1))


async def test_what_handlers_ask_is_recorded_under_their_agent_and_its_key() -> None:
    ledger = UsageLedger()
    runtime = SingleThreadedAgentRuntime()
    for name in ("guide", "critic"):
        await _Asker.register(runtime, name, lambda: _Asker(ledger))
    runtime.start()
    await runtime.send_message(Question("one"), AgentId("guide", "tour"))
    await runtime.send_message(Question("three"), AgentId("critic", "tour"))
    await runtime.send_message(Question("x"), AgentId("guide", "museum"))
    await runtime.stop_when_idle()
    assert ledger.of_agent(AgentId("guide", "tour")).prompt_tokens == 3
    assert {name: usage.prompt_tokens for name, usage in ledger.agents.items()} == {
        "guide/tour": 3,
        "critic/tour": 5,
        "guide/museum": 1,
    }
    assert {name: usage.prompt_tokens for name, usage in ledger.conversations.items()} == {
        "tour": 8,
        "museum": 1,
    }


def test_a_conversation_can_be_named() -> None:
    ledger = UsageLedger()
    with conversation("support-17"):
        ledger.record(DetailedUsage(1, 1), agent=AgentId("guide", "tour"))
    ledger.record(DetailedUsage(5, 5), agent=AgentId("guide", "tour"))
    assert ledger.of_conversation("support-17").prompt_tokens == 1
    assert ledger.of_conversation("tour").prompt_tokens == 5


def test_outside_of_everything_only_the_totals_count() -> None:
    ledger = UsageLedger()
    ledger.record(RequestUsage(1, 1))
    assert (ledger.agents, ledger.conversations) == ({}, {})
    assert ledger.of_agent("guide/tour") == DetailedUsage(0, 0, cost=0.0)


def test_old_callers_are_forgotten_and_remain_in_the_total() -> None:
    ledger = UsageLedger(keep=2)
    for key in ("a", "b", "a", "c"):
        ledger.record(DetailedUsage(1, 1), agent=AgentId("guide", key))
    assert list(ledger.agents) == ["guide/a", "guide/c"]
    assert list(ledger.conversations) == ["a", "c"]
    assert ledger.total.prompt_tokens == 4
