"""Messages, results, memories and components that upstream pickled become our objects."""

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest

RunProgram = Callable[..., str]

VALUES = """
from PIL import Image as Pillow
from autogen_core import ComponentModel, Image
from autogen_core.memory import MemoryContent, MemoryMimeType
from autogen_core.models import *
from autogen_core.tools import *
values = [
    SystemMessage(content="be brief"),
    UserMessage(content=["look", Image(Pillow.new("RGB", (1, 1), "red"))], source="user"),
    AssistantMessage(content="red", thought="hm", source="painter"),
    FunctionExecutionResultMessage(
        content=[FunctionExecutionResult(content="1", name="add", call_id="c", is_error=False)]
    ),
    CreateResult(
        finish_reason="stop", content="red", usage=RequestUsage(1, 2), cached=False,
        logprobs=[ChatCompletionTokenLogprob(
            token="red", logprob=-1, top_logprobs=[TopLogprob(logprob=-2, bytes=[1])]
        )],
    ),
    MemoryContent(content="likes tea", mime_type=MemoryMimeType.TEXT),
    ComponentModel(provider="a.B", component_version=2, config={"c": [None, 1.5]}),
]
"""


@pytest.mark.skipif(find_spec("autogen_core") is None, reason="needs the released package")
def test_what_upstream_pickled_becomes_our_messages(run_program: RunProgram, tmp_path: Path):
    made = str(tmp_path / "made")
    run_program(f"""
{VALUES}
import pathlib, pickle
assert type(values[0]).__module__ == "autogen_core.models._types"
pathlib.Path({made!r}).write_bytes(pickle.dumps(values))
""")
    run_program(f"""
import ferrogen
ferrogen.install()
{VALUES}
import pathlib, pickle
read = pickle.loads(pathlib.Path({made!r}).read_bytes())
assert {{type(value).__module__ for value in read}} == {{
    "ferrogen", "ferrogen.models", "ferrogen.memory"
}}
assert [value.model_dump_json() for value in read] == [
    value.model_dump_json() for value in values
]
""")
