"""Retry policies and circuit breakers as options: which values make sense, and the delays."""

from __future__ import annotations

import math
import re
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ferrogen import AgentOptions, CircuitBreaker, RetryPolicy, agent_options
from ferrogen.exceptions import AttemptTimeoutError, CantHandleException


@pytest.mark.parametrize(
    ("wrong", "allowed"),
    [
        ({"attempts": 0}, "a whole number of at least 1; got 0"),
        ({"attempts": True}, "a whole number of at least 1; got True"),
        ({"attempts": 2.0}, "a whole number of at least 1; got 2.0"),
        ({"initial_delay": -1}, "a number of seconds of at least 0; got -1"),
        ({"initial_delay": math.nan}, "a number of seconds of at least 0; got nan"),
        ({"multiplier": 0.5}, "a number of at least 1; got 0.5"),
        ({"max_delay": 0.05}, r"at least initial_delay (0.1); got 0.05"),
        ({"max_delay": math.inf}, "got inf"),
        ({"max_delay": "1"}, "got '1'"),
        ({"jitter": "half"}, '"full" or "none"; got \'half\''),
        ({"retry_on": ()}, "one or more subclasses of Exception"),
        ({"retry_on": OSError}, "got <class 'OSError'>"),
        ({"retry_on": (KeyboardInterrupt,)}, "got (<class 'KeyboardInterrupt'>,)"),
        ({"retry_on": "OSError"}, "got 'OSError'"),
        ({"attempt_timeout": 0}, "greater than 0, or None for no limit; got 0"),
    ],
)
def test_a_wrong_option_of_a_policy_is_named_with_what_is_allowed(
    wrong: dict[str, Any], allowed: str
) -> None:
    with pytest.raises(ValueError, match=re.escape(allowed)) as caught:
        RetryPolicy(**wrong)
    assert str(caught.value).startswith(f"{next(iter(wrong))} must be ")


@pytest.mark.parametrize(
    ("wrong", "allowed"),
    [
        ({"failures": 0}, "a whole number of at least 1; got 0"),
        ({"half_open_calls": None}, "a whole number of at least 1; got None"),
        ({"window": 0}, "a number of seconds greater than 0; got 0"),
        ({"reset_after": -2.5}, "a number of seconds greater than 0; got -2.5"),
        ({"failure_on": [int]}, "got [<class 'int'>]"),
    ],
)
def test_a_wrong_option_of_a_circuit_breaker_is_named_with_what_is_allowed(
    wrong: dict[str, Any], allowed: str
) -> None:
    with pytest.raises(ValueError, match=re.escape(allowed)) as caught:
        CircuitBreaker(**wrong)
    assert str(caught.value).startswith(f"{next(iter(wrong))} must be ")


@pytest.mark.parametrize(
    ("option", "kind"), [("retry", "RetryPolicy"), ("circuit_breaker", "CircuitBreaker")]
)
def test_options_of_another_kind_are_refused(option: str, kind: str) -> None:
    wrong: dict[str, Any] = {option: 3}
    text = f"{option} must be a {kind}, or None; got 3"
    with pytest.raises(ValueError, match=text):
        AgentOptions(**wrong)
    with pytest.raises(ValueError, match=text):
        agent_options(**wrong)


def test_policies_are_equal_and_hashable_by_their_values() -> None:
    listed: Any = [OSError]
    one, other = RetryPolicy(retry_on=listed), RetryPolicy(retry_on=(OSError,))
    assert one == other
    assert hash(one) == hash(other)
    assert CircuitBreaker() == CircuitBreaker()


def test_which_errors_are_retried() -> None:
    policy = RetryPolicy(retry_on=(OSError, CantHandleException))
    assert policy.retries(ConnectionError())
    assert policy.retries(AttemptTimeoutError("too long"))
    assert not policy.retries(ValueError())
    assert not policy.retries(CantHandleException())
    assert not policy.retries(KeyboardInterrupt())


@given(
    failures=st.integers(1, 5000),
    initial=st.floats(0, 10),
    multiplier=st.floats(1, 100),
    extra=st.floats(0, 100),
    seed=st.integers(0, 2**32),
)
def test_a_delay_with_jitter_is_between_0_and_its_limit(
    failures: int, initial: float, multiplier: float, extra: float, seed: int
) -> None:
    options: dict[str, Any] = {
        "initial_delay": initial,
        "multiplier": multiplier,
        "max_delay": initial + extra,
    }
    limit = RetryPolicy(**options, jitter="none").delay_after(failures, Random(seed))
    assert initial <= limit <= initial + extra
    assert 0 <= RetryPolicy(**options).delay_after(failures, Random(seed)) <= limit


def test_delays_with_jitter_fill_their_range() -> None:
    policy, random = RetryPolicy(initial_delay=1.0), Random(1)
    delays = [policy.delay_after(2, random) for _ in range(2000)]
    assert min(delays) < 0.05
    assert max(delays) > 1.95
    assert 0.9 < sum(delays) / len(delays) < 1.1
