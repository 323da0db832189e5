"""A limiter lets through in the order of coming, and no more than fits into any minute."""

import asyncio
import gc
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ferrogen import CancellationToken
from ferrogen.exceptions import ClientSetupError
from ferrogen.models.middleware import RateLimiter

from .fakes import ManualClock, settled


def entering(limiter, sizes, token=None):
    """Let requests of these sizes queue up, and note when each was let through."""
    passed = []

    async def pass_one(number, tokens):
        passage = await limiter.enter(tokens, token)
        passed.append((number, passage))

    return passed, [asyncio.ensure_future(pass_one(*each)) for each in enumerate(sizes)]


async def test_requests_beyond_the_limit_wait_until_a_minute_after_the_first():
    clock = ManualClock()
    limiter = RateLimiter(requests_per_minute=2, clock=clock)
    passed, jobs = entering(limiter, [1, 1])
    await settled()
    await clock.advance(10)
    later, more = entering(limiter, [1])
    await clock.advance(49.9)
    assert (len(passed), later) == (2, [])
    await clock.advance(0.1)
    assert len(later) == 1
    await asyncio.gather(*jobs, *more)


async def test_a_small_request_does_not_overtake_a_large_one():
    clock = ManualClock()
    limiter = RateLimiter(tokens_per_minute=10, clock=clock)
    passed, jobs = entering(limiter, [8, 5, 1])
    await clock.advance(59)
    assert [number for number, _ in passed] == [0]
    await clock.advance(1)
    assert [number for number, _ in passed] == [0, 1, 2]
    await asyncio.gather(*jobs)


async def test_a_request_that_is_larger_than_a_minute_passes_alone():
    clock = ManualClock()
    limiter = RateLimiter(tokens_per_minute=10, clock=clock)
    passed, jobs = entering(limiter, [1, 99, 1])
    await clock.advance(59)
    assert len(passed) == 1
    await clock.advance(1)
    assert len(passed) == 2
    await clock.advance(60)
    assert len(passed) == 3
    await asyncio.gather(*jobs)


async def test_a_correction_lets_the_next_one_through_at_once():
    clock = ManualClock()
    limiter = RateLimiter(tokens_per_minute=10, clock=clock)
    passed, jobs = entering(limiter, [8, 5])
    await settled()
    limiter.correct(passed[0][1], 5)
    await settled()
    assert len(passed) == 2
    await asyncio.gather(*jobs)


async def test_a_correction_upwards_makes_the_next_one_wait():
    clock = ManualClock()
    limiter = RateLimiter(tokens_per_minute=10, clock=clock)
    limiter.correct(await limiter.enter(1), 9)
    passed, jobs = entering(limiter, [5])
    await clock.advance(59)
    assert passed == []
    await clock.advance(1)
    await asyncio.gather(*jobs)


async def test_what_never_reached_the_service_does_not_count():
    limiter = RateLimiter(requests_per_minute=1, tokens_per_minute=10, clock=ManualClock())
    for _ in range(3):
        limiter.withdraw(await limiter.enter(10))


async def test_a_correction_after_a_minute_changes_nothing():
    clock = ManualClock()
    limiter = RateLimiter(tokens_per_minute=10, clock=clock)
    passage = await limiter.enter(10)
    await clock.advance(61)
    await limiter.enter(10)
    limiter.correct(passage, 1)
    limiter.withdraw(passage)
    passed, jobs = entering(limiter, [1])
    await settled()
    assert passed == []
    await clock.advance(60)
    await asyncio.gather(*jobs)


async def test_a_cancelled_caller_releases_its_place():
    clock, token = ManualClock(), CancellationToken()
    limiter = RateLimiter(requests_per_minute=1, clock=clock)
    await limiter.enter(1)
    passed, jobs = entering(limiter, [1], token)
    later, more = entering(limiter, [1])
    await settled()
    token.cancel()
    await clock.advance(60)
    assert (passed, len(later)) == ([], 1)
    assert jobs[0].cancelled()
    await asyncio.gather(*more)


@given(
    st.lists(st.tuples(st.floats(0, 40), st.integers(0, 12), st.integers(0, 12)), max_size=25),
    st.integers(1, 5),
    st.integers(12, 30),
)
def test_no_minute_has_more_than_the_limits(arrivals, requests, tokens):
    async def scenario():
        clock = ManualClock()
        limiter = RateLimiter(requests_per_minute=requests, tokens_per_minute=tokens, clock=clock)
        passed = []

        async def ask(number, estimate, real):
            passage = await limiter.enter(estimate)
            passed.append((number, passage))
            limiter.correct(passage, min(real, estimate))

        jobs = []
        for number, (gap, estimate, real) in enumerate(arrivals):
            jobs.append(asyncio.ensure_future(ask(number, estimate, real)))
            await clock.advance(gap)
        await clock.advance(60.0 * (len(arrivals) + 1))
        await asyncio.gather(*jobs)
        assert [number for number, _ in passed] == list(range(len(arrivals)))
        passages = [passage for _, passage in passed]
        for first in passages:
            minute = [each for each in passages if first.at <= each.at < first.at + 60]
            assert len(minute) <= requests
            assert sum(each.tokens for each in minute) <= tokens

    asyncio.run(scenario())


def test_clients_in_several_threads_share_a_limiter():
    clock = ManualClock(runs=True)
    limiter = RateLimiter(requests_per_minute=50, clock=clock)
    with ThreadPoolExecutor(4) as pool:

        async def crowd():
            return await asyncio.gather(*(limiter.enter(1) for _ in range(50)))

        crowds = list(pool.map(lambda _: asyncio.run(crowd()), range(4)))
    times = sorted(passage.at for crowd in crowds for passage in crowd)
    assert len(times) == 200
    assert all(later - first >= 60 for first, later in zip(times, times[50:], strict=False))


def test_a_correction_in_another_thread_lets_the_next_one_through():
    limiter = RateLimiter(tokens_per_minute=10)

    async def scenario():
        passage = await limiter.enter(10)
        waiting = asyncio.ensure_future(limiter.enter(5))
        await settled()
        await asyncio.to_thread(limiter.correct, passage, 5)
        await waiting

    asyncio.run(scenario())


def test_a_limiter_serves_one_loop_after_another():
    limiter = RateLimiter(requests_per_minute=9)

    async def crowd():
        await asyncio.gather(*(limiter.enter(1) for _ in range(3)))

    asyncio.run(crowd())
    asyncio.run(crowd())


def test_a_name_stands_for_one_limiter_while_it_is_referenced():
    first = RateLimiter.named("account", requests_per_minute=3)
    assert RateLimiter.named("account", requests_per_minute=3) is first
    with pytest.raises(ClientSetupError, match="there is a rate limiter 'account' already"):
        RateLimiter.named("account", requests_per_minute=4)
    del first
    gc.collect()
    assert RateLimiter.named("account", requests_per_minute=4).requests_per_minute == 4


def test_a_limit_of_nothing_is_refused():
    with pytest.raises(ClientSetupError, match="tokens_per_minute must be at least 1, not 0"):
        RateLimiter(tokens_per_minute=0)
