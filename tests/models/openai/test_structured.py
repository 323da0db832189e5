"""What a response has to fit is sent as a schema, in streams and beside tools too."""

from __future__ import annotations

import enum
from collections.abc import Callable
from typing import Any, Literal

import jsonschema_rs
import pytest
from pydantic import BaseModel, Field, RootModel

from ferrogen.exceptions import ModelInfoError, ModelRequestError, ToolSchemaError
from ferrogen.models.openai import OpenAIChatCompletionClient
from ferrogen.models.providers._strict import strict_output

from ..scripted_server import ScriptedServer, json_response, sse_response
from .responses import HELLO, piece, streamed, whole

MakeClient = Callable[..., OpenAIChatCompletionClient]


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Point(BaseModel):
    x: float
    y: float = 0.0


class Drawing(BaseModel):
    """A drawing."""

    title: str = Field(description="What it shows")
    colour: Colour
    points: list[Point]
    inner: Drawing | None = None
    default: Literal["a", "b"] = "a"


TOOL: Any = {"name": "look", "description": "Looks."}


def objects(schema: Any) -> list[dict[str, Any]]:
    """All parts of a schema that describe objects."""
    if isinstance(schema, list):
        return [found for item in schema for found in objects(item)]
    if not isinstance(schema, dict):
        return []
    own = [schema] if schema.get("type") == "object" else []
    return own + [found for item in schema.values() for found in objects(item)]


def test_a_strict_schema_demands_everything_and_allows_nothing_else() -> None:
    found = objects(strict_output(Drawing.model_json_schema(), "Drawing")[0])
    assert len(found) == 3  # the class itself, where others hold it, and the point
    for schema in found:
        assert schema["required"] == list(schema["properties"])
        assert schema["additionalProperties"] is False


def test_a_strict_schema_still_says_what_the_class_says() -> None:
    judge = jsonschema_rs.validator_for(strict_output(Drawing.model_json_schema(), "Drawing")[0])
    drawing = Drawing(title="a", colour=Colour.RED, points=[Point(x=1)], inner=None)
    whole_drawing = drawing.model_dump(mode="json")
    assert judge.is_valid(whole_drawing)
    assert judge.is_valid({**whole_drawing, "inner": whole_drawing})
    assert not judge.is_valid({**whole_drawing, "colour": "green"})
    assert not judge.is_valid({**whole_drawing, "points": [{"x": 1}]})


def test_a_property_may_have_the_name_of_a_keyword() -> None:
    properties = strict_output(Drawing.model_json_schema(), "Drawing")[0]["$defs"]["Drawing"][
        "properties"
    ]
    assert {"title", "default"} <= set(properties)
    assert properties["title"] == {"type": "string", "description": "What it shows"}


async def test_a_class_is_sent_as_its_schema_beside_tools(
    server: ScriptedServer, client: OpenAIChatCompletionClient
) -> None:
    server.play(json_response(whole('{"x": 1, "y": 2}')))
    result = await client.create(HELLO, json_output=Point, tools=[TOOL])
    sent = server.requests[0].json
    assert sent["response_format"]["type"] == "json_schema"
    assert sent["response_format"]["json_schema"]["name"] == "Point"
    assert sent["response_format"]["json_schema"]["strict"] is True
    assert sent["tools"][0]["function"]["strict"] is False
    assert isinstance(result.content, str)
    assert Point.model_validate_json(result.content) == Point(x=1, y=2)


async def test_a_class_holds_a_stream(
    server: ScriptedServer, client: OpenAIChatCompletionClient
) -> None:
    server.play(sse_response(piece('{"x": 1, '), piece('"y": 2}', "stop")))
    pieces, result = await streamed(client, json_output=Point, tools=[TOOL])
    assert pieces == ['{"x": 1, ', '"y": 2}']
    assert Point.model_validate_json(str(result.content)) == Point(x=1, y=2)
    assert server.requests[0].json["response_format"]["json_schema"]["name"] == "Point"


async def test_a_schema_is_sent_as_it_is(
    server: ScriptedServer, client: OpenAIChatCompletionClient
) -> None:
    schema = {"type": "object", "title": "my answer", "properties": {"x": {"default": 1}}}
    server.play(json_response(whole("{}")))
    await client.create(HELLO, json_output=schema)
    assert server.requests[0].json["response_format"] == {
        "type": "json_schema",
        "json_schema": {"name": "my_answer", "schema": schema},
    }


@pytest.mark.parametrize(("wish", "kind"), [(True, "json_object"), (False, "text")])
async def test_json_of_any_shape_and_text_can_be_requested(
    server: ScriptedServer, client: OpenAIChatCompletionClient, wish: bool, kind: str
) -> None:
    server.play(json_response(whole("{}")))
    await client.create(HELLO, json_output=wish)
    assert server.requests[0].json["response_format"] == {"type": kind}


async def test_the_format_can_be_given_as_the_api_has_it(
    server: ScriptedServer, client: OpenAIChatCompletionClient
) -> None:
    given = {"type": "json_object"}
    server.play(json_response(whole("{}")), json_response(whole("{}")))
    await client.create(HELLO, extra_create_args={"response_format": given})
    await client.create(HELLO, extra_create_args={"response_format": Point})
    first, second = (request.json["response_format"] for request in server.requests)
    assert first == given
    assert second["json_schema"]["name"] == "Point"


async def test_two_classes_at_once_are_refused(client: OpenAIChatCompletionClient) -> None:
    with pytest.raises(ModelRequestError, match="at the same time"):
        await client.create(
            HELLO, json_output=Point, extra_create_args={"response_format": Drawing}
        )


@pytest.mark.parametrize(
    ("model", "wish", "words"),
    [
        ("gpt-4o-2024-05-13", Point, "does not support structured output"),
        ("gpt-4", True, "does not support JSON output"),
    ],
)
async def test_what_a_model_cannot_be_held_to_is_refused(
    client_of: MakeClient, model: str, wish: Any, words: str
) -> None:
    with pytest.raises(ModelInfoError, match=words):
        await client_of(model=model).create(HELLO, json_output=wish)


async def test_what_is_no_shape_is_refused(client: OpenAIChatCompletionClient) -> None:
    with pytest.raises(ModelRequestError, match="json_output must be a boolean"):
        await client.create(HELLO, json_output="json")  # type: ignore[arg-type]


class Points(RootModel[list[Point]]):
    pass


async def test_a_list_is_requested_inside_an_object_and_returned_without_it(
    server: ScriptedServer, client: OpenAIChatCompletionClient
) -> None:
    text = '{"value": [{"x": 1, "y": 2}]}'
    server.play(json_response(whole(text)), sse_response(piece(text[:9]), piece(text[9:], "stop")))
    result = await client.create(HELLO, json_output=Points)
    pieces, streamed_result = await streamed(client, json_output=Points)
    sent = server.requests[0].json["response_format"]["json_schema"]
    assert (sent["name"], sent["strict"], sent["schema"]["type"]) == ("Points", True, "object")
    assert result.content == streamed_result.content == "".join(pieces)
    assert Points.model_validate_json(str(result.content)).root == [Point(x=1, y=2)]


class Ratings(BaseModel):
    stars: dict[str, int]


async def test_a_field_without_a_form_is_an_error_that_names_it(
    client: OpenAIChatCompletionClient,
) -> None:
    with pytest.raises(ModelRequestError, match="field 'stars' of Ratings is a dict"):
        await client.create(HELLO, json_output=Ratings)
    tool: Any = {**TOOL, "parameters": Ratings.model_json_schema(), "strict": True}
    with pytest.raises(ToolSchemaError, match="parameter 'stars' of tool 'look' is a dict"):
        await client.create(HELLO, tools=[tool])
