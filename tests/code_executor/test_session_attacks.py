"""Hostile code in a session: in the process that serves it, and beside it."""

from __future__ import annotations

import asyncio
import json

import pytest

from ferrogen import CancellationToken
from ferrogen.code_executor import CodeBlock, SandboxCodeExecutor
from ferrogen.code_executor.sandbox import session_kernel


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
import json, os
session = get_ipython().session
def send(line):
    os.write(session.events.descriptor, line)
def done(number, failed=False):
    send(json.dumps({"kind": "done", "request": number, "failed": failed}).encode() + b"\\n")
"""
GONE = "[the session has ended, and its variables are gone]\n"


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


async def test_messages_that_are_too_long_are_not_kept():
    code = FORGE + "for _ in range(66): send(b'x' * (1 << 20))\nsend(b'\\n')\nprint('still here')"
    async with SandboxCodeExecutor(session=True) as executor:
        result = await run(executor, code)
    assert result.stdout == "still here\n"
    [refused] = result.refused_artifacts
    assert refused.reason == f"its message of {66 << 20} bytes is too long"


async def test_output_of_programs_is_limited():
    code = "import subprocess\nsubprocess.run(['/bin/sh', '-c', 'while :; do echo xxxxxxx; done'])"
    async with SandboxCodeExecutor(session=True, output=5000) as executor:
        result = await run(executor, code)
        assert (result.exit_code, result.limit) == (137, "output")
        assert (await run(executor, "print(1)")).stdout == "1\n"


async def test_malformed_messages_are_ignored():
    lines = [
        *(b"", b"{", b"null", b"[]", b"7", b'"done"', b"\xff\xfe", b"[" * 100_000, b"{}"),
        b'{"kind": "other"}',
        b'{"kind": "done"}',
        b'{"kind": "done", "request": "1", "failed": false}',
        b'{"kind": "picture", "type": "image/svg+xml", "data": ""}',
        b'{"kind": "picture", "type": "image/png", "data": "?"}',
        b'{"kind": "picture", "type": "../../x", "data": ""}',
        b'{"size": 4}',
        b'{"kind": "done", "request": 1, "failed": fal',
    ]
    code = FORGE + f"send(b'\\n'.join({lines!r}))\nprint('still here')"
    async with SandboxCodeExecutor(session=True) as executor:
        result = await run(executor, code)
        assert (result.exit_code, result.stdout) == (0, "still here\n")
        assert result.artifacts == result.refused_artifacts == []
        assert (await run(executor, "print(1)")).stdout == "1\n"


async def test_the_end_of_another_call_is_ignored():
    code = FORGE + "for number in range(100): done(number + 2, True)"
    async with SandboxCodeExecutor(session=True) as executor:
        assert (await run(executor, code)).exit_code == 0
        result = await run(executor, "import time\ntime.sleep(0.1)\nprint(2)")
    assert (result.exit_code, result.stdout) == (0, "2\n")


async def test_a_forged_end_ends_no_more_than_its_call():
    code = FORGE + "done(1)\nimport time\ntime.sleep(0.5)\nx = 5"
    async with SandboxCodeExecutor(session=True) as executor:
        assert (await run(executor, code)).exit_code == 0
        # The code runs on, and delays the next call.
        assert (await run(executor, "x")).stdout == "5\n"


async def test_a_flood_of_messages_does_not_stop_the_event_loop():
    code = FORGE + 'while True: send(b\'{"kind": "ready"}\\n\' * 100)'
    ticks = 0

    async def tick():
        nonlocal ticks
        while True:
            await asyncio.sleep(0.01)
            ticks += 1

    async with SandboxCodeExecutor(session=True, timeout=1) as executor:
        await run(executor, "1")
        ticking = asyncio.ensure_future(tick())
        result = await run(executor, code)
        ticking.cancel()
    assert result.limit == "timeout"
    assert ticks > 10


@pytest.mark.parametrize(
    "code",
    [
        pytest.param("import os\nos.closerange(3, 200)", id="closes-all-pipes"),
        pytest.param(FORGE + "os.close(session.events.descriptor)", id="closes-events"),
        pytest.param(
            FORGE + "os.close(session.events.descriptor)\nwhile True: pass", id="closes-and-runs-on"
        ),
        pytest.param(FORGE + "os.dup2(1, session.events.descriptor)", id="redirects-events"),
        pytest.param(FORGE + "del session.events", id="breaks-the-program"),
        pytest.param("import os\nos._exit(0)", id="exits"),
        pytest.param("import asyncio\nasyncio.get_running_loop().stop()\nawait asyncio.sleep(9)"),
        pytest.param("import os\nos.abort()", id="aborts"),
        pytest.param("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)", id="kills-itself"),
        pytest.param(
            "import os, time\nif os.fork():\n    os._exit(1)\ntime.sleep(600)", id="leaves-a-child"
        ),
    ],
)
async def test_a_session_that_is_broken_ends(code, monkeypatch):
    monkeypatch.setattr(session_kernel, "_LAST_MOMENTS", 0.5)
    async with SandboxCodeExecutor(session=True) as executor:
        await run(executor, "x = 1")
        result = await run(executor, code)
        assert result.limit is None
        assert result.exit_code != 0
        assert result.output.endswith(GONE)
        assert (await run(executor, "print('x' in globals())")).output == "False\n"


@pytest.mark.parametrize(
    "code",
    [
        pytest.param(FORGE + "os.close(session.requests)", id="closes-requests"),
        pytest.param("import builtins\nbuiltins.isinstance = None", id="breaks-builtins"),
        pytest.param("import json\njson.dumps = json.loads = None", id="breaks-json"),
        pytest.param("import os\nos.write = None", id="breaks-os"),
    ],
)
async def test_after_code_that_breaks_the_next_call_the_session_is_a_new_one(code, monkeypatch):
    monkeypatch.setattr(session_kernel, "_LAST_MOMENTS", 0.5)
    async with SandboxCodeExecutor(session=True, timeout=30) as executor:
        await run(executor, "x = 1")
        await run(executor, code)
        await run(executor, "1")
        assert (await run(executor, "print('x' in globals())")).stdout == "False\n"


async def test_a_stopped_process_reaches_the_limit_of_time():
    code = "import os, signal\nos.kill(os.getpid(), signal.SIGSTOP)"
    async with SandboxCodeExecutor(session=True, timeout=3) as executor:
        assert (await run(executor, code)).limit == "timeout"
        assert (await run(executor, "print(1)")).stdout == "1\n"


@pytest.mark.parametrize(
    "code",
    [
        "import os\nos.close(1)\nos.close(2)",
        "import os\nos.dup2(os.open('/dev/null', os.O_WRONLY), 1)",
        "import sys\nsys.stdout.close()\nsys.stderr.close()",
        "import os, sys\nfor number in (1, 2): os.set_blocking(number, False)",
        "import threading\nfor thread in threading.enumerate(): thread._target = None",
        "import os\nif os.fork() == 0: x = 1",
    ],
)
async def test_the_output_of_the_next_call_is_complete(code):
    big = "import sys\nsys.stdout.write('x' * 200_000)\nprint('end', file=sys.stderr)"
    async with SandboxCodeExecutor(session=True) as executor:
        assert (await run(executor, code)).exit_code == 0
        result = await run(executor, big)
    assert result.exit_code == 0
    assert result.stdout.replace("200000", "").rstrip("\n") == "x" * 200_000
    assert result.stderr == "end\n"


async def test_streams_of_the_code_do_not_hide_results():
    code = """
import sys
class Broken:
    def write(self, text):
        1 / 0
sys.stdout = sys.stderr = Broken()
"""
    async with SandboxCodeExecutor(session=True) as executor:
        await run(executor, code)
        assert (await run(executor, "6 * 7")).stdout == "42\n"
        assert "NameError" in (await run(executor, "nothing")).stderr
        await run(executor, "sys.stdout = None")
        assert (await run(executor, "6 * 7")).stdout == "42\n"


async def test_children_that_return_do_not_serve_the_session():
    code = "import os\nchild = os.fork()\nprint('parent' if child else 'child')"
    async with SandboxCodeExecutor(session=True) as executor:
        result = await run(executor, code)
        assert "parent" in result.stdout
        waiting = "os.waitpid(child, 0)[1], child > 0"
        assert (await run(executor, waiting)).stdout.endswith("(0, True)\n")


WHEN_TOLD = """
import os, threading, time
def wait(then):
    while not os.path.exists("go"): time.sleep(0.01)
    then()
"""


@pytest.mark.parametrize(
    "code",
    [
        "threading.Thread(target=wait, args=(lambda: os._exit(5),)).start()\nx = 1",
        "import signal\nsignal.signal(signal.SIGUSR1, lambda *_: 1 / 0)\nx = 1\n"
        "threading.Thread(target=wait, args=(lambda: os.kill(os.getpid(), 10),)).start()",
        "import asyncio\nx = 1\n"
        "asyncio.get_running_loop().call_later(0.1, wait, asyncio.get_running_loop().stop)",
    ],
    ids=["exits", "raises", "stops-the-loop"],
)
async def test_a_session_that_ended_between_calls_says_so(code):
    async with SandboxCodeExecutor(session=True) as executor:
        await run(executor, WHEN_TOLD + code)
        await executor.write_file("go", "")
        await asyncio.wait_for(kernel_end(executor), 60)
        result = await run(executor, "print('x' in globals())")
    assert result.stdout == "False\n"
    assert "[the session had ended; this one has none of its variables]\n" in result.output


async def test_processor_time_between_calls_is_limited():
    code = """
import threading
def spin():
    while True: pass
threading.Thread(target=spin, daemon=True).start()
"""
    async with SandboxCodeExecutor(session=True, cpu_time=0.4) as executor:
        await run(executor, code)
        await asyncio.wait_for(kernel_end(executor), 120)
        result = await run(executor, "print(1)")
    assert "it reached the limit of processor time" in result.output


async def test_output_between_calls_is_limited():
    flood = "until [ -e go ]; do sleep 0.01; done; while :; do echo xxxxxxx; done"
    code = f"import subprocess\nsubprocess.Popen(['/bin/sh', '-c', {flood!r}]);"
    async with SandboxCodeExecutor(session=True, output=5000) as executor:
        await run(executor, code)
        await executor.write_file("go", "")
        await asyncio.wait_for(kernel_end(executor), 60)
        result = await run(executor, "print('after')")
    assert result.limit is None
    assert "it reached the limit of output" in result.output


async def kernel_end(executor):
    """Wait until the process of a session has ended."""
    ending = executor._sandbox._session._kernel.ending
    await asyncio.wait({ending})


async def test_code_with_half_a_surrogate_pair_runs():
    async with SandboxCodeExecutor(session=True) as executor:
        result = await run(executor, "print('a\ud800b')")
        assert result.stdout == "a?b\n"
        assert (await run(executor, "print('a\\ud800b')")).stdout == "a\\ud800b\n"


ATTACKS = """
import json, os, socket
found = {"uid": os.getuid(), "shadow": os.path.exists("/root/.bashrc")}
for name in ("environ", "mem"):
    try:
        open(f"/proc/{os.getppid()}/{name}", "rb").read(1)
        found[name] = "read"
    except OSError:
        found[name] = "refused"
try:
    socket.create_connection(("127.0.0.1", 22), 1)
    found["network"] = "connected"
except OSError:
    found["network"] = "refused"
print(json.dumps(found))
"""


def test_a_session_is_as_isolated_as_a_run(sandbox):
    response = sandbox.run("", blocks=[("x = 1", "python"), (ATTACKS, "python")], session=True)
    found = json.loads(response["stdout"])
    assert found.pop("uid") != 0
    assert found == {"shadow": False, "environ": "refused", "mem": "refused", "network": "refused"}


BOMB = """
import os, time
while True:
    try:
        if os.fork() == 0:
            time.sleep(600)
    except BlockingIOError:
        break
print("full")
"""
DAEMON = """
import os, signal, time
if os.fork() == 0:
    os.setsid()
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    if os.fork() == 0:
        print("daemon", flush=True)
        while True:
            time.sleep(1)
    os._exit(0)
"""


def test_nothing_of_a_session_is_left(sandbox):
    blocks = [(DAEMON, "python"), ("import time\ntime.sleep(0.2)", "python"), (BOMB, "python")]
    response = sandbox.run("", blocks=blocks, session=True, processes=20)
    assert (response["exit_code"], response["left"]) == (0, [])
    assert sorted(response["stdout"].split()) == ["daemon", "full"]


def test_nothing_of_a_session_that_is_cancelled_is_left(sandbox):
    code = DAEMON + "print('MARKER', flush=True)\ntime.sleep(600)"
    response = sandbox.run(code, session=True, cancel_on="daemon")
    assert response["cancelled"]
    assert response["left"] == []
