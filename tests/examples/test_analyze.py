"""The example that analyzes a CSV file in a sandbox, by a scripted model and as a program."""

from __future__ import annotations

import asyncio
import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from ferrogen.testing import ScriptedModel

from ..imported_modules import FERROGEN, STRICT
from ..models.scripted_server import ScriptedServer, sse_response

ANALYZE = Path(__file__).resolve().parents[2] / "examples" / "analyze.py"
GOOD = '```python\nfrom functions import read, plot\nplot(read("city"), read("population"))\n```'


@pytest.fixture
def example() -> ModuleType:
    spec = importlib.util.spec_from_file_location("analyze", ANALYZE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


async def test_the_plot_comes_back_as_a_picture(example: ModuleType, capsys: Any):
    plotted = await example.analyze(ScriptedModel([GOOD]), example.QUESTION, example.CITIES)
    assert plotted.media_type == "image/png"
    picture = plotted.image().image
    assert picture.size == (120, 200)
    # The bar of the largest city is as high as the picture, the others are not.
    assert [picture.getpixel((x, 2)) for x in (20, 60, 100)] == [
        (255, 255, 255),
        (40, 90, 160),
        (255, 255, 255),
    ]
    assert "Milan: 1371000" in capsys.readouterr().out


async def test_the_model_sees_why_its_code_failed(example: ModuleType):
    model = ScriptedModel(["```python\nplot('city')\n```", GOOD])
    plotted = await example.analyze(model, example.QUESTION, example.CITIES)
    assert plotted is not None


async def test_a_model_may_continue_the_code_that_was_begun(example: ModuleType):
    model = ScriptedModel(['city"), read("area"))\n```'])
    assert await example.analyze(model, example.QUESTION, example.CITIES) is not None


async def test_code_that_draws_nothing_three_times_ends_it(example: ModuleType):
    model = ScriptedModel(["print(1)"] * 3)
    assert await example.analyze(model, example.QUESTION, example.CITIES) is None


async def test_the_program_writes_the_picture(fork_server: Any, tmp_path: Path):
    forks = fork_server(*FERROGEN, flags=STRICT)
    piece = {"delta": {"content": GOOD}, "finish_reason": "stop"}
    async with ScriptedServer() as server:
        server.play(sse_response({"choices": [piece]}))
        env = {
            "OPENAI_BASE_URL": f"{server.url}/v1",
            "OPENAI_API_KEY": "sk-none",
            "NO_PROXY": "127.0.0.1",
        }
        done = await asyncio.to_thread(
            forks.run, str(ANALYZE), "--plot", "plot.png", env=env, cwd=tmp_path
        )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith("the plot is a picture of 120 x 200\n")
    assert (tmp_path / "plot.png").read_bytes().startswith(b"\x89PNG")
