"""The session mode: a kernel in the sandbox, whose variables stay between calls."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from ferrogen import CancellationToken
from ferrogen.code_executor import CodeBlock, SandboxCodeExecutor, SandboxCodeExecutorConfig
from ferrogen.exceptions import ArtifactError, MissingDependencyError


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
    for timeout in (1, 5, 30):  # all but the endless code must end in time
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
    async with SandboxCodeExecutor(session=True, cpu_time=0.5, timeout=60) as executor:
        spin = "import time\nend = time.process_time() + {}\nwhile time.process_time() < end: pass"
        for _ in range(3):
            assert (await run(executor, spin.format(0.2))).exit_code == 0
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


@pytest.mark.skipif(find_spec("matplotlib") is None, reason="it has no wheels for CPython 3.15")
async def test_plots_are_artifacts():
    async with SandboxCodeExecutor(session=True) as executor:
        await run(executor, "import matplotlib.pyplot as plt")
        for number, code in enumerate(["plt.plot([1, 2])\nplt.show()", "plt.plot([1, 2]);"], 1):
            result = await run(executor, code)
            assert (result.exit_code, result.stdout) == (0, "")
            [plot] = result.artifacts
            assert (plot.path, plot.media_type) == (f"displayed_{number}.png", "image/png")


async def test_variables_of_the_environment():
    code = "import os\n[os.environ.get(name) for name in ('MPLBACKEND', 'PAGER', 'TERM', 'OWN')]"
    environment = {"MPLBACKEND": "svg", "OWN": "1"}
    async with SandboxCodeExecutor(session=True, environment=environment) as executor:
        assert (await run(executor, code)).stdout == "['svg', 'cat', None, '1']\n"
        result = await run(executor, "echo $MPLBACKEND$PAGER", "sh")
        assert result.stdout == "svg\n"


async def test_sessions_work_without_namespaces():
    async with SandboxCodeExecutor(session=True, isolation="landlock") as executor:
        await run(executor, "x = 41")
        assert (await run(executor, "x + 1")).stdout == "42\n"
        assert (await run(executor, "!echo hello")).stdout == "hello\n"


async def test_the_value_of_a_call_stays():
    async with SandboxCodeExecutor(session=True) as executor:
        assert (await run(executor, "40 + 2")).stdout == "42\n"
        assert (await run(executor, "_, Out, In[1]")).stdout == "(42, {1: 42}, '40 + 2')\n"
        assert (await run(executor, "1;")).stdout == ""


async def test_results_and_output_are_in_order():
    code = """
import os
print("a")
display("b")
print("c")
os.system("echo d")
os.write(1, b"e\\n");
"f"
"""
    async with SandboxCodeExecutor(session=True) as executor:
        assert (await run(executor, code)).stdout == "a\n'b'\nc\nd\ne\n'f'\n"


async def test_output_of_processes_is_captured_once():
    code = """
import ctypes, os, subprocess
subprocess.run("echo out; echo err >&2", shell=True)
os.system("echo sys")
libc = ctypes.CDLL(None)
libc.puts(b"libc")
libc.fflush(None)
if os.fork() == 0:
    print("child", flush=True)
    os._exit(0)
os.wait();
"""
    async with SandboxCodeExecutor(session=True) as executor:
        result = await run(executor, code)
    assert result.stdout == "out\nsys\nlibc\nchild\n"
    assert result.stderr == "err\n"


async def test_commands_of_the_shell():
    async with SandboxCodeExecutor(session=True) as executor:
        assert (await run(executor, "!echo out; echo err >&2; exit 3")).stdout == "out\nerr\n"
        assert (await run(executor, "_exit_code")).stdout == "3\n"
        assert (await run(executor, "name = 'x'\nlines = !echo {name}\nlines")).stdout == "['x']\n"
        assert (await run(executor, "%%capture seen\n!echo hidden")).output == ""
        assert (await run(executor, "seen.stdout")).stdout == "'hidden\\n'\n"
        assert (await run(executor, "!sleep 600 &")).exit_code == 0
        result = await run(executor, "%%bash\necho out; echo err >&2")
        assert (result.stdout, result.stderr) == ("out\n", "err\n")


async def test_magics():
    async with SandboxCodeExecutor(session=True) as executor:
        written = await run(executor, "%%writefile part.py\nprint('part')\ny = 5")
        assert written.stdout == "Writing part.py\n"
        assert (await run(executor, "%run part.py\ny")).stdout == "part\n5\n"
        assert (await run(executor, "%time 1 + 1")).stdout.endswith("2\n")
        assert (await run(executor, "%pwd")).stdout == "'/work'\n"
        described = (await run(executor, "len?")).stdout
        assert "Return the number of items in a container." in described
        assert "\x1b" not in described
        failed = await run(executor, "%nothing")
        assert failed.exit_code == 1
        assert "Line magic function `%nothing` not found" in failed.stderr


async def test_await_and_tasks_between_calls():
    async with SandboxCodeExecutor(session=True) as executor:
        code = "import asyncio\nasync def work():\n    await asyncio.sleep(0.01)\n    return 7"
        await run(executor, code)
        assert (await run(executor, "await work()")).stdout == "7\n"
        await run(executor, "task = asyncio.create_task(work())")
        # The task goes on while no code runs: the host waits for what it does last.
        code = "task.add_done_callback(lambda _: open('done', 'w').close())"
        await run(executor, code)
        await wait_for_file(executor, "done")
        assert (await run(executor, "task.done()")).stdout == "True\n"


async def wait_for_file(executor, path):
    """Wait until code that runs between calls has made a file."""
    while True:
        with contextlib.suppress(ArtifactError):
            return await executor.read_file(path)
        await asyncio.sleep(0.01)


async def test_contexts_stay_between_calls():
    async with SandboxCodeExecutor(session=True) as executor:
        await run(executor, "import decimal\ndecimal.getcontext().prec = 3")
        assert (await run(executor, "decimal.Decimal(1) / 7")).stdout == "Decimal('0.143')\n"
        code = "import asyncio\nawait asyncio.sleep(0)\ndecimal.getcontext().prec = 2"
        await run(executor, code)
        assert (await run(executor, "decimal.Decimal(1) / 7")).stdout == "Decimal('0.14')\n"


@pytest.mark.parametrize("code", ["input('name? ')", "import getpass\ngetpass.getpass()"])
async def test_input_is_refused(code):
    async with SandboxCodeExecutor(session=True) as executor:
        result = await run(executor, code)
    assert result.exit_code == 1
    assert "StdinNotImplementedError: code in a session has no input" in result.stderr


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("os.kill(os.getpid(), 2)\ntime.sleep(600)", "KeyboardInterrupt"),
        ("_thread.interrupt_main()\ntime.sleep(600)", "KeyboardInterrupt"),
        (
            "asyncio.get_running_loop().call_later(0.1, os.kill, os.getpid(), 2)\n"
            "await asyncio.sleep(600)",
            "CancelledError",
        ),
    ],
)
async def test_interrupts_end_code_and_not_the_session(code, error):
    async with SandboxCodeExecutor(session=True) as executor:
        await run(executor, "import asyncio, os, time, _thread\nx = 1")
        result = await run(executor, code)
        assert result.exit_code == 1
        assert error in result.stderr
        after = (
            "async def main():\n    await asyncio.wait_for(asyncio.sleep(0), 60)\nawait main()\nx"
        )
        assert (await run(executor, after)).stdout == "1\n"


async def test_exit_ends_the_session():
    async with SandboxCodeExecutor(session=True) as executor:
        await run(executor, "x = 1")
        result = await run(executor, "print('bye')\nexit()")
        assert result.exit_code == 0
        assert result.output == "bye\n[the session has ended, and its variables are gone]\n"
        assert (await run(executor, "print('x' in globals())")).output == "False\n"
        assert "SystemExit: 3" in (await run(executor, "import sys\nsys.exit(3)")).stderr


async def test_output_between_calls_is_that_of_the_next_one():
    code = """
import os, threading, time
def write():
    while not os.path.exists("go"): time.sleep(0.01)
    print("late")
    open("done", "w").close()
threading.Thread(target=write).start()
"""
    async with SandboxCodeExecutor(session=True) as executor:
        assert (await run(executor, code)).output == ""
        await executor.write_file("go", "")
        await wait_for_file(executor, "done")
        assert (await run(executor, "print('next')")).stdout == "late\nnext\n"


async def test_long_code_runs():
    code = f"x = {'y' * 500_000!r}\nlen(x)"
    async with SandboxCodeExecutor(session=True) as executor:
        assert (await run(executor, code)).stdout == "500000\n"


async def test_stop_cancels_a_call():
    executor = SandboxCodeExecutor(session=True)
    started = asyncio.Event()
    code = "print('now')\nimport time\ntime.sleep(600)"
    running = asyncio.ensure_future(run(executor, code, on_output=lambda _: started.set()))
    await started.wait()
    await executor.stop()
    with pytest.raises(asyncio.CancelledError):
        await running


@pytest.mark.parametrize("delay", [0, 0.02, 0.1])
async def test_a_call_that_starts_a_session_can_be_cancelled(delay):
    token = CancellationToken()
    async with SandboxCodeExecutor(session=True) as executor:
        asyncio.get_running_loop().call_later(delay, token.cancel)
        with pytest.raises(asyncio.CancelledError):
            await run(executor, "while True: pass", token=token)
        assert (await run(executor, "print(1)")).output == "1\n"


async def test_nothing_of_a_session_stays_open():
    def count():
        return len([*Path("/proc/self/fd").iterdir()])

    opened = []
    for code in ("1", "import os\nos._exit(1)", "import time\ntime.sleep(600)", "1"):
        async with SandboxCodeExecutor(session=True, timeout=2) as executor:
            await run(executor, code)
        opened.append(count())
    # The event loop and its threads have theirs since the first one.
    assert max(opened) == opened[0]


async def test_stop_cancels_calls_that_wait():
    executor = SandboxCodeExecutor(session=True)
    await executor.start()
    calls = [asyncio.ensure_future(run(executor, "import time\ntime.sleep(600)")) for _ in range(3)]
    for _ in range(10):
        await asyncio.sleep(0)  # the first one starts a kernel
    await executor.stop()
    done = await asyncio.gather(*calls, return_exceptions=True)
    assert [type(error) for error in done] == [asyncio.CancelledError] * 3


async def test_errors_of_a_listener_are_raised():
    def listen(part):
        raise LookupError(part.text)

    async with SandboxCodeExecutor(session=True) as executor:
        with pytest.raises(LookupError, match="text"):
            await run(executor, "print('text', end='')", on_output=listen)
        assert (await run(executor, "print(1)")).stdout == "1\n"


async def test_calls_take_turns():
    async with SandboxCodeExecutor(session=True) as executor:
        await run(executor, "x = 0")
        add = "import time\nbefore = x\ntime.sleep(0.02)\nx = before + 1"
        await asyncio.gather(*(run(executor, add) for _ in range(5)))
        assert (await run(executor, "x")).stdout == "5\n"


async def test_without_ipython_there_is_no_session(monkeypatch):
    monkeypatch.setitem(sys.modules, "IPython", None)
    with pytest.raises(MissingDependencyError, match=r"ferrogen\[session\]"):
        await SandboxCodeExecutor(session=True).start()


def test_packages_of_a_session_have_ipython():
    def packages(*named):
        config = SandboxCodeExecutor(session=True, packages=named).dump_component().config
        return SandboxCodeExecutorConfig.model_validate(config).requirements().packages

    assert packages() == ()
    assert packages("numpy") == ("numpy", "ipython")
    assert packages("numpy", "IPython==9.0") == ("numpy", "IPython==9.0")
    assert packages("ipython-genutils") == ("ipython-genutils", "ipython")
