"""A model is found by its name, or little is claimed of it; users describe models of their own."""

import re
import warnings
from pathlib import Path

import pytest

from ferrogen.exceptions import ModelInfoError
from ferrogen.models import ModelFamily, RequestUsage, validate_model_info
from ferrogen.models.registry import (
    UnknownModelWarning,
    known_model,
    known_models,
    lookup,
    model_info,
    register_models,
)
from ferrogen.models.usage import DetailedUsage

LLAMA = """
[models."our-llama"]
provider = "ourselves"
family = "llama-3.3-70b"
abilities = ["function_calling"]
context_length = 1_000
prices = [{ input = 2.0, output = 4.0 }]
aliases = ["Our-Camel"]
"""


@pytest.fixture(autouse=True)
def forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a test registers or is warned of does not outlive it."""
    monkeypatch.setattr(lookup, "_added", {})
    monkeypatch.setattr(lookup, "_warned", set())


@pytest.mark.parametrize(
    ("name", "family"),
    [
        ("gpt-4o", ModelFamily.GPT_4O),
        ("GPT-4o-2024-08-06", ModelFamily.GPT_4O),
        ("openai/gpt-5-mini", ModelFamily.GPT_5),
        ("gpt-4-0613", ModelFamily.GPT_4),
        ("claude-sonnet-4-20250514", ModelFamily.CLAUDE_4_SONNET),
        ("anthropic/claude-3.5-haiku:beta", ModelFamily.CLAUDE_3_5_HAIKU),
        ("claude-3-5-haiku@20241022", ModelFamily.CLAUDE_3_5_HAIKU),
        ("models/gemini-2.0-flash-001", ModelFamily.GEMINI_2_0_FLASH),
        ("gemini-2.5-pro-preview-03-25", ModelFamily.GEMINI_2_5_PRO),
        ("mistral-large-2411", ModelFamily.MISTRAL),
        ("mistral-small-latest", ModelFamily.MISTRAL),
        ("deepseek-r1:14b", ModelFamily.R1),
        ("Qwen/Qwen2.5-7B-Instruct", "qwen2.5"),
        ("llama3.3:70b", ModelFamily.LLAMA_3_3_70B),
    ],
)
def test_a_name_is_found_with_what_services_write_around_it(name: str, family: str) -> None:
    entry = known_model(name)
    assert entry is not None
    assert entry.family == family


@pytest.mark.parametrize("name", ["", "/", "gpt-4o-audio", "my-gpt-4o", "-2024-08-06", ":latest"])
def test_a_name_that_only_resembles_a_known_one_is_unknown(name: str) -> None:
    assert known_model(name) is None


def test_a_dated_model_that_differs_has_an_entry_of_its_own() -> None:
    old, new = known_model("gpt-4o-2024-05-13"), known_model("gpt-4o")
    assert old is not None
    assert new is not None
    assert new.info["structured_output"]
    assert not old.info["structured_output"]


def test_each_entry_is_complete_and_says_where_its_facts_are_from() -> None:
    for name, entry in known_models().items():
        validate_model_info(entry.info)
        assert re.fullmatch(r"20\d\d-(0[1-9]|1[0-2])", entry.as_of), name
        assert entry.source.startswith("https://"), name
        assert entry.context_length, name
        assert entry.output_length is None or entry.output_length <= entry.context_length, name
        for price in entry.prices:
            assert 0 < price.input <= price.output, name
            assert price.cached is None or price.cached <= price.input, name
        assert known_model(name) is entry, name


def test_no_name_is_given_twice() -> None:
    names = [called for name, entry in known_models().items() for called in (name, *entry.aliases)]
    assert len(names) == len(set(names))


def test_nothing_is_claimed_of_an_unknown_model() -> None:
    with pytest.warns(UnknownModelWarning, match="nothing is known of a model 'mine'"):
        info = model_info("mine")
    validate_model_info(info)
    assert info["family"] == ModelFamily.UNKNOWN
    assert not any(value for key, value in info.items() if key != "family")


def test_an_unknown_model_is_warned_of_once() -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for name in ("mine", "mine", "yours"):
            model_info(name)
    assert [str(warning.message).split("'")[1] for warning in caught] == ["mine", "yours"]


def test_an_info_is_the_callers_to_change() -> None:
    model_info("gpt-4o")["vision"] = False
    assert model_info("gpt-4o")["vision"]


def test_a_file_describes_models(tmp_path: Path) -> None:
    (tmp_path / "models.toml").write_text(LLAMA)
    assert register_models(tmp_path / "models.toml") == ["our-llama"]
    entry = known_model("our-camel")
    assert entry is not None
    assert entry.context_length == 1_000
    assert model_info("our-llama")["function_calling"]
    assert "our-llama" in known_models()


def test_a_file_can_describe_a_known_model_anew(tmp_path: Path) -> None:
    (tmp_path / "models.toml").write_text(LLAMA.replace("our-llama", "gpt-4o"))
    register_models(tmp_path / "models.toml")
    entry = known_model("gpt-4o")
    assert entry is not None
    assert entry.provider == "ourselves"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("models = 1", "expected `object`"),
        ("[models.x", "models.toml does not describe models"),
        ('[models.x]\nprovider = "a"', "missing required field `family`"),
        (LLAMA.replace("function_calling", "flying"), "invalid enum value 'flying'"),
        (LLAMA + "colour = 1", "unknown field `colour`"),
        ("\xff", "does not describe models"),
    ],
)
def test_a_file_of_another_shape_is_refused(tmp_path: Path, text: str, complaint: str) -> None:
    (tmp_path / "models.toml").write_bytes(text.encode("latin-1"))
    with pytest.raises(ModelInfoError, match=f"(?i){complaint}"):
        register_models(tmp_path / "models.toml")


def test_cost_has_cached_tokens_separately() -> None:
    entry = known_model("claude-sonnet-4")
    assert entry is not None
    usage = DetailedUsage(1_000_000, 0, cached_tokens=500_000, cache_write_tokens=100_000)
    assert entry.cost(usage) == pytest.approx(0.4 * 3 + 0.5 * 0.3 + 0.1 * 3.75)


def test_a_long_prompt_has_a_price_of_its_own() -> None:
    entry = known_model("gemini-2.5-pro")
    assert entry is not None
    assert entry.cost(RequestUsage(200_000, 0)) == pytest.approx(0.25)
    assert entry.cost(RequestUsage(200_001, 0)) == pytest.approx(0.5000025)


def test_a_cost_is_unknown_without_a_price() -> None:
    entry = known_model("llama3.3")
    assert entry is not None
    assert entry.cost(RequestUsage(1, 1)) is None
