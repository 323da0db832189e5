"""``ferrogen models`` lists what is known of models."""

import json

import pytest

from ferrogen.models.registry import known_models


def test_every_known_model_has_a_line(ferrogen):
    done = ferrogen("models")
    assert (done.returncode, done.stderr) == (0, "")
    heading, *lines = done.stdout.splitlines()
    assert heading.split()[:4] == ["MODEL", "FAMILY", "CONTEXT", "ABILITIES"]
    assert [line.split()[0] for line in lines] == list(known_models())


def test_a_line_has_abilities_and_the_price_with_its_month(ferrogen):
    [line] = ferrogen("models", "claude-3-5-haiku").stdout.splitlines()[1:]
    assert " ".join(line.split()) == (
        "claude-3-5-haiku claude-3-5-haiku 200,000 "
        "vision, function_calling, json_output, multiple_system_messages "
        "0.8 (0.08 cached) in, 4 out 2026-11"
    )


@pytest.mark.parametrize("words", ["ANTHROPIC", "claude"])
def test_models_are_found_by_maker_and_by_name(ferrogen, words):
    lines = ferrogen("models", words).stdout.splitlines()[1:]
    assert lines
    assert all(line.startswith("claude") for line in lines)


def test_json_has_all_details(ferrogen):
    done = ferrogen("models", "claude-3-5-haiku", "--json")
    entry = json.loads(done.stdout)["claude-3-5-haiku"]
    assert entry["provider"] == "anthropic"
    assert entry["context_length"] == 200_000
    assert entry["prices"][0]["cache_write"] == 1.0
    assert entry["source"].startswith("https://")


def test_models_of_ones_own_are_listed_too(ferrogen, tmp_path):
    file = tmp_path / "ours.toml"
    file.write_text('[models."our-llama"]\nprovider = "ourselves"\nfamily = "llama"\n')
    done = ferrogen("models", "ourselves", "--file", str(file))
    assert done.stdout.splitlines()[1].split() == ["our-llama", "llama", "-", "-", "-", "-"]


def test_an_unknown_model_is_reported_in_one_sentence(ferrogen):
    done = ferrogen("models", "no-such-model")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == 'ferrogen models: there is no model with "no-such-model"\n'
    assert ferrogen("models", "no-such-model", "--json").stdout == "{}\n"


@pytest.mark.parametrize("content", ["models = 3", "oops", None])
def test_a_file_without_models_is_reported_in_one_sentence(ferrogen, tmp_path, content):
    file = tmp_path / "ours.toml"
    if content is not None:
        file.write_text(content)
    done = ferrogen("models", "--file", str(file))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("ferrogen models: ")
    assert done.stderr.count("\n") == 1
