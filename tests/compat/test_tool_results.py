"""Results of tools: the same text and the same JSON on both."""

import pytest

from .harness import same, submodule

pytest.importorskip("PIL")


def test_results_read_as_text_and_travel_as_json():
    from PIL.Image import new

    async def scenario(core, record):
        tools = submodule(core, "tools")
        parts = [
            tools.TextResultContent(content="seen:"),
            tools.ImageResultContent(content=submodule(core, "_image").Image(new("RGB", (2, 1)))),
        ]
        result = tools.ToolResult(name="look", result=parts)
        record(result.to_text(), result.to_text(replace_image="<image>"))
        written = result.model_dump_json()
        record(written)
        again = tools.ToolResult.model_validate_json(written)
        record(again.to_text() == result.to_text(), again.model_dump_json() == written)

    same(scenario)
