"""Model contexts: the same conversation is cut at the same places, and saved alike."""

import asyncio

import autogen_core
import pytest

import ferrogen

from .harness import same, submodule


class Counter:
    """Counts a message as a token, in the place of a client."""

    def count_tokens(self, messages, *, tools):
        return len(messages)

    def remaining_tokens(self, messages, *, tools):
        return 4 - len(messages)


def conversation(core, pattern: str):
    """Make numbered messages: u is the user's, c a call of functions, r its result."""
    models = submodule(core, "models")
    make = {
        "u": lambda at: models.UserMessage(content=str(at), source="user"),
        "c": lambda at: models.AssistantMessage(
            content=[core.FunctionCall(id=str(at), name="add", arguments="{}")], source="agent"
        ),
        "r": lambda at: models.FunctionExecutionResultMessage(
            content=[models.FunctionExecutionResult(content="2", name="add", call_id=str(at - 1))]
        ),
    }
    return [make[letter](at) for at, letter in enumerate(pattern)]


def contexts(core):
    module = submodule(core, "model_context")
    yield module.UnboundedChatCompletionContext()
    for size in (1, 2, 3, 20):
        yield module.BufferedChatCompletionContext(size)
    for head, tail in ((1, 1), (2, 3), (4, 4)):
        yield module.HeadAndTailChatCompletionContext(head, tail)
    for limit in (1, 3, 20, None):
        yield module.TokenLimitedChatCompletionContext(Counter(), token_limit=limit)


def dumped(messages):
    return [message.model_dump_json() for message in messages]


@pytest.mark.parametrize("pattern", ["u", "uuuuu", "uuuuuuuuu"])
def test_messages_of_people_are_cut_at_the_same_places(pattern):
    async def scenario(core, record):
        for context in contexts(core):
            record(await context.get_messages())
            for message in conversation(core, pattern):
                await context.add_message(message)
                record(type(context).__name__, dumped(await context.get_messages()))

    same(scenario)


@pytest.mark.parametrize("pattern", ["ucruu", "ucrucru", "crcrcru", "uuucr"])
def test_a_call_and_its_result_are_cut_at_the_same_places(pattern):
    async def scenario(core, record):
        module = submodule(core, "model_context")
        for size in (1, 2, 3, 20):
            context = module.BufferedChatCompletionContext(size, conversation(core, pattern))
            record("buffer", size, dumped(await context.get_messages()))

    same(scenario)


def test_state_is_saved_loaded_and_cleared_alike():
    async def scenario(core, record):
        module = submodule(core, "model_context")
        context = module.UnboundedChatCompletionContext(conversation(core, "ucr"))
        state = await context.save_state()
        record(state["messages"][0], [message["type"] for message in state["messages"]])
        await context.clear()
        record(await context.get_messages(), await context.save_state())
        await context.load_state(state)
        record(dumped(await context.get_messages()))
        await record.outcome("bad", context.load_state({"messages": [1]}), words=False)
        record(dumped(await context.get_messages()))

    same(scenario)


def test_limits_have_to_be_above_zero():
    async def scenario(core, record):
        module = submodule(core, "model_context")
        for make in (
            lambda: module.BufferedChatCompletionContext(0),
            lambda: module.HeadAndTailChatCompletionContext(0, 1),
            lambda: module.HeadAndTailChatCompletionContext(1, -1),
            lambda: module.TokenLimitedChatCompletionContext(Counter(), token_limit=0),
        ):
            with pytest.raises(ValueError, match=r"must be greater than 0") as caught:
                make()
            record(str(caught.value).split(" 0")[0])

    same(scenario)


@pytest.mark.parametrize(("writer", "reader"), [(autogen_core, ferrogen), (ferrogen, autogen_core)])
@pytest.mark.parametrize(
    ("name", "sizes"),
    [
        ("UnboundedChatCompletionContext", {}),
        ("HeadAndTailChatCompletionContext", {"head_size": 2, "tail_size": 2}),
    ],
)
def test_a_context_that_either_package_dumped_loads_in_the_other(writer, reader, name, sizes):
    messages = conversation(writer, "ucru")
    context = getattr(submodule(writer, "model_context"), name)(**sizes, initial_messages=messages)
    model = reader.ComponentModel.model_validate_json(context.dump_component().model_dump_json())
    loaded = submodule(reader, "model_context").ChatCompletionContext.load_component(model)
    assert type(loaded).__name__ == name
    assert dumped(asyncio.run(loaded.get_messages())) == dumped(messages)
