"""Code runs on the command line, also with functions of the user's, and for an agent."""

import asyncio
import tempfile

from autogen_agentchat.agents import CodeExecutorAgent
from autogen_agentchat.messages import TextMessage
from autogen_core import CancellationToken
from autogen_core.code_executor import CodeBlock, with_requirements
from autogen_ext.code_executors.local import LocalCommandLineCodeExecutor


@with_requirements(python_packages=[], global_imports=["math"])
def area(radius: float) -> float:
    """The area of a circle."""
    return math.pi * radius**2  # type: ignore[name-defined]  # noqa: F821


async def main() -> None:
    token = CancellationToken()
    with tempfile.TemporaryDirectory() as folder:
        async with LocalCommandLineCodeExecutor(work_dir=folder, functions=[area]) as executor:
            blocks = [
                CodeBlock(
                    code="from functions import area\nprint(round(area(2), 3))", language="python"
                ),
                CodeBlock(code="echo from the shell; exit 3", language="sh"),
                CodeBlock(code="print('not reached')", language="python"),
            ]
            result = await executor.execute_code_blocks(blocks, token)
            print(result.exit_code, result.output.split("\n"))
            print(executor.format_functions_for_prompt())
            print((await executor.execute_code_blocks([CodeBlock("x", "cobol")], token)).output)

            agent = CodeExecutorAgent("runner", executor)
            said = "Run this:\n```python\nprint(6 * 7)\n```\nand this:\n```sh\necho done\n```"
            message = TextMessage(content=said, source="user")
            response = await agent.on_messages([message], token)
            print(response.chat_message.to_text())
            print(executor.dump_component().provider)


asyncio.run(main())
