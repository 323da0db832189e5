"""Messages and results come back from JSON and from pickles, on both sides, as what they were."""

import pickle
from dataclasses import is_dataclass
from typing import Any

import autogen_core.models as upstream
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image as PillowImage
from pydantic import BaseModel, TypeAdapter

import ferrogen.models as ours
from ferrogen import FunctionCall
from ferrogen._image import Image

TEXT = st.text(max_size=8)
CALLS = st.lists(st.builds(FunctionCall, id=TEXT, arguments=TEXT, name=TEXT), max_size=3)
NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
BYTES = st.none() | st.lists(st.integers(0, 255), max_size=4)
COUNTS = st.integers(0, 10**6)
IMAGES = st.builds(
    lambda size, colour: Image(PillowImage.new("RGB", size, colour)),
    st.tuples(st.integers(1, 3), st.integers(1, 3)),
    st.tuples(*[st.integers(0, 255)] * 3),
)
RESULTS = st.builds(
    ours.FunctionExecutionResult,
    content=TEXT,
    name=TEXT,
    call_id=TEXT,
    is_error=st.none() | st.booleans(),
)
LOGPROBS = st.builds(
    ours.ChatCompletionTokenLogprob,
    token=TEXT,
    logprob=NUMBERS,
    top_logprobs=st.none()
    | st.lists(st.builds(ours.TopLogprob, logprob=NUMBERS, bytes=BYTES), max_size=2),
    bytes=BYTES,
)
MODELS: dict[str, st.SearchStrategy[Any]] = {
    "SystemMessage": st.builds(ours.SystemMessage, content=TEXT),
    "UserMessage": st.builds(
        ours.UserMessage, content=TEXT | st.lists(TEXT | IMAGES, max_size=3), source=TEXT
    ),
    "AssistantMessage": st.builds(
        ours.AssistantMessage, content=TEXT | CALLS, thought=st.none() | TEXT, source=TEXT
    ),
    "FunctionExecutionResult": RESULTS,
    "FunctionExecutionResultMessage": st.builds(
        ours.FunctionExecutionResultMessage, content=st.lists(RESULTS, max_size=3)
    ),
    "RequestUsage": st.builds(ours.RequestUsage, COUNTS, COUNTS),
    "TopLogprob": st.builds(ours.TopLogprob, logprob=NUMBERS, bytes=BYTES),
    "ChatCompletionTokenLogprob": LOGPROBS,
    "CreateResult": st.builds(
        ours.CreateResult,
        finish_reason=st.sampled_from(
            ["stop", "length", "function_calls", "content_filter", "unknown"]
        ),
        content=TEXT | CALLS,
        usage=st.builds(ours.RequestUsage, COUNTS, COUNTS),
        cached=st.booleans(),
        logprobs=st.none() | st.lists(LOGPROBS, max_size=2),
        thought=st.none() | TEXT,
    ),
}


def plain(value: Any) -> Any:
    return TypeAdapter(type(value)).dump_python(value, mode="json")


def test_every_public_model_is_covered():
    models = {
        name
        for name in ours.__all__
        if is_dataclass(value := getattr(ours, name))
        or (isinstance(value, type) and issubclass(value, BaseModel))
    }
    assert models == set(MODELS)


@pytest.mark.parametrize("name", MODELS)
@given(data=st.data())
def test_json_gives_back_what_was_written(name: str, data: st.DataObject):
    value = data.draw(MODELS[name])
    adapter = TypeAdapter(type(value))
    written = adapter.dump_json(value)
    read = adapter.validate_json(written)
    assert adapter.dump_json(read) == written
    assert type(read) is type(value)


@pytest.mark.parametrize("name", MODELS)
@given(data=st.data())
def test_pickle_gives_back_what_was_written(name: str, data: st.DataObject):
    value = data.draw(MODELS[name])
    read = pickle.loads(pickle.dumps(value))
    assert type(read) is type(value)
    assert plain(read) == plain(value)


@pytest.mark.parametrize("name", MODELS)
@given(data=st.data())
def test_upstream_reads_what_we_write_and_we_what_upstream_writes(name: str, data: st.DataObject):
    value = data.draw(MODELS[name])
    here, there = TypeAdapter(type(value)), TypeAdapter(getattr(upstream, name))
    # From Python, because upstream cannot read text beside an image from JSON.
    theirs = there.validate_python(here.dump_python(value, mode="json"))
    assert isinstance(theirs, getattr(upstream, name))
    assert there.dump_json(theirs) == here.dump_json(value)
    assert here.dump_json(here.validate_json(there.dump_json(theirs))) == here.dump_json(value)


@pytest.mark.parametrize(
    "name", [name for name in MODELS if "type" in getattr(getattr(ours, name), "model_fields", ())]
)
@given(data=st.data())
def test_the_type_identifies_the_message_class(name: str, data: st.DataObject):
    value = data.draw(MODELS[name])
    read = TypeAdapter(ours.LLMMessage).validate_json(value.model_dump_json())
    assert type(read) is type(value)
