"""Hostile code in a session: in the kernel, and beside it."""

from __future__ import annotations

import asyncio

from ferrogen import CancellationToken
from ferrogen.code_executor import CodeBlock, SandboxCodeExecutor


async def run(executor, code, **options):
    block = CodeBlock(code, "python")
    return await executor.execute_code_blocks([block], CancellationToken(), **options)


PICTURE = """
import base64
from IPython.display import Image, display
png = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5E"
    "rkJggg=="
)
"""
FORGE = """
import json
from ipykernel.kernelapp import IPKernelApp
kernel = IPKernelApp.instance().kernel
def send(kind, content):
    kernel.session.send(
        kernel.iopub_socket, kind, content, parent=kernel.get_parent(), ident=kind.encode()
    )
"""


async def test_pictures_are_limited():
    async with SandboxCodeExecutor(session=True) as executor:
        result = await run(executor, PICTURE + "for _ in range(300): display(Image(png))")
    assert len(result.artifacts) == 100
    assert result.refused_artifacts[0].reason == "there are more than 100 pictures"


async def test_large_pictures_are_refused():
    async with SandboxCodeExecutor(session=True, artifact_size="1KiB") as executor:
        code = PICTURE + "display(Image(png + bytes(2000)))\ndisplay(Image(png))"
        result = await run(executor, code)
    assert [artifact.size for artifact in result.artifacts] == [70]
    assert "more than the 1024 left" in result.refused_artifacts[0].reason


async def test_output_of_programs_is_limited():
    code = "import subprocess\nsubprocess.run(['/bin/sh', '-c', 'while :; do echo xxxxxxx; done'])"
    async with SandboxCodeExecutor(session=True, output=5000) as executor:
        result = await run(executor, code)
        assert (result.exit_code, result.limit) == (137, "output")
        assert (await run(executor, "print(1)")).stdout == "1\n"


async def test_malformed_messages_are_ignored():
    code = (
        FORGE
        + """
send("stream", {})
send("stream", {"name": 3, "text": {"a": [1]}})
send("display_data", {"data": [1, 2]})
send("display_data", {"data": {"image/png": 7}})
send("error", {"traceback": "text"})
kernel.iopub_socket.send_multipart([b"x", b"<IDS|MSG>", b"sig"])
kernel.iopub_socket.send_multipart([b"no delimiter"])
kernel.iopub_socket.send_multipart([b"<IDS|MSG>", b"", b"{", b"[]", b"{}", b"null"])
kernel.iopub_socket.send_multipart([b"<IDS|MSG>", b"", b"[" * 100000, b"{}", b"{}", b"{}"])
print("still here")
"""
    )
    async with SandboxCodeExecutor(session=True) as executor:
        result = await run(executor, code)
        assert result.stdout.endswith("still here\n")
        assert (await run(executor, "print(1)")).stdout == "1\n"


async def test_a_flood_of_messages_does_not_stop_the_event_loop():
    code = FORGE + "while True: send('status', {'execution_state': 'busy'})"
    ticks = 0

    async def tick():
        nonlocal ticks
        while True:
            await asyncio.sleep(0.01)
            ticks += 1

    async with SandboxCodeExecutor(session=True, timeout=3) as executor:
        await run(executor, "1")
        ticking = asyncio.ensure_future(tick())
        result = await run(executor, code)
        ticking.cancel()
    assert result.limit == "timeout"
    assert ticks > 10


async def test_a_session_that_ended_between_calls_says_so():
    code = "import os, threading\nthreading.Timer(0.2, os._exit, (5,)).start()\nx = 1"
    async with SandboxCodeExecutor(session=True) as executor:
        await run(executor, code)
        await asyncio.wait_for(kernel_end(executor), 20)
        result = await run(executor, "print('x' in globals())")
    assert result.stdout == "False\n"
    assert result.output.startswith("[the session had ended; this one has none of its variables]\n")


async def test_processor_time_between_calls_is_limited():
    code = """
import threading
def spin():
    while True: pass
threading.Thread(target=spin, daemon=True).start()
"""
    async with SandboxCodeExecutor(session=True, cpu_time=1) as executor:
        await run(executor, code)
        await asyncio.wait_for(kernel_end(executor), 40)
        result = await run(executor, "print(1)")
    assert "it reached the limit of processor time" in result.output


async def kernel_end(executor):
    """Wait until the kernel of an executor has ended."""
    ending = executor._sandbox._session._kernel.ending
    await asyncio.wait({ending})


async def test_code_with_half_a_surrogate_pair_runs():
    async with SandboxCodeExecutor(session=True) as executor:
        result = await run(executor, "print('a\ud800b')")
    assert result.stdout == "a?b\n"
