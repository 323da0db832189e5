"""The official SDK: what differs between its majors, 1 and 2, for clients.

Everything that crosses here is in the form of the wire, as dictionaries: it is the same for both.
"""

import asyncio
import os
import sys
import warnings
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from importlib import import_module
from pathlib import Path
from typing import Any

from ferrogen.exceptions import MissingDependencyError
from ferrogen.tools.mcp.parameters import StdioServerParams, StreamableHttpServerParams

_KEEPER = Path(__file__).with_name("keeper.py")
# In seconds.
_LONG = 30 * 86400.0
Streams = tuple[Any, Any]


def sdk(module: str = "mcp") -> Any:
    """Import a module of the SDK, or of what it needs.

    Raises:
        MissingDependencyError: The package is not installed.
    """
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.split(".")[0] != module.split(".", maxsplit=1)[0]:
            raise
        raise MissingDependencyError(
            "MCP needs the package mcp: install it with pip install 'ferrogen[mcp]'"
        ) from error


def is_first_major() -> bool:
    """Whether the SDK is of version 1."""
    return hasattr(sdk("mcp.client.streamable_http"), "streamablehttp_client")


def wire(value: Any) -> dict[str, Any]:
    """Return an object of the SDK in the form of the wire."""
    written: dict[str, Any] = value.model_dump(by_alias=True, mode="json", exclude_none=True)
    return written


def of_wire(name: str, value: Mapping[str, Any]) -> Any:
    """Make an object of the SDK of the form of the wire.

    Args:
        name: The name of its class in ``mcp.types``.
        value: Its fields.
    """
    return getattr(sdk("mcp.types"), name).model_validate(value)


@asynccontextmanager
async def streams_to(
    params: StdioServerParams | StreamableHttpServerParams, errors: Any = None
) -> AsyncGenerator[Streams, None]:
    """Open the two streams to a server.

    Args:
        params: The server. A program is started by a keeper, which ends it with this process.
        errors: The file that gets the standard error of a program.
    """
    if isinstance(params, StdioServerParams):
        async with _program(params, errors) as streams:
            yield streams[0], streams[1]
    else:
        async with _http(params) as streams:
            yield streams[0], streams[1]


@asynccontextmanager
async def _program(params: StdioServerParams, errors: Any) -> AsyncGenerator[Any, None]:
    stdio = sdk("mcp.client.stdio")
    keeper = [sys.executable, "-I", "-S", str(_KEEPER), str(os.getpid())]
    given = stdio.StdioServerParameters(
        command=keeper[0],
        args=[*keeper[1:], params.command, *params.args],
        env=params.env,
        cwd=params.cwd,
        encoding=params.encoding,
        encoding_error_handler=params.encoding_error_handler,
    )
    async with stdio.stdio_client(given, errors or sys.__stderr__) as streams:
        yield streams


@asynccontextmanager
async def _http(params: StreamableHttpServerParams) -> AsyncGenerator[Any, None]:
    module = sdk("mcp.client.streamable_http")
    if hasattr(module, "streamable_http_client"):
        library = import_module("httpx2" if not is_first_major() else "httpx")
        limit = library.Timeout(params.timeout, read=params.sse_read_timeout)
        async with library.AsyncClient(headers=params.headers, timeout=limit) as client:
            connecting = module.streamable_http_client(
                params.url, http_client=client, terminate_on_close=params.terminate_on_close
            )
            async with connecting as streams:
                yield streams
        return
    async with module.streamablehttp_client(  # before 1.24
        params.url,
        headers=params.headers,
        timeout=timedelta(seconds=params.timeout),
        sse_read_timeout=timedelta(seconds=params.sse_read_timeout),
        terminate_on_close=params.terminate_on_close,
    ) as streams:
        yield streams


def make_session(streams: Streams, timeout: float, callbacks: Mapping[str, Any]) -> Any:
    """Create a ``ClientSession``.

    Args:
        streams: To the server.
        timeout: The most seconds that a request may take.
        callbacks: ``elicitation_callback`` and the like, those that are supported.
    """
    reader, writer = streams
    limit: Any = timedelta(seconds=timeout) if is_first_major() else timeout
    return sdk().ClientSession(reader, writer, limit, **callbacks)


async def call_tool(
    session: Any,
    name: str,
    arguments: Mapping[str, Any],
    progress: Callable[[float, float | None, str | None], Any] | None,
) -> dict[str, Any]:
    """Call a tool. How long that takes is limited by the caller."""
    if not is_first_major():
        return wire(await session.call_tool(name, dict(arguments), _LONG, progress))
    limit = timedelta(seconds=_LONG)
    number = getattr(session, "_request_id", None)  # of the request that is made next
    try:
        return wire(await session.call_tool(name, dict(arguments), limit, progress))
    except asyncio.CancelledError:
        if number is not None:  # the server is not told otherwise
            params = {"requestId": number, "reason": "cancelled by the caller"}
            notification = {"method": "notifications/cancelled", "params": params}
            with suppress(Exception):
                await session.send_notification(of_wire("ClientNotification", notification))
        raise


async def list_all(session: Any, method: str, field: str) -> list[Any]:
    """Request all pages of a list, and return its items as objects of the SDK.

    Args:
        session: The session.
        method: The method of the session, such as ``list_tools``.
        field: The field of a page that has the items.
    """
    items: list[Any] = []
    cursor: str | None = None
    seen: set[str] = set()
    while True:
        params = None if cursor is None else of_wire("PaginatedRequestParams", {"cursor": cursor})
        page = await getattr(session, method)(**({} if params is None else {"params": params}))
        items += getattr(page, field)
        cursor = wire(page).get("nextCursor")
        if not cursor or cursor in seen:  # a server that goes in a circle
            return items
        seen.add(cursor)


def without_warnings(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function without its warnings: that only newer clients do without it."""

    def call(*arguments: Any, **options: Any) -> Any:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return function(*arguments, **options)

    return call


def uri(value: str) -> Any:
    """Return a URI as ``read_resource`` takes it."""
    if not is_first_major():
        return value
    from pydantic import AnyUrl

    return AnyUrl(value)


def error_of(error: BaseException) -> tuple[int, str] | None:
    """Return code and text of an error that a server sent, or None for another error."""
    details = getattr(error, "error", None)
    code, message = getattr(details, "code", None), getattr(details, "message", None)
    return (code, str(message)) if isinstance(code, int) else None
