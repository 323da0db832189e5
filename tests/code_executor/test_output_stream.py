"""The output of a run as an asynchronous iterator."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from ferrogen import CancellationToken
from ferrogen.code_executor import CodeBlock, OutputPart, SandboxCodeExecutor, SandboxResult

WAIT = "import time\nprint('started', flush=True)\ntime.sleep(60)\n"


def stream(executor, code, language="python", token=None, **options):
    block = CodeBlock(code, language)
    token = token or CancellationToken()
    return executor.execute_code_blocks_stream([block], token, **options)


async def test_parts_come_as_they_are_written_and_the_result_last():
    # The code goes on only when the first part was read.
    code = """
import os, sys, time
print("first", flush=True)
while not os.path.exists("go"):
    time.sleep(0.01)
print("second", file=sys.stderr)
"""
    items = []
    async with SandboxCodeExecutor() as executor:
        async for item in stream(executor, code, artifacts=["go"]):
            items.append(item)
            if len(items) == 1:
                await executor.write_file("go", "1")
    *parts, result = items
    assert parts[0].text in {"first", "first\n"}
    assert joined(parts) == [OutputPart("stdout", "first\n"), OutputPart("stderr", "second\n")]
    assert isinstance(result, SandboxResult)
    assert (result.exit_code, result.stdout, result.stderr) == (0, "first\n", "second\n")
    assert [artifact.path for artifact in result.artifacts] == ["go"]


async def test_a_session_streams_too():
    async with SandboxCodeExecutor(session=True) as executor:
        items = [item async for item in stream(executor, "print('a')\n1 + 1")]
    *parts, result = items
    assert "".join(part.text for part in parts) == result.output == "a\n2\n"


async def test_a_reader_that_leaves_ends_the_run():
    async with SandboxCodeExecutor() as executor:
        async with contextlib.aclosing(stream(executor, WAIT)) as items:
            async for item in items:
                assert item.stream == "stdout"
                break
        assert running() == set()


async def test_a_cancelled_reader_ends_the_run():
    started = asyncio.Event()

    async def read(executor):
        async for _ in stream(executor, WAIT):
            started.set()

    async with SandboxCodeExecutor() as executor:
        reading = asyncio.ensure_future(read(executor))
        await started.wait()
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
        assert running() == set()


async def test_an_iterator_that_is_not_started_runs_nothing():
    async with SandboxCodeExecutor() as executor:
        items = stream(executor, "open('made', 'w')")
        await items.aclose()
        assert [item async for item in stream(executor, "ls", "sh")][-1].output == ""


async def test_a_cancelled_token_ends_the_iterator():
    token, parts = CancellationToken(), []
    async with SandboxCodeExecutor() as executor:
        with pytest.raises(asyncio.CancelledError):
            async for part in stream(executor, WAIT, token=token):
                parts.append(part)
                token.cancel()
    assert parts[0].text in {"started", "started\n"}


async def test_what_a_slow_reader_has_not_read_is_bounded_and_complete():
    code = """
import os
for number in range(2000):
    os.write(1, b"o" * 10)
    os.write(2, b"e" * 10)
"""
    async with SandboxCodeExecutor(output=30_000) as executor:
        items = stream(executor, code)
        first = await anext_of(items)
        await asyncio.wait(running())
        rest = [item async for item in items]
    *parts, result = [first, *rest]
    assert result.limit == "output"
    assert len(parts) < 600
    for name in ("stdout", "stderr"):
        written = "".join(part.text for part in parts if part.stream == name)
        assert written == getattr(result, name)
    assert len(result.stdout) + len(result.stderr) == 30_000


async def test_errors_of_the_start_are_raised():
    async with SandboxCodeExecutor() as executor:
        items = stream(executor, "print(1)", "cobol")
        [part, result] = [item async for item in items]
    assert "unknown language 'cobol'" in part.text
    assert result.exit_code == 1


async def anext_of(items):
    async for item in items:
        return item
    raise AssertionError("there is no item")


def running():
    """Return the tasks that run code."""
    return {task for task in asyncio.all_tasks() if "execute_code_blocks" in repr(task.get_coro())}


def joined(parts):
    """Return the parts with those of one stream in a row as one: their borders are chance."""
    joined = []
    for part in parts:
        if joined and joined[-1].stream == part.stream:
            joined[-1] = OutputPart(part.stream, joined[-1].text + part.text)
        else:
            joined.append(part)
    return joined
