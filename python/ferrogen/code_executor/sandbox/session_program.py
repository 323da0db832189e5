"""The program of a session: IPython, which runs one block of code after the other.

It is run in the sandbox, as ``python -c TEXT REQUESTS EVENTS``: it reads requests from one pipe and
writes events to another, each a line of JSON. Output is not an event: code, its threads and its
processes write on the stdout and the stderr of this process.
"""

from __future__ import annotations

import asyncio
import base64
import builtins
import codecs
import faulthandler
import getpass
import io
import json
import os
import re
import signal
import subprocess
import sys
import threading
import traceback
from collections.abc import Coroutine
from contextlib import suppress
from pathlib import Path
from typing import Any

from IPython.core import page
from IPython.core.autocall import ZMQExitAutocall
from IPython.core.displayhook import DisplayHook
from IPython.core.displaypub import DisplayPublisher
from IPython.core.error import StdinNotImplementedError, UsageError
from IPython.core.interactiveshell import InteractiveShell
from traitlets import Any as AnyTrait
from traitlets import Type, default
from traitlets.config import Config

PICTURES = ("image/png", "image/jpeg")
COLORS = re.compile(r"\x1b\[[0-9;]*m")


class Streams:
    """The stdout and the stderr of this process, whatever code does to ``sys`` or to them."""

    def __init__(self) -> None:
        self.copies = [(1, os.dup(1)), (2, os.dup(2))]
        sys.stdout, sys.stderr = self.stdout, self.stderr = text_stream(1), text_stream(2)

    def restore(self) -> None:
        """Undo what an earlier block did to the descriptors, and open streams that it closed."""
        for number, copy in self.copies:
            os.set_blocking(copy, True)
            os.dup2(copy, number)
        if self.stdout.closed:
            sys.stdout = self.stdout = text_stream(1)
        if self.stderr.closed:
            sys.stderr = self.stderr = text_stream(2)

    def write(self, stream: io.TextIOWrapper, text: str) -> None:
        """Write after everything that code has written."""
        self.flush()
        stream.write(text)
        stream.flush()

    def flush(self) -> None:
        """Flush the streams, which may be code's own."""
        for stream in (sys.stdout, sys.stderr):
            with suppress(Exception):
                stream.flush()


def text_stream(number: int) -> io.TextIOWrapper:
    """Return a text stream that keeps nothing back."""
    raw = io.FileIO(number, "w", closefd=False)
    # A raw file has all that is needed of a buffered one, except in the stubs.
    buffer: Any = raw
    return io.TextIOWrapper(buffer, "utf-8", "backslashreplace", write_through=True)


class Events:
    """What this process reports, beside its output.

    Args:
        descriptor: The pipe.
    """

    def __init__(self, descriptor: int) -> None:
        self.descriptor, self.pid = descriptor, os.getpid()
        self.lock = threading.RLock()

    def send(self, **event: Any) -> None:
        """Send an event."""
        # Whatever an interrupted or foreign write has left ends at the first newline.
        left = memoryview(b"\n%b\n" % json.dumps(event).encode())
        with self.lock:
            while left:
                left = left[os.write(self.descriptor, left) :]


class Results(DisplayHook):  # type: ignore[misc, unused-ignore]
    """Shows the value of a last expression."""

    def write_output_prompt(self) -> None:
        """Write no prompt."""

    def write_format_data(self, format_dict: Any, md_dict: Any = None) -> None:
        """Show the value."""
        self.shell.session.show(format_dict)

    def finish_displayhook(self) -> None:
        """Write no separator."""
        self._is_active = False


class Displays(DisplayPublisher):  # type: ignore[misc, unused-ignore]
    """Shows what is displayed; there is no screen on which it could be updated or cleared."""

    def publish(self, data: Any, metadata: Any = None, **options: Any) -> None:
        """Show data."""
        self._validate_data(data, metadata)
        if not options.get("update"):
            self.shell.session.show(data)

    def clear_output(self, wait: bool = False) -> None:
        """Clear nothing."""


class Shell(InteractiveShell):  # type: ignore[misc, unused-ignore]
    """IPython without a terminal."""

    session: Any = AnyTrait()
    displayhook_class = Type(Results)
    display_pub_class = Type(Displays)
    shows_errors = False

    @default("exiter")  # type: ignore[misc, untyped-decorator, unused-ignore]
    def _default_exiter(self) -> Any:
        return ZMQExitAutocall(self)

    def init_hooks(self) -> None:
        """Show at once what would be in a pager, and open no editor."""
        super().init_hooks()
        self.set_hook("show_in_pager", page.as_hook(page.display_page), 99)
        self.set_hook("editor", refuse_editor, 0)

    def init_virtualenv(self) -> None:
        """Use the packages of this interpreter only."""

    def enable_gui(self, gui: Any = None) -> None:
        """Refuse windows."""
        if gui not in {None, "inline", "agg", "asyncio"}:
            raise UsageError(f"there are no windows in the sandbox: {gui}")

    def ask_exit(self) -> None:
        """End the session when the block has ended."""
        self.exit_now = not getattr(self, "keepkernel_on_exit", False)

    def system_piped(self, cmd: str) -> None:
        """Run a command of the shell; its output is that of the code, which can capture it."""
        command = self.var_expand(cmd, depth=1)
        # One in the background would keep a pipe open.
        output = None if command.rstrip().endswith("&") else subprocess.PIPE
        decode = codecs.getincrementaldecoder("utf-8")("replace").decode
        with subprocess.Popen(
            command, shell=True, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
        ) as process:
            while process.stdout and (data := os.read(process.stdout.fileno(), 1 << 16)):
                sys.stdout.write(decode(data))
                sys.stdout.flush()
        self.user_ns["_exit_code"] = process.returncode
        if process.returncode and getattr(self, "system_raise_on_error", False):
            raise subprocess.CalledProcessError(process.returncode, command)

    system = system_piped

    def _showtraceback(self, etype: Any, evalue: Any, stb: list[str]) -> None:
        self.shows_errors = True
        streams = self.session.streams
        streams.write(streams.stderr, COLORS.sub("", "\n".join(stb)) + "\n")


class Session:
    """Runs blocks of code.

    Args:
        requests: The pipe with the requests.
        events: The pipe for the events.
    """

    def __init__(self, requests: int, events: int) -> None:
        self.requests, self.events, self.streams = requests, Events(events), Streams()
        # IPython would copy this file with its permissions, which Landlock forbids.
        startup = Path(os.environ["IPYTHONDIR"], "profile_default", "startup")
        startup.mkdir(parents=True, exist_ok=True)
        (startup / "README").touch()
        config = Config()
        config.HistoryManager.enabled = False
        config.InteractiveShell.colors = "nocolor"
        config.AliasManager.user_aliases = [("less", "cat"), ("more", "cat"), ("clear", "true")]
        self.shell: Any = Shell.instance(config=config, session=self)

    def show(self, data: dict[str, Any]) -> None:
        """Send a picture, or else write a text."""
        for kind in PICTURES if os.getpid() == self.events.pid else ():
            with suppress(ValueError, TypeError):  # of what is no picture
                if kind in data:
                    self.events.send(kind="picture", type=kind, data=in_base64(data[kind]))
                    return
        if "text/plain" in data:
            self.streams.write(self.streams.stdout, f"{data['text/plain']}\n")

    async def serve(self) -> int:
        """Run the code of the requests until it ends the session, and return the exit code."""
        reader = asyncio.StreamReader(limit=sys.maxsize)
        pipe = os.fdopen(self.requests, "rb", buffering=0)
        loop = asyncio.get_running_loop()
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), pipe)
        self.events.send(kind="ready")
        while True:
            try:
                line = await reader.readline()
            except asyncio.CancelledError:
                continue  # code has cancelled the task that it ran in
            finally:
                forget_cancellation()
            if not line:
                return 0
            request = json.loads(line)
            failed, exits = await self.run(request["code"]), self.shell.exit_now
            self.events.send(kind="done", request=request["number"], failed=failed, exits=exits)
            if exits:
                return 0

    async def run(self, code: str) -> bool:
        """Run a block; return whether it has failed."""
        shell = self.shell
        self.streams.restore()
        shell.shows_errors = False
        result = error = None
        try:
            transformed = shell.transform_cell(code)
        except Exception:  # noqa: BLE001 - whatever extensions raise: the shell shows it
            transformed, error = code, sys.exc_info()
        signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            result = await shell.run_cell_async(
                code,
                store_history=True,
                transformed_cell=transformed,
                preprocessing_exc_tuple=error,
            )
        except BaseException:  # noqa: BLE001 - such as an interrupt outside of the code
            with suppress(Exception):  # of a debugger, for example
                shell.showtraceback()
        finally:
            shell.events.trigger("post_execute")
            shell.events.trigger("post_run_cell", result)
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            self.streams.flush()
        failed = shell.shows_errors or result is None or not result.success
        if os.getpid() != self.events.pid:
            os._exit(failed)  # of a process that the code has forked
        return failed


def forget_cancellation() -> None:
    """Let time-outs and groups of tasks work in a task that was cancelled."""
    task: Any = asyncio.current_task()
    while hasattr(task, "cancelling") and task.cancelling():  # from Python 3.11 on
        task.uncancel()


def in_base64(picture: bytes | str) -> str:
    """Return a picture, which may already be encoded, in canonical base64."""
    raw = base64.b64decode(picture) if isinstance(picture, str) else picture
    return base64.b64encode(raw).decode()


def refuse_input(*_: object, **__: object) -> str:
    """Take the place of ``input``."""
    raise StdinNotImplementedError("code in a session has no input: give it the values, or a file")


def refuse_editor(*_: object, **__: object) -> None:
    """Take the place of an editor."""
    raise UsageError("there is no editor in the sandbox")


def run_interruptibly(serving: Coroutine[Any, Any, int]) -> int:
    """Run a session, in which an interrupt ends code that is suspended, too."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    task = loop.create_task(serving)
    while True:
        try:
            return loop.run_until_complete(task)
        except KeyboardInterrupt:  # noqa: PERF203 - each time
            if task.done():
                raise
            task.cancel()


def main() -> None:
    """Serve a session, and end with its exit code."""
    code = 1
    try:
        descriptors = [int(text) for text in sys.argv[1:]]
        for descriptor in descriptors:
            os.set_inheritable(descriptor, False)
        sys.argv = [""]
        if "" in sys.path:  # the work folder is in it under its own name
            sys.path.remove("")
        builtins.input = getpass.getpass = refuse_input
        faulthandler.enable()
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        code = run_interruptibly(Session(*descriptors).serve())
    except BaseException:  # noqa: BLE001 - of whatever kind: the session ends with it
        traceback.print_exc()
    # Threads of the code do not keep the process.
    os._exit(code)


if __name__ == "__main__":
    main()
