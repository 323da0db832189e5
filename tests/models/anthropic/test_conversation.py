"""Conversations become what Anthropic's API accepts, and lose nothing on the way."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image as PillowImage

from ferrogen import FunctionCall, Image
from ferrogen.models import (
    AssistantMessage,
    FunctionExecutionResult,
    FunctionExecutionResultMessage,
    SystemMessage,
    UserMessage,
)
from ferrogen.models.providers._tool_calls import ProviderData
from ferrogen.models.providers.anthropic.conversation import OPENING, conversation_of
from ferrogen.models.providers.anthropic.tools import OfferedTools


def user(text):
    return UserMessage(content=text, source="user")


def assistant(text):
    return AssistantMessage(content=text, source="guide")


def calling(*ids, thought=None):
    calls = [FunctionCall(id=name, name="weather", arguments='{"city": "Turin"}') for name in ids]
    return AssistantMessage(content=calls, source="guide", thought=thought)


def results(*pairs, is_error=None):
    return FunctionExecutionResultMessage(
        content=[
            FunctionExecutionResult(content=text, name="weather", call_id=name, is_error=is_error)
            for name, text in pairs
        ]
    )


def said(role, *texts):
    return {"role": role, "content": [{"type": "text", "text": text} for text in texts]}


def sent(*messages):
    return conversation_of(messages).messages


def test_what_the_developer_says_stands_apart_wherever_it_was_said():
    conversation = conversation_of(
        [SystemMessage(content="Be brief."), user("Ciao"), SystemMessage(content="Be kind.")]
    )
    assert conversation.system == ["Be brief.", "Be kind."]
    assert conversation.messages == [said("user", "Ciao")]


def test_messages_of_one_role_become_one_message():
    assert sent(user("a"), user("b"), assistant("c"), assistant("d"), user("e")) == [
        said("user", "a", "b"),
        said("assistant", "c", "d"),
        said("user", "e"),
    ]


def test_blank_text_is_left_out_and_the_messages_around_it_are_joined():
    assert sent(user("a"), assistant(" \n"), user("b"), user("")) == [said("user", "a", "b")]


def test_a_conversation_that_the_assistant_begins_gets_a_user_before_it():
    assert sent(assistant("Welcome!"), user("Hi")) == [
        said("user", OPENING),
        said("assistant", "Welcome!"),
        said("user", "Hi"),
    ]


def test_a_conversation_of_the_developer_alone_asks_the_model_to_begin():
    assert sent(SystemMessage(content="Tell a joke.")) == [said("user", OPENING)]


def test_blanks_at_the_end_of_what_the_model_is_to_continue_are_cut_in_the_copy_only():
    prefix = assistant("The answer is: ")
    assert sent(user("How many?"), prefix)[-1] == said("assistant", "The answer is:")
    assert prefix.content == "The answer is: "


def test_pictures_stand_among_the_words():
    picture = Image(PillowImage.new("RGB", (1, 1), "red"))
    message = UserMessage(content=["This:", picture, " ", "What is it?"], source="user")
    [content] = [message["content"] for message in sent(message)]
    assert [block["type"] for block in content] == ["text", "image", "text"]
    assert content[1]["source"] == {
        "type": "base64",
        "media_type": "image/png",
        "data": picture.to_base64(),
    }


def test_calls_and_their_results_stand_in_neighbouring_messages():
    messages = sent(
        user("Weather?"),
        calling("1", "2", thought="I shall look."),
        results(("2", "rain")),
        results(("1", "sun")),
        user("And?"),
    )
    assert [message["role"] for message in messages] == ["user", "assistant", "user"]
    assert messages[1]["content"] == [
        {"type": "text", "text": "I shall look."},
        {"type": "tool_use", "id": "1", "name": "weather", "input": {"city": "Turin"}},
        {"type": "tool_use", "id": "2", "name": "weather", "input": {"city": "Turin"}},
    ]
    assert messages[2]["content"] == [
        {"type": "tool_result", "tool_use_id": "2", "content": [{"type": "text", "text": "rain"}]},
        {"type": "tool_result", "tool_use_id": "1", "content": [{"type": "text", "text": "sun"}]},
        {"type": "text", "text": "And?"},
    ]


def test_results_go_before_what_the_user_said_meanwhile():
    content = sent(user("Weather?"), calling("1"), user("Hurry!"), results(("1", "sun")))[-1]
    assert [block["type"] for block in content["content"]] == ["tool_result", "text"]


def test_a_result_that_is_an_error_is_marked_and_an_empty_one_has_no_content():
    [_, _, failed] = sent(user("?"), calling("1"), results(("1", ""), is_error=True))
    assert failed["content"] == [{"type": "tool_result", "tool_use_id": "1", "is_error": True}]


def test_a_call_without_a_result_gets_one_that_says_so():
    messages = sent(user("?"), calling("1", "2"), results(("2", "sun")), assistant("Sunny."))
    assert [block["tool_use_id"] for block in messages[2]["content"]] == ["2", "1"]
    assert messages[2]["content"][1]["is_error"]
    assert messages[3] == said("assistant", "Sunny.")


def test_a_result_without_its_call_is_sent_as_text():
    assert sent(results(("1", "sun")), user("So?")) == [
        said("user", "weather returned: sun", "So?")
    ]


@pytest.mark.parametrize("ids", [("", ""), ("call:1", "call:2"), ("a", "a")])
def test_ids_that_the_api_refuses_are_replaced_in_calls_and_results_alike(ids):
    messages = sent(user("?"), calling(*ids), results(*[(name, name) for name in ids]))
    called = [block["id"] for block in messages[1]["content"]]
    assert called == [block["tool_use_id"] for block in messages[2]["content"]]
    assert len(set(called)) == 2
    assert all(name.replace("_", "").replace("-", "").isalnum() for name in called)


@pytest.mark.parametrize(
    ("arguments", "written"),
    [
        ('{"a": 1}', {"a": 1}),
        ("", {}),
        ("[1]", {"text": "[1]"}),
        ('{"a": ', {"text": '{"a": '}),
        ('{"a": NaN}', {"text": '{"a": NaN}'}),
    ],
)
def test_arguments_that_are_no_object_are_shown_to_the_model_as_it_wrote_them(arguments, written):
    message = AssistantMessage(content=[FunctionCall("1", arguments, "f")], source="guide")
    assert sent(user("?"), message)[1]["content"][0]["input"] == written


def test_a_response_with_signed_thoughts_is_sent_back_word_for_word():
    data, offered = ProviderData("anthropic"), OfferedTools()
    message = calling("1", thought="Hm.")
    thought = {"type": "thinking", "thinking": "Hm.", "signature": "abc"}
    tools = [{"name": "weather", "input_schema": {"type": "object"}}]
    data.keep(message.content, [{"blocks": [thought, {"type": "tool_use", "id": "1"}]}])
    offered.remember(message.content, tools)
    conversation = conversation_of([user("?"), message, results(("1", "sun"))], data, offered)
    use = {"type": "tool_use", "id": "1", "name": "weather", "input": {"city": "Turin"}}
    assert conversation.messages[1]["content"] == [thought, use]
    assert conversation.tools == tools
    other = message.model_copy(update={"content": [FunctionCall("2", "{}", "weather")]})
    assert "thinking" not in str(conversation_of([user("?"), other], data).messages[1])


def test_the_data_of_another_service_is_not_sent():
    message = calling("1")
    thought = {"type": "thinking", "thinking": "Hm.", "signature": "abc"}
    blocks = [thought, {"type": "tool_use", "id": "1"}]
    ProviderData("another").keep(message.content, [{"blocks": blocks}])
    assert "thinking" not in str(
        conversation_of([user("?"), message], ProviderData("this")).messages
    )


def test_ids_are_used_once_in_a_request():
    messages = sent(
        *(user("?"), calling("a"), results(("a", "1"))),
        *(user("again"), calling("a"), results(("a", "2"))),
    )
    called = [block["id"] for message in messages for block in message["content"] if "id" in block]
    returned = [
        (block["tool_use_id"], block["content"][0]["text"])
        for message in messages
        for block in message["content"]
        if "tool_use_id" in block
    ]
    assert len(set(called)) == 2
    assert returned == list(zip(called, ["1", "2"], strict=True))


def test_the_oldest_tools_are_forgotten():
    offered = OfferedTools(capacity=2)
    for name in "abc":
        offered.remember([FunctionCall(name, "{}", "f")], [{"name": name}])
    known = [bool(offered.of([FunctionCall(name, "{}", "f")])) for name in "abc"]
    assert known == [False, True, True]


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=5)
IDS = st.sampled_from(["", "1", "2", "a:b", "a_b"])
CALLS = st.builds(FunctionCall, IDS, st.sampled_from(['{"a": 1}', "oops", ""]), st.just("f"))
RESULTS = st.builds(FunctionExecutionResult, content=TEXTS, name=st.just("f"), call_id=IDS)
MESSAGES = st.lists(
    st.one_of(
        st.builds(SystemMessage, content=TEXTS),
        st.builds(UserMessage, content=TEXTS | st.lists(TEXTS, max_size=3), source=st.just("u")),
        st.builds(
            AssistantMessage,
            content=TEXTS | st.lists(CALLS, max_size=3),
            thought=st.none() | TEXTS,
            source=st.just("a"),
        ),
        st.builds(FunctionExecutionResultMessage, content=st.lists(RESULTS, max_size=3)),
    ),
    max_size=8,
)


@given(MESSAGES)
def test_whatever_was_said_the_api_can_take_it(messages):
    conversation = conversation_of(messages)
    roles = [message["role"] for message in conversation.messages]
    assert roles == (["user", "assistant"] * len(roles))[: len(roles)]
    assert roles
    for number, message in enumerate(conversation.messages):
        assert message["content"]
        kinds = [block["type"] for block in message["content"]]
        assert all(block["text"].strip() for block in message["content"] if "text" in block)
        called = [block["id"] for block in message["content"] if block["type"] == "tool_use"]
        assert len(set(called)) == len(called)
        returned = [x["tool_use_id"] for x in message["content"] if x["type"] == "tool_result"]
        assert kinds[: len(returned)] == ["tool_result"] * len(returned)
        previous = conversation.messages[number - 1]["content"] if number else []
        asked = [block["id"] for block in previous if block["type"] == "tool_use"]
        assert sorted(returned) == sorted(asked)


@given(MESSAGES)
def test_no_word_is_lost_and_no_message_is_changed(messages):
    before = [message.model_dump_json() for message in messages]
    conversation = conversation_of(messages)
    everything = json.dumps([conversation.system, conversation.messages], ensure_ascii=False)
    for message in messages:
        if isinstance(message.content, str):
            words = [message.content]
        elif isinstance(message, FunctionExecutionResultMessage):
            words = [result.content for result in message.content]
        elif isinstance(message, AssistantMessage):
            words = [message.thought or "", *(call.name for call in message.content)]
        else:
            words = message.content
        for word in words:
            assert json.dumps(word.strip(), ensure_ascii=False)[1:-1] in everything
    assert [message.model_dump_json() for message in messages] == before
