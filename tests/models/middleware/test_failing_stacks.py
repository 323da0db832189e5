"""A stack of middleware yields the pieces of exactly one attempt, whichever part fails."""

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from ferrogen.exceptions import AllClientsFailedError, ModelError, ModelStatusError
from ferrogen.models import CreateResult
from ferrogen.models.middleware import Fallback, Retrying
from ferrogen.models.scripted import ScriptedClient

from .fakes import QUESTION, ManualClock

ATTEMPTS = 3

# How an attempt goes: so many pieces, and whether it breaks off then, for a reason that may pass.
ATTEMPT = st.tuples(st.integers(0, 3), st.sampled_from(["whole", "passes", "stays"]))
SCRIPTS = st.lists(ATTEMPT, min_size=ATTEMPTS, max_size=ATTEMPTS)


def scripted(name, script):
    """A client whose pieces contain the number of their attempt."""
    lines = []
    for attempt, (pieces, end) in enumerate(script):
        line = [f"{name}{attempt}.{number} " for number in range(pieces)]
        if end != "whole":
            status = {"passes": 503, "stays": 400}[end]
            line.append(ModelStatusError(f"{name}{attempt}", status=status))
        lines.append(line)
    return ScriptedClient(lines)


def model(clients, streaming):
    """Say what has to come: the attempt that is yielded, and how it ends."""
    for name, script in clients:
        for attempt, (pieces, end) in enumerate(script):
            seen = [f"{name}{attempt}.{number} " for number in range(pieces)] if streaming else []
            if end == "whole":
                return seen, "result"
            if end == "stays" or seen:
                return seen, f"{name}{attempt}"
    return [], "all"


async def play(client, streaming):
    seen = []
    try:
        if not streaming:
            await client.create(QUESTION)
            return seen, "result"
        async for item in client.create_stream(QUESTION):
            if isinstance(item, CreateResult):
                assert item.content == "".join(seen)
                return seen, "result"
            seen.append(item)
    except AllClientsFailedError:
        return seen, "all"
    except ModelError as error:
        return seen, str(error)
    raise AssertionError("a stream has to end with a result or an error")


@given(st.lists(SCRIPTS, min_size=1, max_size=3), st.booleans())
def test_retries_and_fallbacks_hand_out_one_attempt(scripts, streaming):
    clients = list(zip("abc", scripts, strict=False))

    async def scenario():
        clock = ManualClock(runs=True)
        client = Fallback(
            [Retrying(scripted(*each), attempts=ATTEMPTS, clock=clock) for each in clients]
        )
        assert await play(client, streaming) == model(clients, streaming)

    asyncio.run(scenario())
