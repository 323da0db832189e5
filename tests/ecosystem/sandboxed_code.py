"""An agent and a tool of AutoGen run code in Ferrogen's sandbox: prints what came of it."""

import asyncio

import ferrogen

ferrogen.install()

from autogen_agentchat.agents import CodeExecutorAgent  # noqa: E402
from autogen_agentchat.messages import TextMessage  # noqa: E402
from autogen_core import CancellationToken  # noqa: E402
from autogen_core.code_executor import CodeExecutor  # noqa: E402
from autogen_ext.tools.code_execution import PythonCodeExecutionTool  # noqa: E402

from ferrogen.code_executor import SandboxCodeExecutor  # noqa: E402

SAID = """Run this:
```python
print(6 * 7)
```
and this:
```sh
echo done; exit 3
```"""


async def main() -> None:
    token = CancellationToken()
    executor = SandboxCodeExecutor(timeout=60)
    print(isinstance(executor, CodeExecutor))
    async with executor:
        agent = CodeExecutorAgent("runner", executor)
        message = TextMessage(content=SAID, source="user")
        response = await agent.on_messages([message], token)
        print(response.chat_message.to_text())
        await agent.on_reset(token)

        tool = PythonCodeExecutionTool(executor)
        for code in ("print(2 ** 10)", "open('/etc/shadow')"):
            result = await tool.run_json({"code": code}, token)
            print(result.success, result.output.splitlines()[-1].partition(": [")[0])
    again = CodeExecutorAgent.load_component(agent.dump_component())
    print(again.dump_component().config["code_executor"]["provider"])
    tool = PythonCodeExecutionTool.load_component(tool.dump_component())
    loaded = tool.dump_component().config["executor"]
    print(loaded["provider"], loaded["config"]["timeout"])


asyncio.run(main())
