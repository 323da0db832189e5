"""The sandbox as users see it: blocks, languages, output, files, life cycle, configs."""

from __future__ import annotations

import asyncio
import os
import select
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from ferrogen import CancellationToken
from ferrogen.code_executor import CodeBlock, SandboxCodeExecutor, with_requirements
from ferrogen.code_executor.sandbox import bubblewrap, landlock, user
from ferrogen.exceptions import (
    ArtifactError,
    SandboxError,
    SandboxOptionError,
    SandboxUnavailableError,
)


async def run(executor, *blocks, token=None, **options):
    given = [CodeBlock(code, language) for code, language in blocks]
    return await executor.execute_code_blocks(given, token or CancellationToken(), **options)


async def test_blocks_run_in_order_until_one_fails_and_share_a_folder():
    async with SandboxCodeExecutor() as executor:
        blocks = [
            ("open('n', 'w').write('7')", "python"),
            ("cat n; echo; exit 3", "sh"),
            ("print('never')", "python"),
        ]
        result = await run(executor, *blocks)
        assert (result.exit_code, result.output) == (3, "7\n")
        later = await run(executor, ("echo $(cat n) $PWD", "bash"))
        assert later.output == "7 /work\n"


async def test_stdout_and_stderr_are_told_apart_and_streamed_in_order():
    parts = []
    code = "import sys\nfor n in range(3):\n    print(n)\n    print(-n, file=sys.stderr)"
    async with SandboxCodeExecutor() as executor:
        result = await run(executor, (code, "python"), on_output=parts.append)
    assert result.stdout == "0\n1\n2\n"
    assert result.stderr == "0\n-1\n-2\n"
    assert "".join(part.text for part in parts) == result.output
    assert {part.stream for part in parts} == {"stdout", "stderr"}


async def test_output_arrives_while_the_code_runs():
    token = CancellationToken()
    async with SandboxCodeExecutor() as executor:
        code = "import time\nprint('now')\ntime.sleep(600)"
        with pytest.raises(asyncio.CancelledError):
            await run(executor, (code, "python"), token=token, on_output=lambda _: token.cancel())


async def test_an_error_of_the_callback_ends_the_run_and_is_raised():
    def fail(part):
        raise LookupError(part.text)

    async with SandboxCodeExecutor() as executor:
        with pytest.raises(LookupError, match="now"):
            await run(executor, ("echo now; sleep 600", "sh"), on_output=fail)


async def test_code_that_is_not_unicode_runs():
    async with SandboxCodeExecutor() as executor:
        assert (await run(executor, ("print(1) # \ud800", "python"))).output == "1\n"


async def test_bytes_that_are_not_text_are_replaced():
    async with SandboxCodeExecutor() as executor:
        result = await run(executor, (r"printf 'a\377\303\251'", "sh"))
    assert result.output == "a\N{REPLACEMENT CHARACTER}é"


async def test_no_blocks_are_a_success():
    async with SandboxCodeExecutor() as executor:
        result = await run(executor)
    assert (result.exit_code, result.output, result.limit) == (0, "", None)


@pytest.mark.parametrize("language", ["python", "Python", "py", "python3"])
async def test_python_has_several_names(language):
    async with SandboxCodeExecutor() as executor:
        result = await run(executor, ("print(1)", language))
    assert result.output == "1\n"


async def test_unknown_languages_are_failures_that_name_the_known_ones():
    async with SandboxCodeExecutor() as executor:
        result = await run(executor, ("DISPLAY 1.", "cobol"))
    assert result.exit_code == 1
    assert "unknown language 'cobol'" in result.output
    assert "bash, python, sh" in result.output


@pytest.mark.skipif(shutil.which("perl", path="/usr/bin") is None, reason="has no second language")
async def test_other_interpreters_are_allowed_by_option():
    async with SandboxCodeExecutor(interpreters={"perl": ["perl", "-w"]}) as executor:
        result = await run(executor, ("print 6 * 7;", "perl"))
    assert result.output == "42"


@pytest.mark.parametrize("command", ["no-such-program", "/no/such/tool"])
async def test_interpreters_that_are_not_there_are_refused(command):
    executor = SandboxCodeExecutor(interpreters={"other": command})
    with pytest.raises(SandboxOptionError, match="not found"):
        await executor.start()


async def test_packages_of_this_python_are_not_visible():
    async with SandboxCodeExecutor() as executor:
        result = await run(executor, ("import pydantic", "python"))
    assert "ModuleNotFoundError" in result.stderr


async def test_files_go_in_and_come_out():
    async with SandboxCodeExecutor() as executor:
        await executor.write_file("in/data.csv", "a,b\n1,2\n")
        code = "open('out.txt', 'w').write(open('in/data.csv').read().upper())"
        result = await run(executor, (code, "python"), artifacts=["out.txt", "missing.txt"])
        assert [(one.path, one.media_type, one.size) for one in result.artifacts] == [
            ("out.txt", "text/plain", 8)
        ]
        assert (await executor.read_file("in/data.csv")).data == b"a,b\n1,2\n"


async def test_pictures_are_images():
    # A PNG of one red pixel, written without a library.
    code = """
import struct, zlib
def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
header = struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0)
data = zlib.compress(bytes([0, 255, 0, 0]))
with open("plot.png", "wb") as file:
    file.write(bytes([137]) + b"PNG\\r\\n" + bytes([26, 10]))
    for part in (chunk(b"IHDR", header), chunk(b"IDAT", data), chunk(b"IEND", b"")):
        file.write(part)
open("false.png", "w").write("<script>")
"""
    async with SandboxCodeExecutor(artifacts=["*.png"]) as executor:
        result = await run(executor, (code, "python"))
    false, plot = result.artifacts
    assert (plot.media_type, plot.is_image) == ("image/png", True)
    assert plot.image().image.getpixel((0, 0)) == (255, 0, 0)
    assert (false.media_type, false.is_image) == ("application/octet-stream", False)
    with pytest.raises(ArtifactError):
        false.image()


async def test_artifacts_are_limited_in_size():
    code = "open('big', 'wb').write(bytes(3000)); open('small', 'w').write('x')"
    async with SandboxCodeExecutor(artifacts=["big", "small"], artifact_size=2000) as executor:
        result = await run(executor, (code, "python"))
    assert [one.path for one in result.artifacts] == ["small"]
    assert [(one.path, "3000 bytes" in one.reason) for one in result.refused_artifacts] == [
        ("big", True)
    ]


@pytest.mark.parametrize("path", ["../x", "/etc/passwd", "a/../../x", ""])
async def test_paths_outside_are_refused(path):
    with pytest.raises(SandboxOptionError):
        SandboxCodeExecutor(artifacts=[path])
    async with SandboxCodeExecutor() as executor:
        with pytest.raises(SandboxOptionError):
            await executor.write_file(path, "x")
        with pytest.raises(SandboxOptionError):
            await executor.read_file(path)


async def test_links_are_not_followed_into_or_out_of_the_work_folder(tmp_path):
    (tmp_path / "secret").write_text("secret")
    async with SandboxCodeExecutor() as executor:
        code = f"ln -s {tmp_path} folder; ln -s {tmp_path}/secret file"
        assert (await run(executor, (code, "sh"))).exit_code == 0
        for path in ("folder/secret", "file"):
            with pytest.raises(ArtifactError):
                await executor.read_file(path)
        with pytest.raises(ArtifactError):
            await executor.write_file("folder/new", "x")
        await executor.write_file("file", "replaced")
    assert [path.name for path in tmp_path.iterdir()] == ["secret"]
    assert (tmp_path / "secret").read_text() == "secret"


async def test_a_work_folder_of_the_user_stays(tmp_path):
    (tmp_path / "data.txt").write_text("5")
    (tmp_path / "data.txt").chmod(0o644)
    async with SandboxCodeExecutor(work_dir=tmp_path) as executor:
        code = "open('out.txt', 'w').write(open('data.txt').read() * 2)"
        assert (await run(executor, (code, "python"))).exit_code == 0
    assert (tmp_path / "out.txt").read_text() == "55"


async def test_folders_can_be_made_readable(tmp_path):
    folder = tmp_path / "shown"
    folder.mkdir()
    (folder / "data.txt").write_text("5")
    (tmp_path / "other.txt").write_text("6")
    for path in (folder, *folder.iterdir(), tmp_path / "other.txt"):
        path.chmod(0o755)
    code = f"cat {folder}/data.txt; cat {tmp_path}/other.txt; touch {folder}/x"
    async with SandboxCodeExecutor(read_only=[folder]) as executor:
        result = await run(executor, (code, "sh"))
    assert result.stdout == "5"
    assert result.exit_code == 1


@pytest.mark.parametrize("isolation", ["bubblewrap", "landlock"])
async def test_environment_variables_can_be_long(isolation):
    variables = {f"LONG_{number}": "x" * 100_000 for number in range(3)}
    async with SandboxCodeExecutor(environment=variables, isolation=isolation) as executor:
        result = await run(executor, ("echo ${#LONG_2}", "sh"))
    assert result.output == "100000\n"


async def test_environment_variables_can_be_added():
    async with SandboxCodeExecutor(environment={"COLOR": "red"}) as executor:
        assert (await run(executor, ("echo $COLOR", "sh"))).output == "red\n"


async def test_functions_can_be_imported():
    @with_requirements(global_imports=["math"])
    def area(radius: float) -> float:
        return math.pi * radius**2  # noqa: F821 - the file imports it

    executor = SandboxCodeExecutor(functions=[area])
    again = SandboxCodeExecutor.load_component(executor.dump_component())
    async with again:
        code = "from functions import area\nprint(round(area(2), 3))"
        assert (await run(again, (code, "python"))).output == "12.566\n"


async def test_restart_empties_the_work_folder():
    async with SandboxCodeExecutor() as executor:
        await run(executor, ("touch file", "sh"))
        await executor.restart()
        assert (await run(executor, ("ls", "sh"))).output == ""


async def test_stop_ends_what_runs():
    executor = SandboxCodeExecutor()
    await executor.start()
    started = asyncio.Event()
    running = asyncio.ensure_future(
        run(executor, ("echo; sleep 60", "sh"), on_output=lambda _: started.set())
    )
    await started.wait()
    await executor.stop()
    with pytest.raises(asyncio.CancelledError):
        await running
    await executor.stop()


async def test_the_first_call_starts_the_executor():
    executor = SandboxCodeExecutor()
    try:
        assert (await run(executor, ("echo 1", "sh"))).output == "1\n"
    finally:
        await executor.stop()


async def test_a_cancelled_caller_ends_the_run():
    async with SandboxCodeExecutor() as executor:
        started = asyncio.Event()
        running = asyncio.ensure_future(
            run(executor, ("echo; sleep 60", "sh"), on_output=lambda _: started.set())
        )
        await started.wait()
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        assert (await run(executor, ("echo 1", "sh"))).output == "1\n"


async def test_a_token_that_is_cancelled_before_runs_nothing():
    token = CancellationToken()
    token.cancel()
    async with SandboxCodeExecutor() as executor:
        with pytest.raises(asyncio.CancelledError):
            await run(executor, ("touch file", "sh"), token=token)
        assert (await run(executor, ("ls", "sh"))).output == ""


async def test_runs_are_concurrent():
    async with SandboxCodeExecutor() as executor:
        codes = [(f"sleep 0.2; echo {n}", "sh") for n in range(6)]
        results = await asyncio.gather(*(run(executor, code) for code in codes))
    assert [result.output for result in results] == [f"{n}\n" for n in range(6)]


async def test_a_full_disk_can_be_cleared():
    async with SandboxCodeExecutor(disk="8MiB") as executor:
        code = "for n in range(1000):\n    open(f'f{n}', 'wb').write(bytes(1 << 20))"
        assert (await run(executor, (code, "python"))).limit == "disk"
        result = await run(executor, ("rm -f f*; sleep 0.2; echo cleared", "sh"))
        assert (result.exit_code, result.output) == (0, "cleared\n")


def test_a_dumped_executor_is_loaded_with_its_options():
    executor = SandboxCodeExecutor(5, "256MiB", processes=3, artifacts=["*.png"])
    model = executor.dump_component()
    assert model.provider == "ferrogen.code_executor.SandboxCodeExecutor"
    again = SandboxCodeExecutor.load_component(model)
    assert again.limits == executor.limits
    assert again.dump_component() == model


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"timeout": 0}, "timeout"),
        ({"timeout": -1}, "timeout"),
        ({"memory": 512}, "no interpreter starts"),
        ({"memory": "much"}, "memory"),
        ({"processes": 0}, "processes"),
        ({"isolation": "chroot"}, "isolation"),
        ({"functions_module": "a b"}, "functions_module"),
    ],
)
def test_wrong_options_are_refused(options, words):
    with pytest.raises(SandboxOptionError, match=words):
        SandboxCodeExecutor(**options)


async def test_code_is_refused_where_nothing_can_isolate_it(monkeypatch):
    monkeypatch.setattr(bubblewrap, "find_bubblewrap", lambda: None)
    monkeypatch.setattr(landlock, "landlock_version", lambda: 3)
    with pytest.raises(SandboxUnavailableError, match=r"ferrogen doctor.*not installed.*version 3"):
        await SandboxCodeExecutor().start()


async def test_landlock_takes_over_where_bubblewrap_does_not_work(monkeypatch):
    monkeypatch.setattr(bubblewrap, "find_bubblewrap", lambda: None)
    async with SandboxCodeExecutor() as executor:
        assert (await run(executor, ("print(1)", "python"))).output == "1\n"


async def test_output_of_a_program_that_is_faster_than_the_event_loop(monkeypatch):
    class Popen(subprocess.Popen):
        """Returns when the program has written."""

        def __init__(self, *arguments, **options):
            super().__init__(*arguments, **options)
            if self.stdout is not None:
                select.select([self.stdout], [], [], 60)

    async with SandboxCodeExecutor() as executor:
        monkeypatch.setattr(subprocess, "Popen", Popen)
        assert (await run(executor, ("echo out", "sh"))).stdout == "out\n"


@pytest.fixture
def _stuck_bubblewrap(monkeypatch):
    """A bubblewrap that starts, and does nothing."""
    real = bubblewrap.find_bubblewrap()
    with tempfile.TemporaryDirectory() as folder:
        # Executable by the user that code runs as, unlike what is in `tmp_path`.
        stuck = Path(folder, "bwrap")
        stuck.write_text(f'#!/bin/sh\n[ "$1" = --args ] || exec {real} "$@"\nexec sleep 1000\n')
        for path in (stuck, stuck.parent):
            path.chmod(0o755)
        monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
        monkeypatch.setattr(bubblewrap, "LONGEST_START", 0.2)
        yield


@pytest.mark.usefixtures("_stuck_bubblewrap")
async def test_a_bubblewrap_that_does_nothing_is_given_up():
    with pytest.raises(SandboxUnavailableError, match=r"said nothing for 0\.2 seconds"):
        await SandboxCodeExecutor(isolation="bubblewrap").start()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs code as another user")
def test_a_bubblewrap_that_opens_no_closed_folder_is_given_up(tmp_path, monkeypatch):
    stuck, needed = tmp_path / "bwrap", tmp_path / "closed" / "needed"
    stuck.write_text("#!/bin/sh\nexec sleep 1000\n")
    stuck.chmod(0o755)
    needed.mkdir(parents=True)
    needed.parent.chmod(0o700)
    monkeypatch.setattr(user, "LONGEST_START", 0.2)
    with pytest.raises(SandboxError, match=r"nothing was said for 0\.2 seconds"):
        user.Reach(user.Identity(65000, 65000, dropped=True), [needed], str(stuck))
