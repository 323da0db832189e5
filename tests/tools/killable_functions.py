"""What killable tools do in processes of their own, which import this and not the tests."""

import os
import subprocess
import sys
import threading
import time
from dataclasses import dataclass


@dataclass
class Place:
    city: str


@dataclass
class Unreadable(Exception):
    """Pickles, and does not load: its class wants two arguments and its `args` hold none."""

    words: str
    more: str

    def __post_init__(self):
        self.args = ()


def own_process(place: Place) -> list:
    return [os.getpid(), place]


def fail(words: str) -> str:
    raise LookupError(words)


def fail_unreadably() -> None:
    raise Unreadable("a", "b")


def unpicklable_result() -> object:
    return lambda: None


def end(code: int) -> None:
    os._exit(code)


def leave(code: int) -> None:
    sys.exit(code)


def hang_with_a_child(report: str) -> None:
    """Start a child that would live on, say so, and never return; both hold the pipe open."""
    pipe = os.open(report, os.O_WRONLY)
    program = [sys.executable, "-c", "import time; time.sleep(600)"]
    subprocess.Popen(program, pass_fds=[pipe])
    os.write(pipe, b"started\n")
    time.sleep(600)


def answer_and_stay(report: str) -> str:
    """Return, and leave a thread behind that keeps the process alive and the pipe open."""
    pipe = os.open(report, os.O_WRONLY)
    threading.Thread(target=time.sleep, args=(600,)).start()
    os.write(pipe, b"started\n")
    return "answer"
