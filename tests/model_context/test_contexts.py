"""Contexts remember all messages, and send some of them."""

import pytest
from pydantic import ValidationError

from ferrogen.exceptions import ContextLimitError
from ferrogen.model_context import (
    BufferedChatCompletionContext,
    ChatCompletionContext,
    HeadAndTailChatCompletionContext,
    TokenLimitedChatCompletionContext,
    UnboundedChatCompletionContext,
)
from ferrogen.models import ChatCompletionClient, UserMessage
from ferrogen.tools import ToolSchema


def said(*words):
    return [UserMessage(content=word, source="user") for word in words]


async def contents(context):
    return [message.content for message in await context.get_messages()]


class WordCounter:
    """Counts words and tools, in the place of a client."""

    def __init__(self, room: int = 4):
        self.room = room

    def count_tokens(self, messages, *, tools):
        return sum(len(message.content.split()) for message in messages) + len(tools)

    def remaining_tokens(self, messages, *, tools):
        return self.room - self.count_tokens(messages, tools=tools)


async def test_a_context_that_is_cleared_forgets_what_it_began_with():
    context = UnboundedChatCompletionContext(said("one"))
    await context.add_message(*said("two"))
    assert await contents(context) == ["one", "two"]
    await context.clear()
    assert await contents(context) == []


async def test_messages_that_are_added_do_not_change_the_callers_list():
    beginning = said("one")
    context = UnboundedChatCompletionContext(beginning)
    await context.add_message(*said("two"))
    assert beginning == said("one")
    assert context.dump_component().config == {
        "initial_messages": [{"content": "one", "source": "user", "type": "UserMessage"}]
    }


async def test_state_goes_from_one_kind_of_context_to_another():
    state = await UnboundedChatCompletionContext(said("one", "two", "three")).save_state()
    context = BufferedChatCompletionContext(2)
    await context.load_state(state)
    assert await contents(context) == ["two", "three"]


async def test_a_state_that_is_none_leaves_the_context_as_it_was():
    context = UnboundedChatCompletionContext(said("one"))
    with pytest.raises(ValidationError):
        await context.load_state({"messages": [{"type": "Rumour"}]})
    assert await contents(context) == ["one"]


async def test_a_head_and_a_tail_that_touch_send_everything():
    context = HeadAndTailChatCompletionContext(1, 2, said("one", "two", "three"))
    assert await contents(context) == ["one", "two", "three"]
    await context.add_message(*said("four"))
    assert await contents(context) == ["one", "Skipped 1 messages.", "three", "four"]


async def test_a_token_limit_counts_the_tools_too():
    messages = said("a b", "c d", "e f")
    wide = TokenLimitedChatCompletionContext(
        WordCounter(), token_limit=4, initial_messages=messages
    )
    narrow = TokenLimitedChatCompletionContext(
        WordCounter(),
        token_limit=4,
        tool_schema=[ToolSchema(name="add")],
        initial_messages=messages,
    )
    assert await contents(wide) == ["a b", "e f"]
    assert await contents(narrow) == ["a b"]


async def test_without_a_limit_the_client_says_how_much_fits():
    context = TokenLimitedChatCompletionContext(
        WordCounter(room=2), initial_messages=said("a b", "c d")
    )
    assert await contents(context) == ["a b"]


async def test_nothing_is_sent_if_not_even_one_message_fits():
    context = TokenLimitedChatCompletionContext(WordCounter(), token_limit=1)
    await context.add_message(*said("a b"))
    assert await contents(context) == []


@pytest.mark.parametrize(
    "make",
    [
        lambda: BufferedChatCompletionContext(0),
        lambda: HeadAndTailChatCompletionContext(0, 1),
        lambda: HeadAndTailChatCompletionContext(1, 0),
        lambda: TokenLimitedChatCompletionContext(WordCounter(), token_limit=0),
    ],
)
def test_a_limit_of_zero_is_refused(make):
    with pytest.raises(ContextLimitError, match=r"must be greater than 0, not 0"):
        make()


async def test_a_token_limited_context_is_loaded_with_its_client(monkeypatch):
    counter = WordCounter()
    config = {"model_client": {"provider": "elsewhere.Client", "config": {}}, "token_limit": 3}
    provider = "autogen_core.model_context.TokenLimitedChatCompletionContext"
    monkeypatch.setattr(ChatCompletionClient, "load_component", lambda model: counter)
    context = ChatCompletionContext.load_component({"provider": provider, "config": config})
    await context.add_message(*said("a b"))
    await context.add_message(*said("c d"))
    assert await contents(context) == ["a b"]


@pytest.mark.parametrize(
    "context",
    [
        UnboundedChatCompletionContext(said("one")),
        BufferedChatCompletionContext(2, said("one", "two", "three")),
        HeadAndTailChatCompletionContext(1, 2, said("one", "two", "three", "four")),
    ],
    ids=lambda context: type(context).__name__,
)
async def test_a_context_comes_back_from_its_dump(context):
    loaded = ChatCompletionContext.load_component(context.dump_component())
    assert type(loaded) is type(context)
    assert await contents(loaded) == await contents(context)
    assert loaded.dump_component() == context.dump_component()
