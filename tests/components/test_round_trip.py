"""Dumped components come back from JSON and from pickles, on both sides, as what they were."""

import pickle
from typing import Any

import autogen_core
import pytest
from hypothesis import given
from hypothesis import strategies as st

import ferrogen
from ferrogen import ComponentModel
from ferrogen.components import Fault
from ferrogen.model_context import (
    BufferedChatCompletionContext,
    ChatCompletionContext,
    HeadAndTailChatCompletionContext,
    UnboundedChatCompletionContext,
)
from ferrogen.models import AssistantMessage, SystemMessage, UserMessage

TEXT = st.text(max_size=6)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | TEXT,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(TEXT, inner, max_size=2),
    max_leaves=5,
)
MODELS = st.builds(
    ComponentModel,
    provider=TEXT,
    component_type=st.none() | TEXT,
    version=st.none() | st.integers(),
    component_version=st.none() | st.integers(),
    description=st.none() | TEXT,
    label=st.none() | TEXT,
    config=st.dictionaries(TEXT, JSON, max_size=3),
)
SIZES = st.integers(1, 5)
MESSAGES = st.none() | st.lists(
    st.builds(SystemMessage, content=TEXT)
    | st.builds(UserMessage, content=TEXT | st.lists(TEXT, max_size=2), source=TEXT)
    | st.builds(AssistantMessage, content=TEXT, thought=st.none() | TEXT, source=TEXT),
    max_size=3,
)
CONTEXTS: dict[str, st.SearchStrategy[Any]] = {
    "Buffered": st.builds(BufferedChatCompletionContext, SIZES, MESSAGES),
    "HeadAndTail": st.builds(HeadAndTailChatCompletionContext, SIZES, SIZES, MESSAGES),
    "Unbounded": st.builds(UnboundedChatCompletionContext, MESSAGES),
}


@given(model=MODELS)
def test_json_gives_back_what_was_written(model: ComponentModel):
    written = model.model_dump_json()
    assert ComponentModel.model_validate_json(written) == model
    assert ComponentModel.model_validate_json(written).model_dump_json() == written


@given(model=MODELS, protocol=st.integers(0, pickle.HIGHEST_PROTOCOL))
def test_pickle_gives_back_what_was_written(model: ComponentModel, protocol: int):
    written = pickle.dumps(model, protocol)
    assert pickle.loads(written) == model
    assert b"ferrogen.components" not in written


@given(model=MODELS)
def test_upstream_reads_what_we_write_and_we_what_upstream_writes(model: ComponentModel):
    theirs = autogen_core.ComponentModel.model_validate_json(model.model_dump_json())
    assert theirs.model_dump_json() == model.model_dump_json()
    assert ComponentModel.model_validate_json(theirs.model_dump_json()) == model


@pytest.mark.parametrize("name", CONTEXTS)
@given(data=st.data())
def test_contexts_come_back_from_their_configs_on_both_sides(name: str, data: st.DataObject):
    context = data.draw(CONTEXTS[name])
    dumped = context.dump_component()
    written = dumped.model_dump_json()
    read = ChatCompletionContext.load_component(ComponentModel.model_validate_json(written))
    assert type(read) is type(context)
    assert read.dump_component().model_dump_json() == written
    theirs = autogen_core.ComponentLoader.load_component(
        autogen_core.ComponentModel.model_validate_json(written), object
    )
    again = theirs.dump_component().model_copy(update={"description": dumped.description})
    assert again.model_dump_json() == written


@given(place=TEXT, message=TEXT)
def test_a_fault_is_pickled(place: str, message: str):
    fault = Fault(place, "config", message)
    assert pickle.loads(pickle.dumps(fault)) == fault


def test_stores_come_back_on_both_sides():
    for writer, reader in ((ferrogen, autogen_core), (autogen_core, ferrogen)):
        written = writer.InMemoryStore().dump_component().model_dump_json()
        model = reader.ComponentModel.model_validate_json(written)
        assert isinstance(reader.CacheStore.load_component(model), reader.InMemoryStore)
