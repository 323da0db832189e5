"""An executor that runs code on this machine, unprotected."""

import asyncio
import os
import signal
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from types import SimpleNamespace
from typing import ClassVar, List  # noqa: UP035 - upstream's spelling

from pydantic import BaseModel
from typing_extensions import Self

from ferrogen._core import CancellationToken
from ferrogen.code_executor.execution import CodeBlock, CodeResult, file_name_in
from ferrogen.code_executor.executor import CodeExecutor
from ferrogen.code_executor.functions_file import (
    Function,
    build_python_functions_file,
    packages_of,
    to_stub,
)
from ferrogen.code_executor.requirements import FunctionWithRequirements
from ferrogen.components.component import Component
from ferrogen.exceptions import PackageInstallError, SandboxOptionError

# ruff: noqa: UP006 - annotations are part of the surface that is compared

_TIMEOUT_CODE, _CANCELLED_CODE = 124, 125


class UnprotectedExecutionWarning(UserWarning):
    """Code runs on this machine with all rights of this program.

    Example:
        ```python
        import warnings

        from ferrogen.code_executor import UnprotectedExecutionWarning

        warnings.simplefilter("error", UnprotectedExecutionWarning)
        ```
    """

    __module__ = "ferrogen.code_executor"


class LocalCommandLineCodeExecutorConfig(BaseModel):
    """The arguments of `LocalCommandLineCodeExecutor`, as data.

    Example:
        ```python
        from ferrogen.code_executor import LocalCommandLineCodeExecutorConfig

        assert LocalCommandLineCodeExecutorConfig().timeout == 60
        ```
    """

    __module__ = "ferrogen.code_executor"

    timeout: float = 60
    work_dir: str | None = None
    functions_module: str = "functions"
    cleanup_temp_files: bool = True


@dataclass
class CommandLineCodeResult(CodeResult):
    """How the execution of code blocks on the command line ended.

    Example:
        ```python
        from ferrogen.code_executor import CommandLineCodeResult

        assert CommandLineCodeResult(0, "42", None).code_file is None
        ```
    """

    __module__ = "ferrogen.code_executor"

    code_file: str | None
    """The file of the last block that ran."""


class LocalCommandLineCodeExecutor(CodeExecutor, Component[LocalCommandLineCodeExecutorConfig]):
    """Runs code on this machine, **unprotected**: it can do everything that this program can.

    It can read and delete files, read secrets, and use the network; nothing but its time is
    limited. Use it for code that you have written or read, and `SandboxCodeExecutor` for the code
    of a model. Its arguments are those of autogen-ext's executor of this name.

    Args:
        timeout: The most seconds that a block runs.
        work_dir: The folder in which code runs; by default a temporary one.
        functions: Functions that the code can import.
        functions_module: The module that it imports them from.
        cleanup_temp_files: Whether the files with the code are removed after a run.
        virtual_env_context: The context of a virtual environment, as ``venv.EnvBuilder`` makes it.

    Raises:
        SandboxOptionError: An argument is invalid.

    Example:
        ```python
        import asyncio
        import warnings

        from ferrogen import CancellationToken
        from ferrogen.code_executor import CodeBlock, LocalCommandLineCodeExecutor

        warnings.simplefilter("ignore")  # the code below is our own


        async def main() -> None:
            async with LocalCommandLineCodeExecutor(timeout=10) as executor:
                block = CodeBlock("print(6 * 7)", "python")
                result = await executor.execute_code_blocks([block], CancellationToken())
            assert (result.exit_code, result.output.strip()) == (0, "42")


        asyncio.run(main())
        ```
    """

    __module__ = "ferrogen.code_executor"

    component_config_schema = LocalCommandLineCodeExecutorConfig
    component_provider_override = "ferrogen.code_executor.LocalCommandLineCodeExecutor"

    SUPPORTED_LANGUAGES: ClassVar[List[str]] = ["bash", "shell", "sh", "python"]
    _NAMES: ClassVar[dict[str, str]] = {"py": "python", "python3": "python", "shell": "sh"}

    def __init__(
        self,
        timeout: float = 60,
        work_dir: Path | str | None = None,
        functions: Sequence[Function] = (),
        functions_module: str = "functions",
        cleanup_temp_files: bool = True,
        virtual_env_context: SimpleNamespace | None = None,
    ) -> None:
        if timeout <= 0:
            raise SandboxOptionError(f"timeout is {timeout!r}; it must be a positive number")
        if not functions_module.isidentifier():
            raise SandboxOptionError(
                f"functions_module is {functions_module!r}; it must be the name of a module"
            )
        warnings.warn(
            "LocalCommandLineCodeExecutor runs code unprotected, with all rights of this program:"
            " run code that a model wrote in a SandboxCodeExecutor",
            UnprotectedExecutionWarning,
            stacklevel=2,
        )
        self._timeout = timeout
        self._work_dir = None if work_dir is None else Path(work_dir).absolute()
        self._functions, self._functions_module = [*functions], functions_module
        self._cleanup_temp_files = cleanup_temp_files
        self._python = str(getattr(virtual_env_context, "env_exe", sys.executable))
        self._bin = getattr(virtual_env_context, "bin_path", None)
        self._temporary: tempfile.TemporaryDirectory[str] | None = None
        self._functions_ready = False

    @property
    def timeout(self) -> float:
        """The most seconds that a block runs."""
        return self._timeout

    @property
    def functions_module(self) -> str:
        """The module that the code imports the functions from."""
        return self._functions_module

    @property
    def cleanup_temp_files(self) -> bool:
        """Whether the files with the code are removed after a run."""
        return self._cleanup_temp_files

    @property
    def work_dir(self) -> Path:
        """The folder in which code runs; a temporary one is made by the first use."""
        if self._work_dir is not None:
            return self._work_dir
        if self._temporary is None:
            self._temporary = tempfile.TemporaryDirectory(prefix="ferrogen-local-")
        return Path(self._temporary.name)

    def format_functions_for_prompt(self) -> str:
        """Return the functions as a part of a prompt: their heads and docstrings."""
        stubs = "\n\n".join(
            to_stub(one.func if isinstance(one, FunctionWithRequirements) else one)
            for one in self._functions
        )
        return (
            f"You have access to the following user defined functions. They can be imported from"
            f" the module `{self._functions_module}`:\n\n{stubs}"
        )

    async def start(self) -> None:
        """Make the work folder."""
        await asyncio.to_thread(self.work_dir.mkdir, parents=True, exist_ok=True)

    async def stop(self) -> None:
        """Remove the work folder, if it is a temporary one."""
        temporary, self._temporary = self._temporary, None
        self._functions_ready = False
        if temporary is not None:
            await asyncio.to_thread(temporary.cleanup)

    async def restart(self) -> None:
        """Return to an empty work folder, if it is a temporary one."""
        await self.stop()
        await self.start()

    async def execute_code_blocks(
        self, code_blocks: List[CodeBlock], cancellation_token: CancellationToken
    ) -> CommandLineCodeResult:
        """Run the blocks one after the other, until one fails.

        The exit code is 124 if a block took too long, and 125 if the token was cancelled. A block
        whose first line is a comment ``# filename: NAME`` is kept under that name.

        Raises:
            asyncio.CancelledError: The caller was cancelled.
            PackageInstallError: The packages of a function could not be installed.
        """
        await self.start()
        if self._functions and not self._functions_ready:
            await self._set_up_functions()
        output, files = "", []
        result = CommandLineCodeResult(0, "", None)
        try:
            for block in code_blocks:
                command = self._command(block.language)
                if command is None:
                    return CommandLineCodeResult(
                        1, f"{output}\nunknown language {block.language}", None
                    )
                name, is_kept = _file_of(block)
                file = self.work_dir / name
                if not file.resolve().is_relative_to(self.work_dir.resolve()):
                    return CommandLineCodeResult(1, "Filename is not in the workspace", None)
                await asyncio.to_thread(_write, file, block.code)
                if not is_kept:
                    files.append(file)
                code, text = await self._run([*command, str(file)], cancellation_token)
                output += text
                result = CommandLineCodeResult(code, output, str(file))
                if code != 0:
                    break
        finally:
            if self._cleanup_temp_files:
                for file in files:
                    file.unlink(missing_ok=True)
        return result

    def _command(self, language: str) -> list[str] | None:
        name = self._NAMES.get(language.lower(), language.lower())
        commands = {"python": [self._python, "-u"], "sh": ["/bin/sh"], "bash": ["/bin/bash"]}
        return commands.get(name)

    def _variables(self) -> dict[str, str]:
        if self._bin is None:
            return dict(os.environ)
        return {**os.environ, "PATH": os.pathsep.join((str(self._bin), os.environ["PATH"]))}

    async def _run(self, command: list[str], token: CancellationToken) -> tuple[int, str]:
        process = await asyncio.create_subprocess_exec(
            *command,
            cwd=self.work_dir,
            env=self._variables(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        reading = asyncio.ensure_future(process.communicate())
        given_up: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        _ = token.link_future(given_up)
        try:
            waited: list[asyncio.Future[object]] = [reading, given_up]  # type: ignore[list-item]
            await asyncio.wait(waited, timeout=self._timeout, return_when=asyncio.FIRST_COMPLETED)
            ended = reading.done()
        finally:
            _kill_group(process.pid)
            if not reading.done():
                await asyncio.wait({reading})
        written = reading.result()[0].decode(errors="replace")
        if not ended:
            if given_up.cancelled():
                return _CANCELLED_CODE, f"{written}\nCancelled"
            return _TIMEOUT_CODE, f"{written}\nTimeout"
        code = process.returncode or 0
        return (128 - code if code < 0 else code), written

    async def _set_up_functions(self) -> None:
        packages = packages_of(self._functions)
        if packages:
            process = await asyncio.create_subprocess_exec(
                *(self._python, "-m", "pip", "install", "--disable-pip-version-check", *packages),
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
            )
            written, _ = await process.communicate()
            if process.returncode != 0:
                raise PackageInstallError(
                    f"pip could not install {', '.join(packages)}: {written.decode().strip()}"
                )
        text = build_python_functions_file(self._functions)
        await asyncio.to_thread(_write, self.work_dir / f"{self._functions_module}.py", text)
        self._functions_ready = True

    def _to_config(self) -> LocalCommandLineCodeExecutorConfig:
        return LocalCommandLineCodeExecutorConfig(
            timeout=self._timeout,
            work_dir=None if self._work_dir is None else str(self._work_dir),
            functions_module=self._functions_module,
            cleanup_temp_files=self._cleanup_temp_files,
        )

    @classmethod
    def _from_config(cls, config: LocalCommandLineCodeExecutorConfig) -> Self:
        return cls(
            timeout=config.timeout,
            work_dir=config.work_dir,
            functions_module=config.functions_module,
            cleanup_temp_files=config.cleanup_temp_files,
        )


def _file_of(block: CodeBlock) -> tuple[str, bool]:
    named = file_name_in(block.code)
    if named is not None:
        return named, True
    suffix = "py" if block.language.lower().startswith("py") else "sh"
    return f"tmp_code_{sha256(block.code.encode()).hexdigest()}.{suffix}", False


def _write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")


def _kill_group(leader: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, signal.SIGKILL)
