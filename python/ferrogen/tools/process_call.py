"""Calls of a function in a process of its own, killed when the call is cancelled.

The process is made by multiprocessing's "spawn": it imports the function anew, and shares nothing
with this one. It leads a process group, so that what the tool started is killed with it.
"""

import asyncio
import os
import pickle
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from inspect import isfunction
from threading import Lock
from traceback import format_exc
from typing import TYPE_CHECKING, Any

from ferrogen._core import CancellationToken
from ferrogen.exceptions import ToolProcessError

if TYPE_CHECKING:
    from multiprocessing.connection import Connection
    from multiprocessing.context import SpawnProcess


async def run_in_process(function: Callable[[], Any], token: CancellationToken) -> Any:
    """Run a function in a process of its own.

    Args:
        function: The function to run; it and its result have to be picklable.
        token: Frees the caller when it is cancelled, and kills the process.

    Raises:
        ToolProcessError: The process ended before it responded, or cannot be sent its task.
        asyncio.CancelledError: The token was cancelled.
    """
    if token.is_cancelled():
        raise asyncio.CancelledError
    call = _Call(function)
    outcome = asyncio.get_running_loop().run_in_executor(None, call.run)
    _ = token.link_future(outcome)
    try:
        value, error = await outcome
    except asyncio.CancelledError:
        call.kill()
        raise
    if error is not None:
        raise error
    return value


def sendable(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function in a form in which another process will find it.

    Raises:
        ToolProcessError: It will not.
    """
    try:
        pickle.dumps(function)
    except Exception as error:
        if isfunction(function) and function.__qualname__.isidentifier():
            # The function of a decorator: its name will stand for a tool when it is sent.
            return _NamedFunction(function)
        raise ToolProcessError(
            f"{function!r} cannot be sent to a process of its own: {error}; define it at the top of"
            " a module"
        ) from error
    return function


class _NamedFunction:
    """A function of a module, by the name that it has there or that its tool has there."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        return self._function(*arguments, **named)

    def __reduce__(self) -> tuple[Any, ...]:
        module, name = self._function.__module__, self._function.__qualname__
        if _function_named(module, name) is not self._function:
            raise ToolProcessError(
                f"{self._function!r} is not what {name} is in the module {module}: define it at the"
                " top of a module, and give its name to nothing else"
            )
        return _function_named, (module, name)


def _function_named(module: str, name: str) -> Any:
    from ferrogen.tools.function_tool import FunctionTool  # which imports this module

    found = getattr(import_module(module), name, None)
    return found._func if isinstance(found, FunctionTool) else found


class _Call:
    """One process: a thread starts it and waits for its response, the event loop may kill it."""

    def __init__(self, function: Callable[[], Any]) -> None:
        self._function = function
        self._lock = Lock()  # never held while anything waits
        self._process: SpawnProcess | None = None
        self._given_up = False

    def run(self) -> tuple[Any, Exception | None]:
        from multiprocessing import get_context  # most programs that import tools need none of it

        spawn = get_context("spawn")
        receiver, sender = spawn.Pipe(duplex=False)
        process = spawn.Process(target=_work, args=(sender, self._function), daemon=True)
        with receiver:
            with sender:
                try:
                    process.start()
                except Exception as error:
                    raise ToolProcessError(
                        f"cannot start the process of a tool: {error}"
                    ) from error
            with self._lock:
                self._process = process
                if self._given_up:
                    _kill(process)
            pickled = _received(receiver.recv_bytes)
        process.join()  # threads that the function left behind may take long: it can be killed yet
        with self._lock:
            self._process = None
        if pickled is None:
            raise ToolProcessError(_words_of_end(process.exitcode))
        value, failure, trace = pickle.loads(pickled)
        if failure is not None:
            failure.__cause__ = ToolProcessError(f"in the process of the tool:\n{trace}")
        return value, failure

    def kill(self) -> None:
        with self._lock:
            self._given_up = True
            if self._process is not None:
                _kill(self._process)


def _received(receive: Callable[[], bytes]) -> bytes | None:
    try:
        return receive()
    except (EOFError, ConnectionError):
        return None


def _kill(process: "SpawnProcess") -> None:
    if process.exitcode is not None:
        return  # its id may be another's by now
    if sys.platform != "win32" and process.pid is not None:
        with suppress(ProcessLookupError, PermissionError):  # it leads no group yet, or has ended
            os.killpg(process.pid, signal.SIGKILL)
    process.kill()


def _words_of_end(exit_code: int | None) -> str:
    return (
        f"the process of a tool ended with exit code {exit_code} before it responded; if it could"
        " not start, see that your program does its work under `if __name__ == '__main__':`, as"
        " multiprocessing demands"
    )


def _work(sender: "Connection[Any, Any]", function: Callable[[], Any]) -> None:
    """Run in the process: call the function and send the result."""
    if hasattr(os, "setsid"):
        os.setsid()
    try:
        outcome: tuple[Any, Exception | None, str] = (function(), None, "")
    except Exception as error:  # noqa: BLE001 - it is the caller's
        outcome = (None, error, format_exc())
    try:
        pickled = pickle.dumps(outcome)
        pickle.loads(pickled)  # some exceptions pickle well and load badly
    except Exception as error:  # noqa: BLE001 - the caller gets it
        trace = outcome[2] or format_exc()
        words = f"what the tool returned or raised cannot be sent to its caller: {error}"
        pickled = pickle.dumps((None, ToolProcessError(words), trace))
    sender.send_bytes(pickled)
