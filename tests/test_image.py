"""Images come from pillow, files, base64 and data URIs, and go out as PNG."""

import pickle
import subprocess
import sys
from pathlib import Path

import autogen_core
import pytest
from PIL import Image as PillowImage

from ferrogen._image import Image
from ferrogen.exceptions import ImageError

PICTURE = PillowImage.new("RGBA", (2, 1), "red")


def test_a_picture_is_kept_as_rgb():
    assert Image.from_pil(PICTURE).image.mode == "RGB"


def test_base64_and_uri_are_upstreams_and_are_read_back():
    mine, theirs = Image(PICTURE), autogen_core.Image(PICTURE)
    assert mine.to_base64() == theirs.to_base64()
    assert mine.data_uri == theirs.data_uri
    assert mine.to_openai_format("low") == theirs.to_openai_format("low")
    assert mine._repr_html_() == theirs._repr_html_()
    assert Image.from_uri(theirs.data_uri).image == mine.image


def test_a_picture_is_read_from_a_file(tmp_path: Path):
    PICTURE.save(tmp_path / "red.png")
    assert Image.from_file(tmp_path / "red.png").image.getpixel((1, 0)) == (255, 0, 0)


def test_a_picture_survives_pickling():
    assert pickle.loads(pickle.dumps(Image(PICTURE))).image == Image(PICTURE).image


def test_another_kind_of_uri_is_refused():
    with pytest.raises(ImageError, match="Invalid URI format"):
        Image.from_uri("https://example.com/red.png")


def test_without_pillow_messages_work_and_images_say_what_to_install():
    program = """
import sys
sys.modules["PIL"] = None
from ferrogen.exceptions import MissingDependencyError
from ferrogen.models import UserMessage
UserMessage(content="text", source="user")
try:
    UserMessage(content=[{"data": "bm9uZQ=="}], source="user")
except MissingDependencyError as error:
    print(error)
"""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout == 'images need pillow: pip install "ferrogen[images]"\n'
