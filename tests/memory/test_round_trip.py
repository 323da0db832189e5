"""What memories hold comes back from JSON and from pickles, on both sides, as what it was."""

import json
import pickle
from contextlib import suppress
from typing import Any

import autogen_core.memory as upstream
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image as PillowImage
from pydantic import BaseModel

import ferrogen.memory as ours
from ferrogen import Image

TEXT = st.text(max_size=8)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | TEXT,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(TEXT, inner, max_size=2),
    max_leaves=4,
)
DICTS = st.dictionaries(TEXT, JSON, max_size=3)
IMAGES = st.builds(
    lambda size, colour: Image(PillowImage.new("RGB", size, colour)),
    st.tuples(st.integers(1, 3), st.integers(1, 3)),
    st.tuples(*[st.integers(0, 255)] * 3),
)
# Upstream takes every dict with "data" for a picture, and cannot load it if it is none.
CONTENT_DICTS = DICTS.filter(lambda content: "data" not in content)
KINDS = st.sampled_from(ours.MemoryMimeType) | st.sampled_from(["image/png", "text/x-own", ""])
# Bytes that are text are a case of their own: JSON gives them back as the text.
CONTENTS = st.builds(
    ours.MemoryContent,
    content=TEXT | st.binary(max_size=8) | CONTENT_DICTS,
    mime_type=KINDS,
    metadata=st.none() | DICTS,
) | st.builds(
    ours.MemoryContent,
    content=IMAGES,
    mime_type=st.sampled_from([ours.MemoryMimeType.IMAGE, "image/png"]),
)
RESULTS = st.builds(ours.MemoryQueryResult, results=st.lists(CONTENTS, max_size=3))
MODELS: dict[str, st.SearchStrategy[Any]] = {
    "MemoryContent": CONTENTS,
    "MemoryQueryResult": RESULTS,
    "UpdateContextResult": st.builds(ours.UpdateContextResult, memories=RESULTS),
}
LISTS = st.builds(ours.ListMemory, st.none() | TEXT, st.lists(CONTENTS, max_size=3))


def test_every_public_model_is_covered():
    # Those that upstream does not have are saved by the contexts and memories that they are of.
    upstream_names = set(ours.__all__) & set(upstream.__all__)
    models = {
        name
        for name in upstream_names
        if isinstance(value := getattr(ours, name), type) and issubclass(value, BaseModel)
    }
    assert models == set(MODELS)


def kinds(value: Any) -> Any:
    """Return the class of each content, taking text for the bytes that it may come from."""
    if isinstance(value, ours.MemoryContent):
        content = value.content
        if isinstance(content, bytes):
            with suppress(UnicodeDecodeError):
                content = content.decode()
        return type(content)
    if isinstance(value, ours.UpdateContextResult):
        value = value.memories
    return [kinds(content) for content in value.results]


@pytest.mark.parametrize("name", MODELS)
@given(data=st.data())
def test_json_gives_back_what_was_written(name: str, data: st.DataObject):
    value = data.draw(MODELS[name])
    written = value.model_dump_json()
    read = type(value).model_validate_json(written)
    assert read.model_dump_json() == written
    assert kinds(read) == kinds(value)


@pytest.mark.parametrize("name", MODELS)
@given(data=st.data())
def test_pickle_gives_back_what_was_written(name: str, data: st.DataObject):
    value = data.draw(MODELS[name])
    read = pickle.loads(pickle.dumps(value))
    assert type(read) is type(value)
    assert read.model_dump() == value.model_dump()
    assert kinds(read) == kinds(value)


@pytest.mark.parametrize("name", MODELS)
@given(data=st.data())
def test_upstream_reads_what_we_write_and_we_what_upstream_writes(name: str, data: st.DataObject):
    value = data.draw(MODELS[name])
    # From Python, because upstream cannot read text from JSON.
    theirs = getattr(upstream, name).model_validate(value.model_dump(mode="json"))
    assert theirs.model_dump_json() == value.model_dump_json()
    read = type(value).model_validate_json(theirs.model_dump_json())
    assert read.model_dump_json() == value.model_dump_json()
    assert kinds(read) == kinds(value)


@given(memory=LISTS)
def test_a_dumped_list_is_loaded_from_json_on_both_sides(memory: ours.ListMemory):
    dumped = memory.dump_component()
    written = dumped.model_dump_json()
    theirs = upstream.ListMemory.load_component(dumped.model_dump(mode="json"))
    assert (
        theirs.dump_component().model_dump(mode="json")["config"] == json.loads(written)["config"]
    )
    read = ours.ListMemory.load_component(dumped.model_validate_json(written))
    assert read.dump_component().model_dump_json() == written
    assert [kinds(one) for one in read.content] == [kinds(one) for one in memory.content]
