"""Sessions with MCP servers: one task opens, watches, restarts and closes the connection."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from typing import Any, TypeVar

from ferrogen.telemetry.names import ROOT_LOGGER_NAME
from ferrogen.tools.cancellation import end_of
from ferrogen.tools.mcp import sdk
from ferrogen.tools.mcp.callbacks import Questions
from ferrogen.tools.mcp.errors import McpConnectionError, McpError, McpTimeoutError
from ferrogen.tools.mcp.parameters import StdioServerParams, StreamableHttpServerParams

_ValueT = TypeVar("_ValueT")
_logger = logging.getLogger(f"{ROOT_LOGGER_NAME}.tools.mcp")

_CONNECTION_CLOSED = -32000
_TIMEOUTS = (408, -32001)


class Connection:
    """One connection of a session, from its initialization to its end."""

    def __init__(self, session: Any, result: Mapping[str, Any], on_end: Callable[[], None]) -> None:
        self.session = session
        self._on_end = on_end
        self.result = result
        """The server's description of itself, in the form of the wire."""
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.is_doubtful = False
        """Whether a request has failed in a way that a dead connection does."""

    def end(self) -> None:
        """Note that the connection is lost."""
        if not self.ended.done():
            self.ended.set_result(None)
            self._on_end()


class McpSession:
    """A session with an MCP server, which is restarted when the connection is lost.

    Args:
        params: How the server is reached.
        callbacks: The callbacks for requests and notifications of the server, by the names that
            the SDK gives them.
        questions: The time that questions of the server take, which does not count for requests.
        timeout: The most seconds that a request may take; by default as the parameters say.
        connect_timeout: The most seconds until the server is initialized.
        stop_timeout: The most seconds that `stop` waits for the connection to close.
        restarts: How often a lost connection is opened again before the session fails. A
            connection that has lasted for a minute counts anew.
        restart_delay: The seconds before the first restart; each further one waits twice as long,
            up to 30.
    """

    def __init__(
        self,
        params: StdioServerParams | StreamableHttpServerParams,
        callbacks: Mapping[str, Any],
        questions: Questions,
        *,
        timeout: float | None = None,
        connect_timeout: float = 30.0,
        stop_timeout: float = 10.0,
        restarts: int = 5,
        restart_delay: float = 0.5,
    ) -> None:
        self.timeout = _timeout_of(params) if timeout is None else timeout
        for name, value in (
            ("timeout", self.timeout),
            ("connect_timeout", connect_timeout),
            ("stop_timeout", stop_timeout),
        ):
            if not value > 0:
                raise ValueError(f"{name} is {value}; give seconds above 0")
        if restarts < 0 or restart_delay < 0:
            raise ValueError(
                f"restarts is {restarts} and restart_delay is {restart_delay}; neither can be"
                " negative"
            )
        self._params = params
        self._questions = questions
        self._callbacks = callbacks
        self._connect_timeout, self._stop_timeout = connect_timeout, stop_timeout
        self._restarts, self._restart_delay = restarts, restart_delay
        self._owner: asyncio.Task[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping: asyncio.Event | None = None
        self._ready: asyncio.Future[Connection] | None = None

    @property
    def connection(self) -> Connection | None:
        """The present connection, if there is one."""
        ready = self._ready
        if ready is None or not ready.done() or ready.cancelled() or ready.exception() is not None:
            return None
        connection = ready.result()
        return None if connection.ended.done() else connection

    async def start(self) -> None:
        """Connect, unless that is done. Idempotent.

        Raises:
            McpConnectionError: The server cannot be reached.
            MissingDependencyError: The package mcp is not installed.
        """
        sdk.sdk()
        await self._connected()

    async def stop(self) -> None:
        """Close the connection, and end a program. Idempotent."""
        owner = self._owner
        if owner is None or self._loop is not asyncio.get_running_loop():
            self._owner = self._ready = None
            return
        assert self._stopping is not None
        self._stopping.set()
        await asyncio.wait({owner}, timeout=self._stop_timeout)
        if not owner.done():
            owner.cancel()
            await asyncio.wait({owner}, timeout=self._stop_timeout)
        if self._owner is owner:
            self._owner = self._ready = None

    async def request(
        self, make: Callable[[Any], Awaitable[_ValueT]], timeout: float | None = None
    ) -> _ValueT:
        """Make a request, connecting first if need be.

        Args:
            make: Makes it with a ``ClientSession``.
            timeout: The most seconds that it may take.

        Raises:
            McpError: The server refused it.
            McpConnectionError: The server cannot be reached, or the connection was lost meanwhile.
            McpTimeoutError: It took too long.
        """
        limit = self.timeout if timeout is None else timeout
        connection = await self._connected()
        if connection.is_doubtful:
            await self._check(connection)
            connection = await self._connected()
        call = asyncio.ensure_future(make(connection.session))
        try:
            await self._wait({call, connection.ended}, limit)
        finally:
            is_done = call.done()
            if not is_done:
                call.cancel()
                await asyncio.wait({call}, timeout=1.0)
        if is_done:
            return self._outcome(call, connection, limit)
        if connection.ended.done():
            raise McpConnectionError(f"{self._name} ended the connection during the request")
        connection.is_doubtful = True
        raise self._too_slow(limit)

    async def _wait(self, futures: "set[asyncio.Future[Any]]", limit: float) -> None:
        """Wait for the first of some futures, not counting the time in which others are asked."""
        left = limit
        while left > 0 and not any(future.done() for future in futures):
            began, asked = time.monotonic(), self._questions.seconds
            await _first(futures, left)
            left -= time.monotonic() - began - (self._questions.seconds - asked)

    def _outcome(
        self, call: "asyncio.Future[_ValueT]", connection: Connection, limit: float
    ) -> _ValueT:
        if call.cancelled():
            raise McpConnectionError(f"{self._name}: the request was cancelled by the connection")
        error = call.exception()
        if error is None:
            return call.result()
        known = sdk.error_of(error)
        if known is None:
            if isinstance(error, McpError):
                raise error
            connection.is_doubtful = True
            raise McpError(f"{self._name}: {_text_of(error)}") from error
        code, message = known
        if code in _TIMEOUTS and "imed out" in message:
            connection.is_doubtful = True
            raise self._too_slow(limit) from error
        if code == _CONNECTION_CLOSED or "ession terminated" in message:
            connection.is_doubtful = True
            raise McpConnectionError(f"{self._name}: {message}") from error
        raise McpError(f"{self._name}: {message}") from error

    async def _check(self, connection: Connection) -> None:
        """Make sure that a connection still works; end it if not."""
        ping = asyncio.ensure_future(connection.session.send_ping())
        limit = min(self.timeout, 5.0)
        await _first({ping, connection.ended}, limit)
        if ping.done() and not ping.cancelled() and ping.exception() is None:
            connection.is_doubtful = False
            return
        await end_of(ping)
        connection.end()

    async def _connected(self) -> Connection:
        loop = asyncio.get_running_loop()
        if self._owner is None or self._owner.done() or self._loop is not loop:
            self._loop = loop
            self._stopping = asyncio.Event()
            self._ready = loop.create_future()
            self._owner = loop.create_task(
                self._own(self._stopping), name=f"MCP session with {self._name}"
            )
        while True:
            ready = self._ready
            assert ready is not None
            await _first({ready, self._owner})
            if not ready.done():
                raise McpConnectionError(f"the session with {self._name} was stopped")
            connection = ready.result()
            if not connection.ended.done():
                return connection
            # There is another future since the connection has ended.

    # The owner.

    async def _own(self, stopping: asyncio.Event) -> None:
        failures, was_connected = 0, False
        while not stopping.is_set():
            began = time.monotonic()
            failure: BaseException | None = None
            try:
                was_connected = await self._connect(stopping) or was_connected
            except asyncio.CancelledError:
                raise
            except BaseException as error:
                if not isinstance(error, Exception) and not hasattr(error, "exceptions"):
                    raise
                failure = error
            if stopping.is_set():
                return
            failures = 1 if time.monotonic() - began > 60 else failures + 1
            if failures > self._restarts or not was_connected:
                self._fail(failure)
                return
            delay = min(30.0, self._restart_delay * 2 ** (failures - 1))
            _logger.warning("the connection to %s was lost; restart in %g s", self._name, delay)
            waiting = asyncio.ensure_future(stopping.wait())
            await asyncio.wait({waiting}, timeout=delay)
            await end_of(waiting)

    async def _connect(self, stopping: asyncio.Event) -> bool:
        """Open a connection, wait until it ends or the session stops, and close it.

        A cancelled owner closes it, too, before it ends: the SDK closes nothing when cancelled.
        """
        import anyio

        cancelled: asyncio.CancelledError | None = None
        async with AsyncExitStack() as stack:
            reader, writer = await stack.enter_async_context(sdk.streams_to(self._params))
            ends: list[Callable[[], None]] = []
            limit = max(self.timeout, self._connect_timeout)  # requests have shorter ones
            watched = _WatchedStream(reader, lambda: [end() for end in ends])
            session = await stack.enter_async_context(
                sdk.make_session((watched, writer), limit, self._callbacks)
            )
            try:
                with anyio.fail_after(self._connect_timeout):
                    result = sdk.wire(await session.initialize())
            except TimeoutError:
                raise McpTimeoutError(
                    f"{self._name} was not initialized within {self._connect_timeout:g} seconds"
                ) from None
            connection = Connection(session, result, self._renew)
            ends.append(connection.end)
            if watched.has_ended:
                connection.end()
            if self._ready is not None and not self._ready.done():
                self._ready.set_result(connection)
            waiting = asyncio.ensure_future(stopping.wait())
            try:
                await _first({waiting, connection.ended})
            except asyncio.CancelledError as error:
                cancelled = error
            connection.end()
            waiting.cancel()
        if cancelled is not None:
            raise cancelled
        return True

    def _renew(self) -> None:
        """Let requests wait for the next connection."""
        if self._ready is None or self._ready.done():
            self._ready = asyncio.get_running_loop().create_future()

    def _fail(self, failure: BaseException | None) -> None:
        failure = _only(failure)
        reason = "the connection was lost" if failure is None else _text_of(failure)
        error: McpError = McpConnectionError(f"{self._name} cannot be reached: {reason}")
        if isinstance(failure, McpTimeoutError):
            error = failure
        ready = self._ready
        if ready is None or ready.done():
            ready = self._ready = asyncio.get_running_loop().create_future()
        error.__cause__ = failure if failure is not error else None
        ready.set_exception(error)
        ready.exception()  # retrieved, or it would be logged without a waiter

    @property
    def _name(self) -> str:
        if isinstance(self._params, StdioServerParams):
            return f"the MCP server {self._params.command!r}"
        return f"the MCP server at {self._params.url}"

    def _too_slow(self, limit: float) -> McpTimeoutError:
        return McpTimeoutError(f"{self._name} did not respond within {limit:g} seconds")


class _WatchedStream:
    """The stream from a server, which notes its end."""

    def __init__(self, stream: Any, ended: Callable[[], object]) -> None:
        self._stream, self._ended = stream, ended
        self.has_ended = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    async def __aenter__(self) -> "_WatchedStream":
        await self._stream.__aenter__()
        return self

    async def __aexit__(self, *details: Any) -> Any:
        return await self._stream.__aexit__(*details)

    def __aiter__(self) -> "_WatchedStream":
        return self

    async def __anext__(self) -> Any:
        return await self._watched(self._stream.__anext__())

    async def receive(self) -> Any:
        return await self._watched(self._stream.receive())

    async def _watched(self, receiving: Awaitable[Any]) -> Any:
        try:
            return await receiving
        except BaseException:
            self.has_ended = True
            self._ended()
            raise


async def _first(futures: "set[asyncio.Future[Any]]", timeout: float | None = None) -> None:
    await asyncio.wait(futures, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)


def _timeout_of(params: StdioServerParams | StreamableHttpServerParams) -> float:
    return params.read_timeout_seconds if isinstance(params, StdioServerParams) else params.timeout


def _only(error: BaseException | None) -> BaseException | None:
    """Take an error out of groups that have no other."""
    members: Any = getattr(error, "exceptions", ())
    return _only(members[0]) if len(members) == 1 else error


def _text_of(error: BaseException) -> str:
    members = getattr(error, "exceptions", None)
    if members:
        return "; ".join(_text_of(member) for member in members)
    known = sdk.error_of(error)
    return known[1] if known is not None else str(error) or type(error).__name__
