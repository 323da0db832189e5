"""Messages of models: what is written can be read, and what is wrong is named."""

import autogen_core
import autogen_core.models as upstream
import pytest
from PIL import Image as PillowImage
from PIL import UnidentifiedImageError
from pydantic import ValidationError

import ferrogen.models as ours
from ferrogen._image import Image

NO_IMAGE = '{"content": ["look", {"data": "bm9uZQ=="}], "source": "user"}'


def test_text_beside_an_image_is_read_from_json():
    picture = PillowImage.new("RGB", (2, 1), "red")
    theirs = upstream.UserMessage(content=["look", autogen_core.Image(picture)], source="user")
    mine = ours.UserMessage(content=["look", Image(picture)], source="user")
    written = mine.model_dump_json()
    assert written == theirs.model_dump_json()
    with pytest.raises(TypeError):
        upstream.UserMessage.model_validate_json(written)
    text, image = ours.UserMessage.model_validate_json(written).content
    assert text == "look"
    assert isinstance(image, Image)
    assert image.image == picture


def test_what_is_no_image_is_a_validation_error():
    with pytest.raises((TypeError, UnidentifiedImageError)):
        upstream.UserMessage.model_validate_json(NO_IMAGE)
    with pytest.raises(ValidationError, match="'data' is not a picture in base64"):
        ours.UserMessage.model_validate_json(NO_IMAGE)


@pytest.mark.parametrize(
    ("models", "left", "words"),
    [
        (upstream, {"vision": True, "family": "unknown"}, "Model client in use"),
        (ours, {"vision": True}, "Old does not implement model_info"),
    ],
)
def test_capabilities_are_left_as_they_are(models, left, words):
    said = {"vision": True}

    class Old(models.ChatCompletionClient):
        capabilities = said

        @property
        def model_info(self):
            return super().model_info

    Old.__abstractmethods__ = frozenset()  # the rest is not asked here
    with pytest.warns(UserWarning, match=words):
        assert Old().model_info == {"vision": True, "family": "unknown"}
    assert said == left


def test_a_client_is_a_model_without_saying_so():
    assert not hasattr(upstream.ChatCompletionClient, "component_type")
    assert ours.ChatCompletionClient.component_type == "model"


def test_data_that_a_service_requires_back_is_written_with_its_call():
    import autogen_core

    import ferrogen

    for core, models, kept in (
        (autogen_core, upstream, None),
        (ferrogen, ours, {"signature": "S"}),
    ):
        call = core.FunctionCall(id="1", arguments="{}", name="time")
        call.provider_data = {"signature": "S"}
        said = models.AssistantMessage(content=[call], source="guide")
        loaded = models.AssistantMessage.model_validate_json(said.model_dump_json())
        assert getattr(loaded.content[0], "provider_data", None) == kept


def test_a_client_is_an_asynchronous_context_manager():
    assert not hasattr(upstream.ChatCompletionClient, "__aenter__")
    assert hasattr(ours.ChatCompletionClient, "__aenter__")
