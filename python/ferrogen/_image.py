"""Images in messages: sources, and the form that is sent to models.

Pillow does the decoding. It is an optional dependency, and is imported with the first image.
"""

from __future__ import annotations

import base64
import re
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic_core import PydanticCustomError, core_schema

from ferrogen.exceptions import ImageError, MissingDependencyError

if TYPE_CHECKING:
    from PIL import Image as PillowImage
    from pydantic import GetCoreSchemaHandler

_DATA_URI = re.compile(r"data:image/(?:png|jpeg);base64,")


class Image:
    """A picture that a message can carry, held in memory as RGB.

    Needs pillow: ``pip install "ferrogen[images]"``. In JSON an image is an object whose
    ``data`` is the picture as PNG in base64, as upstream has it.

    Args:
        image: The picture; it is converted to RGB.

    Example:
        ```python
        from ferrogen import Image
        from PIL import Image as PillowImage

        picture = Image(PillowImage.new("RGB", (2, 1), "red"))
        same = Image.from_uri(picture.data_uri)
        assert same.image.getpixel((1, 0)) == (255, 0, 0)
        ```
    """

    __module__ = "ferrogen"

    image: PillowImage.Image
    """The picture, as pillow's object."""

    def __init__(self, image: PillowImage.Image):
        self.image = image.convert("RGB")

    @classmethod
    def from_pil(cls, pil_image: PillowImage.Image) -> Image:
        """Take a picture from pillow."""
        return cls(pil_image)

    @classmethod
    def from_uri(cls, uri: str) -> Image:
        """Read a PNG or JPEG from a ``data:`` URI.

        Raises:
            ImageError: It is another kind of URI.
        """
        prefix = _DATA_URI.match(uri)
        if prefix is None:
            raise ImageError(
                f"Invalid URI format: {uri[:40]!r} does not begin with data:image/png;base64, or "
                "data:image/jpeg;base64, (fetch the picture first, and use from_pil)"
            )
        return cls.from_base64(uri[prefix.end() :])

    @classmethod
    def from_base64(cls, base64_str: str) -> Image:
        """Read a picture of any format that pillow knows from base64 text.

        Raises:
            binascii.Error: The text is not base64.
            PIL.UnidentifiedImageError: The bytes are not a picture.
        """
        return cls(_open(BytesIO(base64.b64decode(base64_str))))

    @classmethod
    def from_file(cls, file_path: Path) -> Image:
        """Read a picture from a file.

        Raises:
            OSError: The file cannot be read, or is not a picture.
        """
        return cls(_open(file_path))

    def to_base64(self) -> str:
        """Return the picture as PNG in base64."""
        written = BytesIO()
        self.image.save(written, format="PNG")
        return base64.b64encode(written.getvalue()).decode("ascii")

    @property
    def data_uri(self) -> str:
        """The picture as a ``data:`` URI, which browsers and models understand."""
        return f"data:image/png;base64,{self.to_base64()}"

    def to_openai_format(self, detail: Literal["auto", "low", "high"] = "auto") -> dict[str, Any]:
        """Return the part of a chat message that OpenAI's API expects for a picture.

        Args:
            detail: How closely the model is to look.
        """
        return {"type": "image_url", "image_url": {"url": self.data_uri, "detail": detail}}

    def _repr_html_(self) -> str:
        return f'<img src="{self.data_uri}"/>'

    @classmethod
    def __get_pydantic_core_schema__(
        cls, source_type: Any, handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        """Return the pydantic schema by which an image is read and written."""
        return core_schema.no_info_plain_validator_function(
            cls._read,
            json_schema_input_schema=core_schema.any_schema(),
            serialization=core_schema.plain_serializer_function_ser_schema(
                lambda image: {"data": image.to_base64()}
            ),
        )

    @classmethod
    def _read(cls, value: Any) -> Image:
        if isinstance(value, cls):
            return value
        data = value.get("data") if isinstance(value, dict) else None
        if not isinstance(data, str):
            # A TypeError, as upstream has it, would not let a union try its next member.
            raise PydanticCustomError(
                "image", "an image is an Image, or an object whose 'data' is a picture in base64"
            )
        try:
            return cls.from_base64(data)
        except (ValueError, OSError) as error:
            raise PydanticCustomError(
                "image", "'data' is not a picture in base64: {reason}", {"reason": str(error)}
            ) from error


def _open(source: BytesIO | Path) -> PillowImage.Image:
    try:
        from PIL import Image as pillow  # noqa: N813 - it is a module
    except ImportError as error:
        raise MissingDependencyError(
            'images need pillow: pip install "ferrogen[images]"', name="PIL"
        ) from error
    return pillow.open(source)
