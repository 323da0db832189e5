"""Model contexts: what is sent together, and whose lists they are."""

import asyncio

import autogen_core
import autogen_core.model_context
import autogen_core.models
import pytest

import ferrogen
import ferrogen.model_context
import ferrogen.models


def conversation(package, pattern: str):
    """Make messages: u is the user's, c a call of functions, r results."""
    models = package.models
    call = package.FunctionCall(id="1", name="add", arguments="{}")
    result = models.FunctionExecutionResult(content="2", name="add", call_id="1")
    make = {
        "u": lambda: models.UserMessage(content="hello", source="user"),
        "c": lambda: models.AssistantMessage(content=[call], source="agent"),
        "r": lambda: models.FunctionExecutionResultMessage(content=[result]),
    }
    return [make[letter]() for letter in pattern]


def sent(context) -> str:
    letters = {"UserMessage": "u", "AssistantMessage": "c", "FunctionExecutionResultMessage": "r"}
    return "".join(letters[message.type] for message in asyncio.run(context.get_messages()))


def note(context) -> str:
    [words] = [
        message.content
        for message in asyncio.run(context.get_messages())
        if getattr(message, "source", "") == "System"
    ]
    return words


class Counter:
    """Counts a message as a token, in the place of a client."""

    def count_tokens(self, messages, *, tools):
        return len(messages)

    def remaining_tokens(self, messages, *, tools):
        return 2 - len(messages)


@pytest.mark.parametrize(
    ("package", "buffer", "tail"), [(autogen_core, "ru", "uuru"), (ferrogen, "u", "uuu")]
)
def test_a_buffer_or_a_tail_starts_with_no_results(package, buffer, tail):
    messages = conversation(package, "uucrru")
    contexts = package.model_context
    assert sent(contexts.BufferedChatCompletionContext(3, messages)) == buffer
    assert sent(contexts.HeadAndTailChatCompletionContext(1, 3, messages)) == tail


@pytest.mark.parametrize(("package", "head"), [(autogen_core, "ucruu"), (ferrogen, "uuu")])
def test_a_head_ends_with_no_call_that_is_cut_from_its_results(package, head):
    messages = conversation(package, "ucrruu")
    assert sent(package.model_context.HeadAndTailChatCompletionContext(3, 1, messages)) == head


@pytest.mark.parametrize("limit", [2, None])
@pytest.mark.parametrize(("package", "kept"), [(autogen_core, "ur"), (ferrogen, "u")])
def test_a_token_limit_drops_a_call_with_its_results(package, kept, limit):
    context = package.model_context.TokenLimitedChatCompletionContext(
        Counter(), token_limit=limit, initial_messages=conversation(package, "ucr")
    )
    assert sent(context) == kept


@pytest.mark.parametrize(("package", "count"), [(autogen_core, 4), (ferrogen, 6)])
def test_the_note_counts_all_that_is_left_out(package, count):
    messages = conversation(package, "ucruucru")
    context = package.model_context.HeadAndTailChatCompletionContext(2, 2, messages)
    assert note(context) == f"Skipped {count} messages."


@pytest.mark.parametrize(("package", "kind"), [(autogen_core, "dict"), (ferrogen, "UserMessage")])
def test_a_loaded_buffer_holds_messages(package, kind):
    context = package.model_context.BufferedChatCompletionContext(2, conversation(package, "u"))
    loaded = type(context).load_component(context.dump_component())
    [message] = asyncio.run(loaded.get_messages())
    assert type(message).__name__ == kind


@pytest.mark.parametrize(("package", "left"), [(autogen_core, ""), (ferrogen, "u")])
def test_the_list_of_messages_is_the_callers(package, left):
    context = package.model_context.UnboundedChatCompletionContext(conversation(package, "u"))
    asyncio.run(context.get_messages()).clear()
    assert sent(context) == left
