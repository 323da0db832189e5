"""The state machine of circuit breakers, against a naive model that remembers everything."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from ferrogen import CircuitBreaker
from ferrogen.runtime.failures.circuit import Circuit


class Model:
    """Decides by the whole history, which is a list of events with their times."""

    def __init__(self, options: CircuitBreaker) -> None:
        self.options = options
        self.failed_at: list[float] = []
        self.opened_at: float | None = None
        # Permits of the half-open period: how each has ended so far.
        self.trials: dict[int, str] = {}

    def name(self, now: float) -> str:
        if self.opened_at is None:
            return "closed"
        return "open" if now < self.opened_at + self.options.reset_after else "half-open"

    def admits(self, now: float) -> bool:
        counted = [one for one in self.trials.values() if one != "abandoned"]
        name = self.name(now)
        return name == "closed" or (
            name == "half-open" and len(counted) < self.options.half_open_calls
        )

    def fail(self, now: float) -> None:
        if self.opened_at is None:
            self.failed_at.append(now)
            recent = [one for one in self.failed_at if now - one < self.options.window]
            if len(recent) >= self.options.failures:
                self.opened_at = now
        else:
            self.opened_at, self.trials = now, {}

    def succeed(self) -> None:
        ended = [one for one in self.trials.values() if one == "succeeded"]
        if self.opened_at is not None and len(ended) == self.options.half_open_calls:
            self.opened_at, self.trials, self.failed_at = None, {}, []


class CircuitMachine(RuleBasedStateMachine):
    """Calls begin and end in any order, while time passes."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.running: list[tuple[int, str, int]] = []
        self.number = 0
        self.period = 0
        self.last = "closed"
        self.is_set_up = False

    @precondition(lambda self: not self.is_set_up)
    @rule(
        failures=st.integers(1, 4),
        window=st.sampled_from([1.0, 5.0, 20.0]),
        reset_after=st.sampled_from([1.0, 5.0, 20.0]),
        half_open_calls=st.integers(1, 3),
    )
    def set_up(self, **options: Any) -> None:
        breaker = CircuitBreaker(**options)
        self.circuit, self.model = Circuit(breaker), Model(breaker)
        self.is_set_up = True

    def notice(self) -> None:
        """Count the periods: the reports of calls from earlier ones are ignored."""
        name = self.model.name(self.now)
        if name != self.last:
            self.last = name
            self.period += 1

    @precondition(lambda self: self.is_set_up)
    @rule(seconds=st.sampled_from([0.0, 0.5, 1.0, 4.0, 30.0]))
    def wait(self, seconds: float) -> None:
        self.now += seconds
        self.notice()

    @precondition(lambda self: self.is_set_up)
    @rule()
    def enter(self) -> None:
        admitted = self.model.admits(self.now)
        permit = self.circuit.enter(self.now)
        assert (permit is not None) is admitted
        if permit is not None:
            self.number += 1
            self.running.append((permit, str(self.number), self.period))
            if self.model.opened_at is not None:
                self.model.trials[self.number] = "running"

    @precondition(lambda self: self.is_set_up and self.running)
    @rule(data=st.data(), how=st.sampled_from(["succeeded", "failed", "abandoned"]))
    def end(self, data: st.DataObject, how: str) -> None:
        index = data.draw(st.integers(0, len(self.running) - 1))
        permit, number, period = self.running.pop(index)
        if how == "succeeded":
            self.circuit.succeed(permit, self.now)
        elif how == "failed":
            self.circuit.fail(permit, self.now)
        else:
            self.circuit.abandon(permit)
        if period != self.period:
            return
        if self.model.opened_at is not None:
            self.model.trials[int(number)] = how
        if how == "failed":
            self.model.fail(self.now)
        elif how == "succeeded":
            self.model.succeed()
        self.notice()

    @precondition(lambda self: self.is_set_up)
    @invariant()
    def states_agree(self) -> None:
        state = self.circuit.state(self.now)
        assert state.state == self.model.name(self.now)
        opened_at = self.model.opened_at
        if state.state == "open" and opened_at is not None:
            assert state.retry_after == opened_at + self.model.options.reset_after - self.now
        else:
            assert state.retry_after == 0
        if state.state == "closed":
            window = self.model.options.window
            assert state.failures == len([t for t in self.model.failed_at if self.now - t < window])
        else:
            assert state.failures == self.model.options.failures


TestCircuit = CircuitMachine.TestCase


def test_a_circuit_goes_through_all_states() -> None:
    circuit = Circuit(CircuitBreaker(failures=2, window=10, reset_after=5, half_open_calls=1))
    for now in (0.0, 1.0):
        permit = circuit.enter(now)
        assert permit is not None
        circuit.fail(permit, now)
    assert circuit.state(1.0).state == "open"
    assert circuit.enter(5.9) is None
    trial = circuit.enter(6.0)
    assert trial is not None
    assert circuit.enter(6.0) is None
    circuit.succeed(trial, 7.0)
    assert circuit.state(7.0).state == "closed"


def test_all_trials_have_to_succeed() -> None:
    circuit = Circuit(CircuitBreaker(failures=1, reset_after=5, half_open_calls=2))
    opening = circuit.enter(0.0)
    assert opening is not None
    circuit.fail(opening, 0.0)
    trials = [circuit.enter(5.0), circuit.enter(5.0)]
    assert circuit.enter(5.0) is None
    states = []
    for trial in trials:
        assert trial is not None
        circuit.succeed(trial, 6.0)
        states.append(circuit.state(6.0).state)
    assert states == ["half-open", "closed"]
