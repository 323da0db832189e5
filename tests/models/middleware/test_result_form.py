"""Any result comes back from its written form as what it was, its usage included."""

import json

from hypothesis import given
from hypothesis import strategies as st

from ferrogen.models.middleware.cached import CacheEntry
from ferrogen.models.middleware.json_forms import read_result, written_result
from ferrogen.models.usage import DetailedUsage

from ..test_round_trip import MODELS

COUNTS = st.integers(0, 10**6)
USAGES = MODELS["RequestUsage"] | st.builds(
    DetailedUsage,
    COUNTS,
    COUNTS,
    cached_tokens=COUNTS,
    reasoning_tokens=COUNTS,
    cost=st.none() | st.floats(0, 100),
    estimated=st.booleans(),
)
RESULTS = st.builds(
    lambda result, usage: result.model_copy(update={"usage": usage}),
    MODELS["CreateResult"],
    USAGES,
)


@given(RESULTS)
def test_a_result_comes_back_from_json(result):
    read = read_result(json.loads(json.dumps(written_result(result))))
    assert read == result
    assert type(read.usage) is type(result.usage)


@given(RESULTS, st.lists(st.text(max_size=5), max_size=3))
def test_an_entry_of_a_cache_comes_back_from_its_text(result, pieces):
    entry = CacheEntry(17.5, pieces, result)
    assert CacheEntry.from_text(entry.to_text()) == entry
