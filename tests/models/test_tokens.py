"""Tokens are estimated without a tokenizer, and come near what one would count."""

from __future__ import annotations

import json

import pytest
from PIL import Image as Pictures

from ferrogen import FunctionCall, Image
from ferrogen.models import (
    AssistantMessage,
    FunctionExecutionResult,
    FunctionExecutionResultMessage,
    LLMMessage,
    SystemMessage,
    UserMessage,
)
from ferrogen.models.tokens import count_text, count_tokens

# What cl100k_base, the tokenizer of GPT-4, makes of these texts.
COUNTED = {
    "english": (
        "Agents are created when they are first written to. A message is handled once, and "
        "whoever sent it hears what came of it, even if the runtime stops in the meantime.",
        35,
    ),
    "german": (
        "Die Würde des Menschen ist unantastbar. Sie zu achten und zu schützen ist Verpflichtung "
        "aller staatlichen Gewalt.",
        32,
    ),
    "russian": (
        "Человек, его права и свободы являются высшей ценностью.",  # noqa: RUF001
        27,
    ),
    "chinese": (
        "中华人民共和国的一切权力属于人民。",
        19,
    ),
    "japanese": (
        "日本国民は、正当に選挙された国会における代表者を通じて行動し",
        31,
    ),
    "python": (
        "def _of_message(message: LLMMessage, model: str) -> int:\n"
        "    if isinstance(message, FunctionExecutionResultMessage):\n"
        "        return sum(4 + count_text(result.content) for result in message.content)\n",
        44,
    ),
    "json": (json.dumps([{"id": n, "name": f"user {n}", "ok": True} for n in range(10)]), 191),
}
WORDS = "one two three"
CALL = FunctionCall(id="1", name="weather", arguments='{"city": "Turin"}')


def picture(width: int, height: int) -> Image:
    return Image.from_pil(Pictures.new("RGB", (width, height)))


@pytest.mark.parametrize("name", COUNTED)
def test_a_text_is_estimated_within_a_fifth_of_what_a_tokenizer_counts(name: str) -> None:
    text, counted = COUNTED[name]
    assert count_text(text) == pytest.approx(counted, rel=0.21)


@pytest.mark.parametrize("text", ["", " "])
def test_nothing_has_no_tokens(text: str) -> None:
    assert count_text(text) == 0


@pytest.mark.parametrize("text", ["x", "\x00", "\ud800", "🎉", "_", "\n", "é", "٣"])
def test_any_sign_has_at_least_a_token(text: str) -> None:
    assert count_text(text) >= 1


@pytest.mark.parametrize(
    "message",
    [
        SystemMessage(content=WORDS),
        UserMessage(content=WORDS, source=""),
        UserMessage(content=["one", " two three"], source=""),
        AssistantMessage(content=WORDS, source="guide"),
        FunctionExecutionResultMessage(
            content=[FunctionExecutionResult(content=WORDS, name="f", call_id="1")]
        ),
    ],
)
def test_a_message_takes_some_tokens_beside_its_text(message: LLMMessage) -> None:
    assert count_tokens([message]) == 4 + 3 + 3


def test_calls_thoughts_and_names_count() -> None:
    without = AssistantMessage(content=[CALL], source="guide")
    thinking = AssistantMessage(content=[CALL], thought=WORDS, source="guide")
    assert count_tokens([thinking]) - count_tokens([without]) == 3
    assert count_tokens([without]) > 4 + 3
    named = UserMessage(content=WORDS, source="traveller")
    assert count_tokens([named]) > count_tokens([UserMessage(content=WORDS, source="")])


def test_tools_count() -> None:
    tool = {"name": "weather", "description": "Tells the weather of a city."}
    assert count_tokens([], [tool]) > 3 + count_text(tool["description"])  # type: ignore[list-item]


@pytest.mark.parametrize(
    ("model", "size", "tokens"),
    [
        ("gpt-4o", (512, 512), 85 + 170),
        ("gpt-4o", (1024, 1024), 85 + 4 * 170),
        ("gpt-4o", (4096, 2048), 85 + 6 * 170),
        ("claude-sonnet-4", (750, 100), 100),
        ("claude-sonnet-4", (5000, 5000), 1600),
        ("gemini-2.5-pro", (384, 384), 258),
        ("gemini-2.5-pro", (1000, 1000), 4 * 258),
        ("who knows", (1, 1), 765),
    ],
)
def test_a_picture_takes_what_its_model_says(
    model: str, size: tuple[int, int], tokens: int
) -> None:
    message = UserMessage(content=[picture(*size)], source="")
    assert count_tokens([message], model=model) == 4 + 3 + tokens
