"""Results, overrides, configs and states come back from JSON, pickles and upstream as they were."""

import importlib
import pickle
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image as PillowImage
from pydantic import BaseModel

import ferrogen.tools
from ferrogen._image import Image
from ferrogen.code_executor import Alias, ImportFromModule
from ferrogen.components.model import ComponentModel
from ferrogen.tools.function_tool import FunctionToolConfig
from ferrogen.tools.static_workbench import StaticWorkbenchConfig, StaticWorkbenchState

TEXT = st.text(max_size=8)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | TEXT,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(TEXT, inner, max_size=2),
    max_leaves=4,
)
IMAGES = st.builds(
    lambda colour: Image(PillowImage.new("RGB", (2, 1), colour)),
    st.tuples(*[st.integers(0, 255)] * 3),
)
TEXTS = st.builds(ferrogen.tools.TextResultContent, content=TEXT)
PICTURES = st.builds(ferrogen.tools.ImageResultContent, content=IMAGES)
ALIASES = st.builds(Alias, name=TEXT, alias=TEXT)
IMPORTS = (
    TEXT
    | ALIASES
    | st.builds(
        ImportFromModule,
        module=TEXT,
        imports=st.lists(TEXT | ALIASES, max_size=2).map(tuple),
    )
)
OVERRIDES = st.builds(
    ferrogen.tools.ToolOverride, name=st.none() | TEXT, description=st.none() | TEXT
)
COMPONENTS = st.builds(
    ComponentModel, provider=TEXT, config=st.dictionaries(TEXT, JSON, max_size=2)
)
MODELS: dict[str, st.SearchStrategy[Any]] = {
    "tools.TextResultContent": TEXTS,
    "tools.ImageResultContent": PICTURES,
    "tools.ToolResult": st.builds(
        ferrogen.tools.ToolResult,
        name=TEXT,
        result=st.lists(TEXTS | PICTURES, max_size=3),
        is_error=st.booleans(),
    ),
    "tools.ToolOverride": OVERRIDES,
    "tools._function_tool.FunctionToolConfig": st.builds(
        FunctionToolConfig,
        source_code=TEXT,
        name=TEXT,
        description=TEXT,
        global_imports=st.lists(IMPORTS, max_size=3),
        has_cancellation_support=st.booleans(),
        strict=st.none(),
    ),
    "tools._static_workbench.StaticWorkbenchConfig": st.builds(
        StaticWorkbenchConfig,
        tools=st.lists(COMPONENTS, max_size=2),
        tool_overrides=st.dictionaries(TEXT, OVERRIDES, max_size=2),
    ),
    "tools._static_workbench.StateicWorkbenchState": st.builds(
        StaticWorkbenchState,
        tools=st.dictionaries(TEXT, st.dictionaries(TEXT, JSON, max_size=2), max_size=2),
    ),
}


def test_every_public_model_is_covered():
    models = {
        f"tools.{name}"
        for name in ferrogen.tools.__all__
        if isinstance(value := getattr(ferrogen.tools, name), type) and issubclass(value, BaseModel)
    }
    assert models == {name for name in MODELS if "._" not in name}


@pytest.mark.parametrize("name", MODELS)
@given(data=st.data())
def test_json_gives_back_what_was_written(name: str, data: st.DataObject):
    value = data.draw(MODELS[name])
    read = type(value).model_validate_json(value.model_dump_json())
    assert read.model_dump_json() == value.model_dump_json()


@pytest.mark.parametrize("name", MODELS)
@given(data=st.data())
def test_pickle_gives_back_what_was_written(name: str, data: st.DataObject):
    value = data.draw(MODELS[name])
    read = pickle.loads(pickle.dumps(value))
    assert type(read) is type(value)
    assert read.model_dump_json() == value.model_dump_json()


@pytest.mark.parametrize("name", MODELS)
@given(data=st.data())
def test_upstream_reads_what_we_write_and_we_what_upstream_writes(name: str, data: st.DataObject):
    value = data.draw(MODELS[name])
    module, _, class_name = f"autogen_core.{name}".rpartition(".")
    theirs = getattr(importlib.import_module(module), class_name)
    # Dumped components leave out what is None, and upstream's configs have less than ours.
    written = value.model_dump_json(exclude_none=True)
    in_between = theirs.model_validate_json(written).model_dump_json(exclude_none=True)
    assert in_between == written
    read = type(value).model_validate_json(in_between)
    assert read.model_dump_json(exclude_none=True) == written
