"""Outcome: five plain values."""

from __future__ import annotations

from ferrogen._core import Outcome

ALL = [Outcome.HANDLED, Outcome.ANSWERED, Outcome.DROPPED, Outcome.FAILED, Outcome.DEAD_LETTERED]


def test_outcomes_are_told_apart_and_can_be_counted() -> None:
    assert len(set(ALL)) == len(ALL)
    assert [int(outcome) for outcome in ALL] == [0, 1, 2, 3, 4]
    assert {outcome: str(outcome) for outcome in ALL}[Outcome.DROPPED] == "Outcome.DROPPED"


def test_an_outcome_is_no_number() -> None:
    assert Outcome.HANDLED != 0
