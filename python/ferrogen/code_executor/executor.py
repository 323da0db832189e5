"""The interface of code executors."""

from abc import ABC, abstractmethod
from types import TracebackType
from typing import List  # noqa: UP035 - upstream's spelling

from pydantic import BaseModel
from typing_extensions import Self

from ferrogen._core import CancellationToken
from ferrogen.code_executor.execution import CodeBlock, CodeResult
from ferrogen.components.component import ComponentBase

# ruff: noqa: UP006 - annotations are part of the surface that is compared


class CodeExecutor(ABC, ComponentBase[BaseModel]):
    """Runs code blocks in some environment: a process, a container, a kernel.

    In ``async with`` an executor is started on the way in, and stopped on the way out.

    Example:
        ```python
        import asyncio
        import sys

        from ferrogen import CancellationToken
        from ferrogen.code_executor import CodeBlock, CodeExecutor, CodeResult


        class Interpreter(CodeExecutor):
            async def start(self) -> None: ...
            async def stop(self) -> None: ...
            async def restart(self) -> None: ...

            async def execute_code_blocks(
                self, code_blocks: list[CodeBlock], cancellation_token: CancellationToken
            ) -> CodeResult:
                [block] = code_blocks
                process = await asyncio.create_subprocess_exec(
                    sys.executable, "-c", block.code, stdout=asyncio.subprocess.PIPE
                )
                written, _ = await process.communicate()
                return CodeResult(process.returncode or 0, written.decode())


        async def main() -> None:
            async with Interpreter() as executor:
                blocks = [CodeBlock("print(6 * 7)", "python")]
                result = await executor.execute_code_blocks(blocks, CancellationToken())
            assert (result.exit_code, result.output.strip()) == (0, "42")


        asyncio.run(main())
        ```
    """

    __module__ = "ferrogen.code_executor"

    component_type = "code_executor"

    @abstractmethod
    async def execute_code_blocks(
        self, code_blocks: List[CodeBlock], cancellation_token: CancellationToken
    ) -> CodeResult:
        """Run the blocks one after the other, until one fails.

        Args:
            code_blocks: The code to run.
            cancellation_token: Ends the run when it is cancelled.

        Returns:
            The exit code of the last block that ran, and the output of all of them.

        Raises:
            ValueError: A block cannot be run here, for instance because of its language.
            asyncio.TimeoutError: The code took too long.
            asyncio.CancelledError: The token was cancelled.
        """

    @abstractmethod
    async def start(self) -> None:
        """Make the environment ready."""

    @abstractmethod
    async def stop(self) -> None:
        """End the environment and let go of what it holds."""

    @abstractmethod
    async def restart(self) -> None:
        """Return to the state after `start`; agents call it when they are reset."""

    async def __aenter__(self) -> Self:
        """Start the executor."""
        await self.start()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_val: BaseException | None,
        exc_tb: TracebackType | None,
    ) -> bool | None:
        """Stop the executor; an exception is not suppressed."""
        await self.stop()
        return None
