"""The unprotected executor warns, runs code, and ends it in time."""

import asyncio
from contextlib import suppress
from pathlib import Path

import pytest

from ferrogen import CancellationToken
from ferrogen.code_executor import (
    CodeBlock,
    LocalCommandLineCodeExecutor,
    UnprotectedExecutionWarning,
    with_requirements,
)
from ferrogen.exceptions import SandboxOptionError

from ..growing_timeouts import TIMEOUTS

pytestmark = pytest.mark.filterwarnings(
    "ignore::ferrogen.code_executor.UnprotectedExecutionWarning"
)


async def run(executor, *blocks, token=None):
    given = [CodeBlock(code, language) for code, language in blocks]
    return await executor.execute_code_blocks(given, token or CancellationToken())


def running_in_group(group: int) -> list[str]:
    """Return the processes of a group, without those that only wait for their parent."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            state, _, its_group = (process / "stat").read_text().rpartition(")")[2].split()[:3]
            if int(its_group) == group and state not in "ZX":
                found.append(process.name)
    return found


def test_it_warns():
    with pytest.warns(UnprotectedExecutionWarning, match="unprotected"):
        LocalCommandLineCodeExecutor()


async def test_blocks_run_until_one_fails(tmp_path):
    async with LocalCommandLineCodeExecutor(work_dir=tmp_path) as executor:
        blocks = [("print(1)", "python"), ("echo 2; exit 3", "sh"), ("print(4)", "python")]
        result = await run(executor, *blocks)
    assert (result.exit_code, result.output) == (3, "1\n2\n")
    assert list(tmp_path.iterdir()) == []


async def test_a_block_that_takes_too_long_is_killed_with_its_children(tmp_path):
    for timeout in TIMEOUTS:
        async with LocalCommandLineCodeExecutor(timeout=timeout, work_dir=tmp_path) as executor:
            result = await run(executor, ("echo $$; sleep 600 & sleep 600", "sh"))
        assert result.exit_code == 124
        if result.output[:1].isdigit():
            break
    # They are killed; each of them ends when the kernel gets to it.
    while running_in_group(int(result.output.split()[0])):  # noqa: ASYNC110 - no event says so
        await asyncio.sleep(0.01)


async def test_a_cancelled_token_ends_the_run():
    token = CancellationToken()
    async with LocalCommandLineCodeExecutor() as executor:
        asyncio.get_running_loop().call_later(0.3, token.cancel)
        result = await run(executor, ("sleep 600", "sh"), token=token)
    assert result.exit_code == 125


async def test_named_files_stay_and_cannot_be_outside(tmp_path):
    async with LocalCommandLineCodeExecutor(work_dir=tmp_path) as executor:
        kept = await run(executor, ("# filename: a/b.py\nprint(1)", "python"))
        outside = await run(executor, ("# filename: ../b.py\nprint(1)", "python"))
    assert (kept.exit_code, kept.code_file) == (0, str(tmp_path / "a" / "b.py"))
    assert (tmp_path / "a" / "b.py").exists()
    assert outside.exit_code == 1
    assert not (tmp_path.parent / "b.py").exists()


async def test_functions_can_be_imported():
    @with_requirements(global_imports=["math"])
    def area(radius: float) -> float:
        """The area of a circle."""
        return math.pi * radius**2  # noqa: F821 - the file imports it

    async with LocalCommandLineCodeExecutor(functions=[area]) as executor:
        code = "from functions import area\nprint(round(area(2), 3))"
        result = await run(executor, (code, "python"))
        assert "The area of a circle." in executor.format_functions_for_prompt()
    assert result.output == "12.566\n"


async def test_unknown_languages_are_named():
    async with LocalCommandLineCodeExecutor() as executor:
        result = await run(executor, ("x", "cobol"))
    assert (result.exit_code, "unknown language cobol" in result.output) == (1, True)


def test_it_is_a_component(tmp_path):
    executor = LocalCommandLineCodeExecutor(timeout=5, work_dir=tmp_path)
    again = LocalCommandLineCodeExecutor.load_component(executor.dump_component())
    assert (again.timeout, again.work_dir) == (5, tmp_path)


def test_wrong_arguments_are_refused():
    with pytest.raises(SandboxOptionError, match="timeout"):
        LocalCommandLineCodeExecutor(timeout=0)
    with pytest.raises(SandboxOptionError, match="functions_module"):
        LocalCommandLineCodeExecutor(functions_module="a b")
