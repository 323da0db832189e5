"""What the steps of random programs share: a message, errors, a context variable."""

import contextvars
import sys

from .programs import Script

VARIABLE = contextvars.ContextVar("variable", default=0)


class Own(Exception):
    pass


class Base(BaseException):
    pass


class Order:
    """A message with the script of its handler; it has no serializer."""

    def __init__(self, script: Script, path: str) -> None:
        self.script, self.path = script, path


def describe_error(error: BaseException) -> str:
    """Describe an error with its context."""
    links = [f"{type(error).__name__}{error.args}"]
    while error.__cause__ is not None or error.__context__ is not None:
        cause = error.__cause__
        error = error.__context__ if cause is None else cause
        # On 3.10 each task between the cancelled one and the waiter adds an error without args.
        if sys.version_info < (3, 11) and links[-1].endswith("CancelledError()"):
            links.pop()
        links.append(f"{'from' if cause else 'after'} {type(error).__name__}{error.args}")
        if len(links) > 9:
            break
    return " ".join(links).removeprefix("after ")
