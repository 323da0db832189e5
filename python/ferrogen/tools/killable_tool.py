"""Function tools in a process that is killed when the call is cancelled."""

from collections.abc import Callable, Sequence
from typing import Any

from typing_extensions import Unpack

from ferrogen.code_executor.requirements import Import
from ferrogen.tools.call_policy import CallLimits
from ferrogen.tools.function_tool import FunctionTool


class KillableFunctionTool(FunctionTool):
    """A function as a tool, each call of which runs in a process of its own.

    When a call is cancelled, the process is killed, with all that it started. A crash of it is an
    error of the call.

    The function is one that another process can import, or comes from a config, and starts no
    processes by multiprocessing. Arguments and result are pickled. The program guards its work by
    ``if __name__ == "__main__":``, as multiprocessing demands.

    Args:
        func: The function, not a coroutine function and without a token.
        description: The description for the model; by default the docstring's.
        name: The name of the tool; by default the function's.
        global_imports: The imports that the function needs, for its config.
        strict: Whether the model service is asked to keep to the schema.
        **limits: As those of `FunctionTool`: ``timeout``, ``retries``, ``retry_delay``,
            ``concurrency`` and ``cache``. A timeout kills the process.

    Raises:
        ToolSchemaError: A parameter cannot be described to a model.
        ToolProcessError: The function cannot run in a process of its own.

    Example:
        ```python
        import asyncio

        from ferrogen import CancellationToken
        from ferrogen.tools import KillableFunctionTool
        from ferrogen.utils import extract_json_from_str


        async def main() -> None:
            tool = KillableFunctionTool(extract_json_from_str, "Finds JSON in text.")
            found = await tool.run_json({"content": '{"answer": 42}'}, CancellationToken())
            assert found == [{"answer": 42}]


        if __name__ == "__main__":
            asyncio.run(main())
        ```
    """

    __module__ = "ferrogen.tools"

    component_provider_override = "ferrogen.tools.KillableFunctionTool"

    def __init__(
        self,
        func: Callable[..., Any],
        description: str | None = None,
        name: str | None = None,
        global_imports: Sequence[Import] = [],
        strict: bool = False,
        **limits: Unpack[CallLimits],
    ) -> None:
        super().__init__(
            func, description, name, global_imports, strict, **limits, isolation="process"
        )

    def _isolation_for_config(self) -> None:
        return None  # the class says it
