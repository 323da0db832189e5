"""Memories: contents come back as what they were."""

import autogen_core
import autogen_core.memory
import pytest
from PIL import Image as PillowImage
from pydantic_core import PydanticSerializationError

import ferrogen
import ferrogen.memory


def reread(package, content, mime_type):
    made = package.memory.MemoryContent(content=content, mime_type=mime_type)
    return package.memory.MemoryContent.model_validate_json(made.model_dump_json())


def test_an_image_is_remembered_as_one_in_json():
    upstream, ours = (
        reread(package, package.Image(PillowImage.new("RGB", (1, 1))), "image/png").content
        for package in (autogen_core, ferrogen)
    )
    assert isinstance(upstream, dict)
    assert isinstance(ours, ferrogen.Image)


def test_bytes_that_are_no_text_are_remembered_in_json():
    with pytest.raises(PydanticSerializationError):
        reread(autogen_core, b"\xff", "application/octet-stream")
    assert reread(ferrogen, b"\xff", "application/octet-stream").content == b"\xff"


def test_a_list_with_bytes_that_are_no_text_is_dumped_to_json():
    def dumped(package):
        content = package.memory.MemoryContent(content=b"\xff", mime_type="image/png")
        memory = package.memory.ListMemory(memory_contents=[content])
        return memory.dump_component().model_dump_json()

    with pytest.raises(PydanticSerializationError):
        dumped(autogen_core)
    model = ferrogen.ComponentModel.model_validate_json(dumped(ferrogen))
    assert ferrogen.memory.Memory.load_component(model).content[0].content == b"\xff"


def test_text_is_read_from_json():
    with pytest.raises(TypeError):
        reread(autogen_core, "likes tea", "text/plain")
    assert reread(ferrogen, "likes tea", "text/plain").content == "likes tea"


@pytest.mark.parametrize(("package", "equal"), [(autogen_core, False), (ferrogen, True)])
def test_a_kind_of_content_read_from_json_equals_the_one_written(package, equal):
    kind = package.memory.MemoryMimeType.JSON
    assert (reread(package, {"likes": "tea"}, kind).mime_type == kind) is equal
