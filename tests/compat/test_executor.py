"""Code executors: those of users are started, run, stopped and dumped alike."""

import asyncio
import contextlib
import io

from pydantic import BaseModel

from .harness import same, submodule


class RunnerConfig(BaseModel):
    prefix: str = ""


def runner(core, record):
    """Make an executor that runs Python here, as a user would for a trusted program."""
    package = submodule(core, "code_executor")

    class Runner(package.CodeExecutor, core.Component[RunnerConfig]):
        """Runs Python in this process."""

        component_config_schema = RunnerConfig
        component_provider_override = "autogen_core.code_executor.Runner"

        def __init__(self, prefix: str = "") -> None:
            self.prefix = prefix
            self.names = None

        async def start(self) -> None:
            record("start")
            self.names = {}

        async def stop(self) -> None:
            record("stop")
            self.names = None

        async def restart(self) -> None:
            await self.stop()
            await self.start()

        async def execute_code_blocks(self, code_blocks, cancellation_token):
            running = asyncio.get_running_loop().create_future()
            cancellation_token.link_future(running)
            written = io.StringIO()
            for block in code_blocks:
                if block.language == "wait":
                    await running
                with contextlib.redirect_stdout(written):
                    exec(self.prefix + block.code, self.names)
            return package.CodeResult(exit_code=0, output=written.getvalue())

        def _to_config(self):
            return RunnerConfig(prefix=self.prefix)

    return Runner


def test_an_executor_of_ones_own_runs_between_start_and_stop():
    async def scenario(core, record):
        package = submodule(core, "code_executor")
        token = core.CancellationToken()
        blocks = [package.CodeBlock("x = 6", "python"), package.CodeBlock("print(x * 7)", "python")]
        async with runner(core, record)() as executor:
            result = await executor.execute_code_blocks(blocks, token)
            record(result.exit_code, result.output)
            await executor.restart()
            await record.outcome("forgot", executor.execute_code_blocks(blocks[1:], token))

    same(scenario)


def test_an_executor_is_stopped_when_its_code_fails_or_is_cancelled():
    async def scenario(core, record):
        package = submodule(core, "code_executor")

        async def run(block, token):
            async with runner(core, record)() as executor:
                return await executor.execute_code_blocks([block], token)

        token = core.CancellationToken()
        await record.outcome("failed", run(package.CodeBlock("1 / 0", "python"), token))
        waiting = asyncio.ensure_future(run(package.CodeBlock("", "wait"), token))
        await asyncio.sleep(0)
        token.cancel()
        await record.outcome("cancelled", waiting)

    same(scenario)


def test_the_interface_is_abstract_and_a_component():
    async def scenario(core, record):
        executor = submodule(core, "code_executor").CodeExecutor
        record(sorted(executor.__abstractmethods__), executor.component_type)
        record.call("abstract", executor)
        own = runner(core, record)
        record(core.is_component_class(executor), core.is_component_class(own))
        record(own("import math\n").dump_component().model_dump())

    same(scenario)
