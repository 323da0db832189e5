"""Steps of pipelines, and where their arguments come from."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ferrogen.exceptions import FerrogenError
from ferrogen.tools.protocol import Tool


class PipelineError(FerrogenError, ValueError):
    """The steps of a pipeline do not fit each other: a cycle, a wrong type, an unknown name."""

    __module__ = "ferrogen.tools"


class PipelineStepError(FerrogenError, RuntimeError):
    """A step of a pipeline failed; the cause is the ``__cause__``.

    Args:
        message: The text for the model.
        step: The name of the step.
    """

    __module__ = "ferrogen.tools"

    def __init__(self, message: str, *, step: str = "") -> None:
        super().__init__(message)
        self.step = step


MISSING: Any = type("Missing", (), {"__repr__": lambda _: "no default"})()
"""Stands for a default that is not given."""


@dataclass(frozen=True)
class Input:
    """An argument of the pipeline.

    Args:
        name: The name of the argument; steps that name the same one share it.
        default: The default; by default that of the parameters it goes to, if all have one.
        description: The description for the model; by default that of the parameter.

    Example:
        ```python
        from ferrogen.tools import Input

        assert Input("url", description="A page.").name == "url"
        ```
    """

    __module__ = "ferrogen.tools"

    name: str
    default: Any = MISSING
    description: str | None = None


class Output:
    """The result of a step, or a part of it.

    Args:
        step: The name of the step.
        *path: The names of fields, the keys, or the positions that lead to the part.
        default: The value if the step was skipped; without it the step that needs the result
            is skipped, too.

    Example:
        ```python
        from ferrogen.tools import Output

        assert repr(Output("page", "title")) == "Output('page', 'title')"
        ```
    """

    __module__ = "ferrogen.tools"

    def __init__(self, step: str, *path: str | int, default: Any = MISSING) -> None:
        self.step, self.path, self.default = step, path, default

    def __repr__(self) -> str:
        return f"Output({', '.join(map(repr, (self.step, *self.path)))})"


class First:
    """The result of the first of some steps that was not skipped: where branches join.

    Example:
        ```python
        from ferrogen.tools import First, Output

        assert repr(First(Output("a"), Output("b"))) == "First(Output('a'), Output('b'))"
        ```
    """

    __module__ = "ferrogen.tools"

    def __init__(self, *outputs: Output) -> None:
        self.outputs = outputs

    def __repr__(self) -> str:
        return f"First({', '.join(map(repr, self.outputs))})"


Reference = Input | Output | First


class Condition:
    """A condition of a step: a function of results and arguments.

    Args:
        test: Gets the values, and returns whether the step runs. It must not block.
        *values: Where they come from.

    Example:
        ```python
        from ferrogen.tools import Condition, Output

        is_long = Condition(lambda text: len(text) > 1000, Output("page"))
        assert is_long.test("short") is False
        ```
    """

    __module__ = "ferrogen.tools"

    def __init__(self, test: Callable[..., bool], *values: Reference) -> None:
        self.test, self.values = test, values


@dataclass(frozen=True)
class Step:
    """A step of a pipeline: a tool, and where its arguments come from.

    Args:
        tool: The tool.
        arguments: For each parameter an `Input`, an `Output`, a `First`, or a value. By default
            each parameter is an argument of the pipeline with the same name.
        name: The name; by default that of the tool.
        when: Whether the step runs: a `Condition`, or an output that is a truth value. Steps that
            need the result of a skipped one are skipped, too.
        after: The names of steps that have to end first, although their results are not needed.
        retries: How often the step is repeated after an error of the tool.
        retry_delay: The seconds before the first repetition; each further one waits twice as long.
        timeout: The most seconds that one attempt may take.

    Raises:
        ValueError: A limit is not positive, or a number of repetitions or seconds is negative.

    Example:
        ```python
        from ferrogen.tools import Input, Output, Step, tool


        @tool
        def shout(text: str) -> str:
            '''Write in capital letters.'''
            return text.upper()


        step = Step(shout, {"text": Input("words")}, retries=2)
        assert step.name == "shout"
        ```
    """

    __module__ = "ferrogen.tools"

    tool: Tool
    arguments: Mapping[str, Any] | None = None
    name: str = ""
    when: Condition | Output | First | None = None
    after: tuple[str, ...] = field(default=(), kw_only=True)
    retries: int = field(default=0, kw_only=True)
    retry_delay: float = field(default=0.0, kw_only=True)
    timeout: float | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        if not self.name:
            object.__setattr__(self, "name", self.tool.name)
        if isinstance(self.after, str):
            object.__setattr__(self, "after", (self.after,))


def steps_of(reference: Any) -> Iterator[str]:
    """Yield the names of the steps that a reference or a condition needs."""
    if isinstance(reference, Output):
        yield reference.step
    elif isinstance(reference, First):
        yield from (output.step for output in reference.outputs)
    elif isinstance(reference, Condition):
        for value in reference.values:
            yield from steps_of(value)
