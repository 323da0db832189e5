"""The session mode: a kernel in the sandbox, whose variables stay between calls."""

from __future__ import annotations

import asyncio

import pytest

from ferrogen import CancellationToken
from ferrogen.code_executor import CodeBlock, SandboxCodeExecutor
from ferrogen.exceptions import SandboxUnavailableError


async def run(executor, code, language="python", token=None, **options):
    block = CodeBlock(code, language)
    return await executor.execute_code_blocks([block], token or CancellationToken(), **options)


async def test_variables_stay_between_calls():
    async with SandboxCodeExecutor(session=True) as executor:
        assert (await run(executor, "x = 41")).output == ""
        assert (await run(executor, "x + 1")).output == "42\n"
        assert (await run(executor, "import os\nopen('n', 'w').write('7')")).exit_code == 0
        assert (await run(executor, "cat n", "sh")).output == "7"


async def test_output_is_streamed_and_errors_are_failures():
    parts = []
    async with SandboxCodeExecutor(session=True) as executor:
        code = "import sys\nprint('out')\nprint('err', file=sys.stderr)\n1 / 0"
        result = await run(executor, code, on_output=parts.append)
    assert result.exit_code == 1
    assert result.stdout == "out\n"
    assert result.stderr.startswith("err\n")
    assert "ZeroDivisionError: division by zero" in result.stderr
    assert "\x1b" not in result.output
    assert len(parts) >= 3


async def test_a_kernel_that_takes_too_long_is_replaced():
    for timeout in (3, 30):  # all but the endless code must end in time
        async with SandboxCodeExecutor(session=True, timeout=timeout) as executor:
            before = await run(executor, "x = 1")
            result = await run(executor, "while True: pass")
            assert (result.exit_code, result.limit) == (124, "timeout")
            after = await run(executor, "x")
        if before.limit is after.limit is None:
            break
    assert "NameError" in after.stderr


async def test_a_cancelled_call_ends_the_kernel():
    token = CancellationToken()
    async with SandboxCodeExecutor(session=True) as executor:
        await run(executor, "x = 1")
        with pytest.raises(asyncio.CancelledError):
            code = "print('now', flush=True)\nimport time\ntime.sleep(600)"
            await run(executor, code, token=token, on_output=lambda _: token.cancel())
        assert (await run(executor, "print(2)")).output == "2\n"


async def test_a_kernel_that_ends_by_itself_is_reported():
    async with SandboxCodeExecutor(session=True) as executor:
        result = await run(executor, "import os\nos._exit(3)")
        assert result.exit_code == 3
        assert "its variables are gone" in result.output
        assert (await run(executor, "print(1)")).output == "1\n"


async def test_output_and_memory_are_limited():
    async with SandboxCodeExecutor(session=True, output=5000) as executor:
        result = await run(executor, "while True: print('x' * 100)")
        assert (result.exit_code, result.limit) == (137, "output")
        assert "MemoryError" in (await run(executor, "x = bytearray(1 << 30)")).stderr


async def test_processor_time_is_that_of_each_call():
    async with SandboxCodeExecutor(session=True, cpu_time=1, timeout=60) as executor:
        spin = "import time\nend = time.process_time() + {}\nwhile time.process_time() < end: pass"
        for _ in range(3):
            assert (await run(executor, spin.format(0.4))).exit_code == 0
        assert (await run(executor, spin.format(20))).limit == "cpu_time"


async def test_the_kernel_is_in_the_sandbox():
    code = """
import os, socket
print(os.path.exists("/etc/shadow"), os.getuid())
try:
    socket.create_connection(("127.0.0.1", 22), 1)
except OSError as error:
    print("no network")
"""
    async with SandboxCodeExecutor(session=True) as executor:
        assert (await run(executor, code)).stdout == "False 1000\nno network\n"


async def test_pictures_that_are_displayed_are_artifacts():
    png = (
        "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5E"
        "rkJggg=="
    )
    code = f"import base64\nfrom IPython.display import Image\nImage(base64.b64decode('{png}'))"
    async with SandboxCodeExecutor(session=True) as executor:
        result = await run(executor, code)
    [picture] = result.artifacts
    assert (picture.path, picture.media_type) == ("displayed_1.png", "image/png")


async def test_without_sockets_there_is_no_session():
    executor = SandboxCodeExecutor(session=True, isolation="landlock")
    with pytest.raises(SandboxUnavailableError, match="sockets"):
        await executor.start()
