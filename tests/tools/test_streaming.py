"""Streaming tools: the last part is the result, and is checked to be one."""

from typing import Annotated

import pytest
from pydantic import BaseModel, ValidationError

from ferrogen import CancellationToken
from ferrogen.exceptions import ToolStreamError
from ferrogen.tools import BaseStreamTool


class Part(BaseModel):
    n: int


class Result(BaseModel):
    total: int


class Stream(BaseStreamTool[Part, Part, Result]):
    def __init__(self, result_type, *parts):
        super().__init__(Part, result_type, "stream", "Streams.")
        self.parts = parts

    async def run(self, args, cancellation_token):
        return self.parts[-1]

    async def run_stream(self, args, cancellation_token):
        for part in self.parts:
            yield part


async def parts_of(tool, **arguments):
    return [part async for part in tool.run_json_stream(arguments, CancellationToken())]


@pytest.mark.parametrize("kind", [Result, Annotated[Result, "The total."], Result | Part])
async def test_a_result_of_the_declared_type_ends_the_stream(kind):
    parts = (Part(n=1), Result(total=1))
    assert await parts_of(Stream(kind, *parts), n=1) == list(parts)


async def test_a_result_of_another_type_is_an_error_that_names_both():
    with pytest.raises(ToolStreamError, match="type Result, but got Part"):
        await parts_of(Stream(Result, Part(n=1)), n=1)
    with pytest.raises(ToolStreamError, match=r"type .*Result.*Part.*, but got str"):
        await parts_of(Stream(Result | Part, "text"), n=1)


async def test_arguments_that_do_not_fit_start_no_stream():
    with pytest.raises(ValidationError, match="Input should be a valid integer"):
        await parts_of(Stream(Result, Result(total=1)), n="x")
