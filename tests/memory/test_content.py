"""Contents are written and read as what they are."""

import base64

import pytest
from PIL import Image as PillowImage
from pydantic import ConfigDict

from ferrogen import Image
from ferrogen.memory import MemoryContent, MemoryMimeType

RED = Image(PillowImage.new("RGB", (1, 1), "red"))


def through_json(content: MemoryContent) -> MemoryContent:
    return MemoryContent.model_validate_json(content.model_dump_json())


@pytest.mark.parametrize("mime_type", [MemoryMimeType.IMAGE, "image/*", "image/png"])
def test_an_image_comes_back_as_one(mime_type):
    read = through_json(MemoryContent(content=RED, mime_type=mime_type))
    assert isinstance(read.content, Image)
    assert read.content.to_base64() == RED.to_base64()


@pytest.mark.parametrize(
    ("content", "mime_type"),
    [
        ({"data": RED.to_base64()}, "application/json"),
        ({"data": RED.to_base64(), "title": "red"}, "image/png"),
        ({"data": "holiday.png"}, "image/png"),
        ({"data": 1}, "image/png"),
    ],
)
def test_a_dict_that_is_no_image_stays_a_dict(content, mime_type):
    assert MemoryContent(content=content, mime_type=mime_type).content == content


def test_bytes_that_are_no_text_come_back_as_bytes():
    content = MemoryContent(content=b"\xff\x00", mime_type=MemoryMimeType.BINARY)
    assert through_json(content) == content
    assert content.model_dump()["content"] == b"\xff\x00"


def test_bytes_that_are_text_are_written_as_it():
    content = MemoryContent(content="caffè".encode(), mime_type=MemoryMimeType.BINARY)
    assert content.model_dump(mode="json")["content"] == "caffè"


@pytest.mark.parametrize("data", [base64.b64encode(b"abc").decode(), "no base64!", "/wA", ""])
def test_text_that_only_looks_like_written_bytes_stays_text(data: str):
    text = f"data:application/octet-stream;base64,{data}"
    content = MemoryContent(content=text, mime_type="text/plain")
    assert content.content == text
    assert through_json(content) == content


def test_a_kind_of_content_equals_its_text_and_nothing_else():
    assert MemoryMimeType.TEXT == "text/plain"
    assert "text/plain" == MemoryMimeType.TEXT  # noqa: SIM300 - the other way round
    assert MemoryMimeType.TEXT != "text/markdown"
    assert MemoryMimeType.TEXT != MemoryMimeType.MARKDOWN
    assert MemoryMimeType.TEXT != None  # noqa: E711 - it is the operator that is tested
    assert "text/plain" in {MemoryMimeType.TEXT}


def test_a_dict_is_copied_on_the_way_in():
    given = {"likes": "tea"}
    content = MemoryContent(content=given, mime_type="application/json")
    given["likes"] = "coffee"
    assert content.content == {"likes": "tea"}


@pytest.mark.parametrize("setting", [{"frozen": True}, {"validate_assignment": True}])
def test_a_subclass_may_be_frozen_or_validate_assignments(setting):
    class Strict(MemoryContent):
        model_config = ConfigDict(**setting)

    read = Strict(content={"data": RED.to_base64()}, mime_type="image/png")
    assert isinstance(read.content, Image)
    assert Strict(content="tea", mime_type="text/plain").content == "tea"
