"""A server on the official SDK, of either major, that does everything that a server can."""

import warnings
from typing import Any

from pydantic import BaseModel

try:
    from mcp.server.fastmcp import Context, FastMCP
except ImportError:
    from mcp.server.mcpserver import Context
    from mcp.server.mcpserver import MCPServer as FastMCP

# The SDK warns of what it will drop.
warnings.simplefilter("ignore")

server = FastMCP("everything", instructions="Use it for tests.")


class Person(BaseModel):
    name: str
    age: int = 0


class Order(BaseModel):
    people: list[Person]


@server.tool()
def add(a: int, b: int = 1) -> int:
    """Add two numbers."""
    return a + b


@server.tool()
def greet(order: Order) -> str:
    """Greet people."""
    return ", ".join(person.name for person in order.people)


@server.tool()
def fail() -> None:
    """Fail."""
    raise ValueError("out of order")


@server.tool()
def picture() -> list[Any]:
    """Return a picture."""
    from mcp.types import ImageContent, TextContent

    pixel = (
        "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJg"
        "gg=="
    )
    image = ImageContent.model_validate({"type": "image", "data": pixel, "mimeType": "image/png"})
    return [TextContent(type="text", text="a pixel"), image]


@server.tool()
async def work(steps: int, ctx: Context) -> str:
    """Report progress."""
    for step in range(steps):
        await ctx.report_progress(step + 1, steps)
    return "done"


@server.tool()
async def ask(ctx: Context) -> str:
    """Ask a person."""
    result = await ctx.elicit("Who are you?", schema=Person)
    data = getattr(result, "data", None)
    return f"{result.action} {data.name if data else '-'}"


@server.tool()
async def think(ctx: Context) -> str:
    """Ask the client's model."""
    from mcp.types import SamplingMessage, TextContent

    message = SamplingMessage(role="user", content=TextContent(type="text", text="2 + 3?"))
    result = await ctx.session.create_message(messages=[message], max_tokens=10)
    return result.content.text


@server.tool()
async def log(ctx: Context) -> str:
    """Write a log record."""
    await ctx.session.send_log_message(level="warning", data={"disk": "full"}, logger="disks")
    return "logged"


@server.resource("data://motto")
def motto() -> str:
    """The motto."""
    return "festina lente"


@server.resource("data://greeting/{name}")
def greeting(name: str) -> str:
    """A greeting."""
    return f"Hello, {name}"


@server.prompt()
def review(code: str) -> str:
    """Ask for a review."""
    return f"Review this: {code}"


if __name__ == "__main__":
    server.run()
