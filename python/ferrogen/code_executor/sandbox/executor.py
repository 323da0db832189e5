"""The executor of code in a sandbox."""

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import List  # noqa: UP035 - upstream's spelling

from typing_extensions import Self

from ferrogen._core import CancellationToken
from ferrogen.code_executor.execution import CodeBlock
from ferrogen.code_executor.executor import CodeExecutor
from ferrogen.code_executor.functions_file import Function, build_python_functions_file, packages_of
from ferrogen.code_executor.sandbox.artifacts import (
    Artifact,
    RefusedArtifact,
    collect,
    media_type,
    read_inside,
    write_inside,
)
from ferrogen.code_executor.sandbox.languages import Interpreters
from ferrogen.code_executor.sandbox.limits import LIMIT_WORDS, SandboxLimits, Size
from ferrogen.code_executor.sandbox.options import SandboxCodeExecutorConfig
from ferrogen.code_executor.sandbox.result import OutputPart, SandboxResult
from ferrogen.code_executor.sandbox.run import RunEnd
from ferrogen.code_executor.sandbox.sandbox import Sandbox
from ferrogen.code_executor.sandbox.selection import check_isolation
from ferrogen.code_executor.sandbox.transcript import OnOutput, OutputStream, Transcript
from ferrogen.components.component import Component
from ferrogen.exceptions import SandboxOptionError

# ruff: noqa: UP006 - annotations are part of the surface that is compared


class SandboxCodeExecutor(CodeExecutor, Component[SandboxCodeExecutorConfig]):
    r"""Runs code that is not trusted, such as a model's, in a sandbox.

    Each block runs in processes of its own: without a network, with a read-only view of the
    system, as an unprivileged user, and within limits. The blocks share a work folder, which the
    executor removes when it stops. It is started by the first call, if not before.

    Sizes are numbers of bytes, or text such as ``"512MiB"``.

    Args:
        timeout: The most seconds that a block runs.
        memory: The most memory of all processes of a block.
        cpu_time: The most seconds of processor time of a block; by default as many as ``timeout``.
        processes: The most processes and threads of a block.
        file_size: The most bytes of one file.
        open_files: The most open files of one process.
        output: The most bytes that a call writes on stdout and stderr.
        disk: The most bytes in all files together.
        files: The most files and folders.
        work_dir: A folder to use as the work folder, which stays.
        interpreters: Further languages: their commands, to which the path of the code is added.
        environment: Further environment variables of the code.
        read_only: Further folders of this machine that the code can read, at the same path.
        artifacts: Files that a result contains if the code writes them: paths in the work folder,
            in which ``*`` stands for anything.
        artifact_size: The most bytes of all artifacts of a call.
        isolation: ``"bubblewrap"``, ``"landlock"``, or the first of them that works: ``"auto"``.
        session: Whether Python blocks run in one process of IPython, whose variables stay between
            calls. It needs ``pip install "ferrogen[session]"``, and uses the packages of this
            Python if none are given.
        functions: Functions that the code can import, such as those of `with_requirements`.
        functions_module: The module that it imports them from.
        packages: Packages that the code can import, as requirements such as ``"numpy>=2"``, beside
            those of the functions. They need ``pip install "ferrogen[sandbox]"``.
        indexes: The only package indexes to install them from; by default those that uv uses.
        require_hashes: Whether each package must have a hash (``--hash=sha256:...``).

    Raises:
        SandboxOptionError: An argument is invalid.

    Example:
        ```python
        import asyncio

        from ferrogen import CancellationToken
        from ferrogen.code_executor import CodeBlock, SandboxCodeExecutor


        async def main() -> None:
            async with SandboxCodeExecutor(timeout=10, memory="256MiB") as executor:
                block = CodeBlock("print(6 * 7)", "python")
                result = await executor.execute_code_blocks([block], CancellationToken())
            assert (result.exit_code, result.output) == (0, "42\n")


        asyncio.run(main())
        ```
    """

    __module__ = "ferrogen.code_executor"

    component_config_schema = SandboxCodeExecutorConfig
    component_provider_override = "ferrogen.code_executor.SandboxCodeExecutor"

    def __init__(
        self,
        timeout: float = 60,
        memory: Size = "512MiB",
        *,
        cpu_time: float | None = None,
        processes: int = 64,
        file_size: Size = "64MiB",
        open_files: int = 256,
        output: Size = "1MiB",
        disk: Size = "256MiB",
        files: int = 10_000,
        work_dir: str | Path | None = None,
        interpreters: Interpreters | None = None,
        environment: Mapping[str, str] | None = None,
        read_only: Sequence[str | Path] = (),
        artifacts: Sequence[str] = (),
        artifact_size: Size = "16MiB",
        isolation: str = "auto",
        session: bool = False,
        functions: Sequence[Function] = (),
        functions_module: str = "functions",
        packages: Sequence[str] = (),
        indexes: Sequence[str] = (),
        require_hashes: bool = False,
    ) -> None:
        named = {language: _command(given) for language, given in (interpreters or {}).items()}
        self._set_up(
            SandboxCodeExecutorConfig(
                timeout=timeout,
                memory=memory,
                cpu_time=cpu_time,
                processes=processes,
                file_size=file_size,
                open_files=open_files,
                output=output,
                disk=disk,
                files=files,
                work_dir=None if work_dir is None else str(Path(work_dir).absolute()),
                interpreters=named,
                environment=dict(environment or {}),
                read_only=[str(Path(folder).absolute()) for folder in read_only],
                artifacts=[*artifacts],
                artifact_size=artifact_size,
                isolation=isolation,
                session=session,
                functions_module=functions_module,
                functions_source=build_python_functions_file(functions) if functions else "",
                packages=[*dict.fromkeys((*packages, *packages_of(functions)))],
                indexes=[*indexes],
                require_hashes=require_hashes,
            )
        )

    def _set_up(self, config: SandboxCodeExecutorConfig) -> None:
        self._config = config
        self._limits, self._rules = config.limits(), config.rules()
        config.requirements()
        check_isolation(config.isolation)
        if not config.functions_module.isidentifier():
            raise SandboxOptionError(
                f"functions_module is {config.functions_module!r}; it must be the name of a module"
            )
        self._sandbox: Sandbox | None = None
        self._starting = asyncio.Lock()

    @property
    def limits(self) -> SandboxLimits:
        """The limits of a run."""
        return self._limits

    async def start(self) -> None:
        """Make the folders, and choose an isolation that works; does nothing if that is done.

        Raises:
            SandboxUnavailableError: No isolation works on this machine.
            SandboxOptionError: An interpreter or a folder cannot be used.
        """
        await self._started()

    async def stop(self) -> None:
        """Kill what runs, and remove the work folder."""
        sandbox, self._sandbox = self._sandbox, None
        if sandbox is not None:
            await sandbox.close()

    async def restart(self) -> None:
        """Kill what runs, and return to an empty work folder."""
        await self.stop()
        await self.start()

    async def execute_code_blocks(
        self,
        code_blocks: List[CodeBlock],
        cancellation_token: CancellationToken,
        *,
        on_output: OnOutput | None = None,
        artifacts: Sequence[str] = (),
    ) -> SandboxResult:
        """Run the blocks one after the other, until one fails.

        Args:
            code_blocks: The code to run.
            cancellation_token: Kills the run when it is cancelled.
            on_output: Called on the event loop with each part of the output, as it is written.
            artifacts: Further files that the result contains, beside those of the constructor.

        Raises:
            asyncio.CancelledError: The token was cancelled, or the executor was stopped.
            SandboxUnavailableError: No isolation works on this machine.
            SandboxError: A run could not be started.
        """
        sandbox = await self._started()
        rules = replace(self._rules, patterns=(*self._rules.patterns, *artifacts))
        transcript = Transcript(self._limits.output, on_output, rules)
        end = RunEnd(0, None)
        for block in code_blocks:
            end = await sandbox.run_block(block, cancellation_token, transcript)
            if end.exit_code != 0:
                break
        if end.limit is not None:
            transcript.note(f"stopped: the limit of {LIMIT_WORDS[end.limit]} was reached")
        output, stdout, stderr = transcript.texts()
        found: list[Artifact] = []
        refused: list[RefusedArtifact] = []
        if rules.patterns:
            found, refused = await asyncio.to_thread(collect, sandbox.scratch.work, rules)
        found += transcript.displayed
        refused += transcript.refused
        return SandboxResult(end.exit_code, output, stdout, stderr, end.limit, found, refused)

    async def execute_code_blocks_stream(
        self,
        code_blocks: List[CodeBlock],
        cancellation_token: CancellationToken,
        *,
        artifacts: Sequence[str] = (),
    ) -> AsyncGenerator[OutputPart | SandboxResult, None]:
        """Run the blocks one after the other, and yield their output as it is written.

        The last item is the result. A reader that closes the iterator, or is cancelled, kills the
        run. The code does not wait for a slow reader: output that is not read yet is kept, up to
        the limit of output.

        Args:
            code_blocks: What to run.
            cancellation_token: Kills the run when it is cancelled.
            artifacts: Further files that the result contains, beside those of the constructor.

        Raises:
            asyncio.CancelledError: The token was cancelled, or the executor was stopped.
            SandboxUnavailableError: No isolation works on this machine.
            SandboxError: A run could not be started.
        """
        stream = OutputStream()
        running = asyncio.ensure_future(
            self.execute_code_blocks(
                code_blocks, cancellation_token, on_output=stream.add, artifacts=artifacts
            )
        )
        running.add_done_callback(lambda _: stream.end())
        try:
            while (part := await stream.take()) is not None:
                yield part
            yield await running
        finally:
            running.cancel()
            await asyncio.wait({running})

    async def write_file(self, path: str, data: bytes | str) -> None:
        """Write a file that the code can read and change.

        Args:
            path: The path in the work folder.
            data: The contents; text is written as UTF-8.

        Raises:
            ArtifactError: A link or another kind of file is in the way.
            SandboxOptionError: The path leads outside of the work folder.
        """
        sandbox = await self._started()
        contents = data.encode() if isinstance(data, str) else data
        identity = sandbox.identity
        await asyncio.to_thread(
            write_inside, sandbox.scratch.work, path, contents, identity.uid, identity.gid
        )

    async def read_file(self, path: str) -> Artifact:
        """Read a regular file of the work folder, of at most ``artifact_size`` bytes.

        Raises:
            ArtifactError: It is not there, not a regular file, too large, or reached by a link.
            SandboxOptionError: The path leads outside of the work folder.
        """
        sandbox = await self._started()
        data = await asyncio.to_thread(
            read_inside, sandbox.scratch.work, path, self._rules.most_bytes
        )
        return Artifact(path, media_type(path, data), data)

    def _to_config(self) -> SandboxCodeExecutorConfig:
        return self._config

    @classmethod
    def _from_config(cls, config: SandboxCodeExecutorConfig) -> Self:
        executor = cls.__new__(cls)
        executor._set_up(config)
        return executor

    async def _started(self) -> Sandbox:
        if self._sandbox is None:
            async with self._starting:
                if self._sandbox is None:
                    self._sandbox = await Sandbox.start(self._config, self._limits)
        return self._sandbox


def _command(given: str | Sequence[str]) -> list[str]:
    return [given] if isinstance(given, str) else [*given]
