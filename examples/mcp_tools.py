"""An MCP server of two functions, used through a guard that asks before it pays.

Run it: ``python examples/mcp_tools.py`` (needs the extra ``mcp``). It starts itself as the server:
``ferrogen mcp serve mcp_tools:tools``.
"""

import asyncio
import sys
from pathlib import Path

from ferrogen import FunctionCall
from ferrogen.tool_agent import call_tools
from ferrogen.tools import Allow, Approval, Ask, Deny, Guard, tool
from ferrogen.tools.mcp import McpWorkbench, StdioServerParams


@tool
async def price(article: str) -> float:
    """Look up the price of an article, in euros."""
    return {"cup": 4.5, "piano": 4500.0}[article]


@tool
async def pay(amount: float) -> str:
    """Pay an amount, in euros."""
    return f"paid {amount:g} euros"


tools = [price, pay]


async def treasurer(asked: Approval) -> Allow | Deny:
    """Decide as a person would; a program with a terminal can ask one here."""
    amount = asked.arguments["amount"]
    return Allow() if amount < 100 else Deny(f"{amount:g} euros are too much")


async def main() -> None:
    params = StdioServerParams(
        command=sys.executable,
        args=["-m", "ferrogen", "mcp", "serve", "mcp_tools:tools"],
        cwd=Path(__file__).parent,
        read_timeout_seconds=30,
    )
    # What a model would call in one response.
    calls = [
        FunctionCall("1", '{"article": "cup"}', "price"),
        FunctionCall("2", '{"amount": 4.5}', "pay"),
        FunctionCall("3", '{"amount": 4500}', "pay"),
        FunctionCall("4", '{"article": "unicorn"}', "price"),
    ]
    async with McpWorkbench(params) as workbench:
        with Guard(Ask.tools("pay"), approver=treasurer, max_calls=10) as guard:
            for result in await call_tools(workbench, calls):
                print("refused:" if result.is_error else "result:", result.content)
        print(f"{guard.spent.calls} calls were made")


if __name__ == "__main__":
    asyncio.run(main())
