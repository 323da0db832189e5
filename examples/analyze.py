"""A model writes code for a question about a CSV file; a sandbox runs it, and a plot comes back.

    python examples/analyze.py ["A QUESTION"] [--csv FILE] [--plot FILE]

OPENAI_BASE_URL, OPENAI_API_KEY and MODEL say which model it is, as in the demo. The sandbox has no
network, and no file but the CSV file. `ferrogen doctor` says whether it works on this machine.
"""

import argparse
import asyncio
import csv
import os
import re
import struct
import sys
import zlib
from pathlib import Path

from ferrogen import CancellationToken
from ferrogen.code_executor import (
    Artifact,
    CodeBlock,
    ImportFromModule,
    SandboxCodeExecutor,
    SandboxResult,
    with_requirements,
)
from ferrogen.exceptions import FerrogenError
from ferrogen.models import (
    AssistantMessage,
    ChatCompletionClient,
    CreateResult,
    LLMMessage,
    SystemMessage,
    UserMessage,
)
from ferrogen.models.openai import OpenAIChatCompletionClient

QUESTION = "Plot the population of each city."
CITIES = "city,population,area\nTurin,851000,130\nMilan,1371000,182\nGenoa,565000,240\n"
ATTEMPTS = 3

INSTRUCTIONS = """You answer with one block of Python code. Two functions exist: read(column)
returns the values of a column, and plot(names, values) draws a bar for each value."""
# A small model continues a pattern better than it follows instructions.
BEGINNING = """```python
from functions import read, plot
plot(read(\""""
EXAMPLES = {
    "Columns: fruit,price,color. Plot the price of each fruit.": ("fruit", "price"),
    "Columns: river,length. Plot the length of each river.": ("river", "length"),
    "Columns: tower,year,height. Plot the height of each tower.": ("tower", "height"),
}
CODE = """```python
from functions import read, plot
plot(read("{}"), read("{}"))
```"""
BLOCK = re.compile(r"```(?:python|py)?\s*\n(.*?)(?:```|\Z)", re.DOTALL)


@with_requirements(global_imports=["csv", ImportFromModule("pathlib", ("Path",))])
def read(column: str) -> list[str]:
    """The values of a column of data.csv."""
    with Path("data.csv").open(encoding="utf-8") as file:
        return [row[column] for row in csv.DictReader(file)]


@with_requirements(global_imports=["struct", "zlib", ImportFromModule("pathlib", ("Path",))])
def plot(names: list[str], values: list[str]) -> None:
    """Draw a bar for each value, and write the picture to plot.png."""
    numbers = [float(value) for value in values]
    width, height = 40 * len(numbers), 200
    rows = []
    for y in range(height):
        row = bytearray([0])
        for x in range(width):
            is_bar = 5 <= x % 40 < 35 and height - y <= height * numbers[x // 40] / max(numbers)
            row += bytes([40, 90, 160] if is_bar else [255, 255, 255])
        rows.append(bytes(row))

    def chunk(kind: bytes, data: bytes) -> bytes:
        checksum = zlib.crc32(kind + data)
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", checksum)

    with Path("plot.png").open("wb") as file:
        file.write(b"\x89PNG\r\n\x1a\n")
        file.write(chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)))
        file.write(chunk(b"IDAT", zlib.compress(b"".join(rows))) + chunk(b"IEND", b""))
    for name, value in zip(names, values):  # noqa: B905 - as long as the shorter one
        print(f"{name}: {value}")


async def analyze(client: ChatCompletionClient, question: str, table: str) -> Artifact | None:
    """Let the model write code until it draws a plot, at most three times."""
    messages: list[LLMMessage] = [SystemMessage(content=INSTRUCTIONS)]
    for asked, names in EXAMPLES.items():
        messages.append(UserMessage(content=asked, source="you"))
        messages.append(AssistantMessage(content=CODE.format(*names), source="model"))
    columns = table.partition("\n")[0]
    messages.append(UserMessage(content=f"Columns: {columns}. {question}", source="you"))
    sandbox = SandboxCodeExecutor(
        timeout=20, memory="256MiB", functions=[read, plot], artifacts=["plot.png"]
    )
    async with sandbox:
        await sandbox.write_file("data.csv", table)
        for _ in range(ATTEMPTS):
            begun = AssistantMessage(content=BEGINNING, source="model")
            response = await answer(client, [*messages, begun])
            # Some services continue the last message, others begin anew.
            if not response.lstrip().startswith("```"):
                response = BEGINNING + response
            found = BLOCK.search(response)
            code = found[1] if found else response
            print(f"the model wrote:\n{code.rstrip()}\n")
            block = CodeBlock(code, "python")
            result = await sandbox.execute_code_blocks([block], CancellationToken())
            print(f"the sandbox printed:\n{result.output.rstrip()}\n")
            if result.exit_code == 0 and result.artifacts:
                return result.artifacts[0]
            messages += [
                AssistantMessage(content=response, source="model"),
                UserMessage(content=complaint(result), source="you"),
            ]
    return None


async def answer(client: ChatCompletionClient, messages: list[LLMMessage]) -> str:
    async for part in client.create_stream(messages):
        if isinstance(part, CreateResult):
            return str(part.content)
    raise RuntimeError("the stream of a model ends with its result")


def complaint(result: SandboxResult) -> str:
    if result.exit_code == 0:
        return "The code ran, and drew no plot: call plot(names, values)."
    last = result.output.rstrip().rpartition("\n")[2]
    return f"The code failed: {last}. Write it again, as one block of Python code."


async def main() -> int:
    parser = argparse.ArgumentParser(prog="analyze", description=str(__doc__).splitlines()[0])
    parser.add_argument("question", nargs="?", default=QUESTION)
    parser.add_argument("--csv", type=Path, help="by default, some cities")
    parser.add_argument("--plot", type=Path, help="a file to write the picture to")
    arguments = parser.parse_args()
    table = CITIES if arguments.csv is None else arguments.csv.read_text(encoding="utf-8")
    client = OpenAIChatCompletionClient(
        model=os.environ.get("MODEL", "gpt-4o-mini"),
        temperature=0,
        max_tokens=200,
        model_info={
            "vision": False,
            "function_calling": False,
            "json_output": False,
            "structured_output": False,
            "family": "unknown",
        },
    )
    try:
        plotted = await analyze(client, arguments.question, table)
        if plotted is None:
            print("the model has drawn no plot", file=sys.stderr)
            return 1
        width, height = plotted.image().image.size
    except FerrogenError as error:
        print(f"analyze: {error}", file=sys.stderr)
        return 1
    finally:
        await client.close()
    print(f"the plot is a picture of {width} x {height}")
    if arguments.plot is not None:
        arguments.plot.write_bytes(plotted.data)
    return 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
