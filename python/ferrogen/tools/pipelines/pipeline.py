"""Pipelines: tools that run one after the other and side by side, as one tool."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from pydantic import BaseModel
from typing_extensions import Self

from ferrogen._core import CancellationToken
from ferrogen.tools.arguments import Arguments
from ferrogen.tools.base import BaseTool
from ferrogen.tools.cancellation import end_of
from ferrogen.tools.context import ToolContext
from ferrogen.tools.guarding.errors import ToolRefusedError
from ferrogen.tools.guarding.wrapping import run_tool
from ferrogen.tools.pipelines.plan import Plan
from ferrogen.tools.pipelines.sequences import following
from ferrogen.tools.pipelines.steps import (
    MISSING,
    Condition,
    First,
    Input,
    Output,
    PipelineStepError,
    Step,
)
from ferrogen.tools.protocol import Tool

_SKIPPED: Any = type("Skipped", (), {"__repr__": lambda _: "skipped"})()


class Pipeline(BaseTool[BaseModel, Any]):
    """Tools as one tool: each step runs when those that it needs have ended.

    Names, order and types of the steps are checked when the pipeline is built. Its arguments are
    derived from the inputs of the steps. Each step is a call of its tool, with a span, past the
    guards.

    Args:
        name: The name for the model.
        description: The description for the model.
        steps: The steps, in any order.
        result: Where the result comes from. By default it is that of the one step whose result no
            other needs; of several ones, a dictionary by the names of those that were not skipped.
        concurrency: The most steps that run at the same time.

    Raises:
        PipelineError: The steps do not fit each other.

    Example:
        ```python
        import asyncio

        from ferrogen.tools import Input, Output, Pipeline, Step, tool


        @tool
        async def fetch(url: str) -> str:
            '''Fetch a page.'''
            return f"the page {url}"


        @tool
        async def count(text: str) -> int:
            '''Count the words.'''
            return len(text.split())


        @tool
        async def report(text: str, words: int) -> str:
            '''Write a report.'''
            return f"{text!r} has {words} words"


        pipeline = Pipeline(
            "report_page",
            "Reports about a page.",
            [
                Step(fetch, {"url": Input("url")}),
                Step(count, {"text": Output("fetch")}),
                Step(report, {"text": Output("fetch"), "words": Output("count")}),
            ],
        )
        assert pipeline.schema["parameters"]["required"] == ["url"]
        result = asyncio.run(pipeline.run_json({"url": "a.html"}))
        assert result == "'the page a.html' has 3 words"
        ```
    """

    __module__ = "ferrogen.tools"

    def __init__(
        self,
        name: str,
        description: str,
        steps: Sequence[Step],
        *,
        result: Output | First | None = None,
        concurrency: int | None = None,
        strict: bool = False,
    ) -> None:
        if concurrency is not None and concurrency < 1:
            raise ValueError(f"concurrency is {concurrency}; give a number above 0, or None")
        self._plan = Plan(name, steps, result)
        self._concurrency = concurrency
        self._arguments = Arguments(f"{name}args", self._plan.signature)
        super().__init__(self._arguments.model, self._plan.return_type, name, description, strict)

    @classmethod
    def sequence(
        cls, name: str, description: str, tools: Sequence[Tool | Step], *, strict: bool = False
    ) -> Self:
        """Build a pipeline in which each tool gets the result of the one before.

        The result is the one argument that the tool requires. If it requires several ones, they
        are the fields of the result, which has to have them. The first tool gets the arguments of
        the pipeline. Steps can have a name, repetitions, a timeout, and further arguments.

        Args:
            name: The name for the model.
            description: The description for the model.
            tools: The tools or steps, in their order.
            strict: Whether the model service is asked to keep to the schema.

        Raises:
            PipelineError: A result does not fit the next tool.

        Example:
            ```python
            import asyncio

            from ferrogen.tools import Pipeline, tool


            @tool
            async def parse(text: str) -> list[int]:
                '''Parse numbers.'''
                return [int(part) for part in text.split()]


            @tool
            async def total(numbers: list[int]) -> int:
                '''Add numbers.'''
                return sum(numbers)


            pipeline = Pipeline.sequence("sum_text", "Adds the numbers in a text.", [parse, total])
            assert asyncio.run(pipeline.run_json({"text": "1 2 3"})) == 6
            ```
        """
        steps: list[Step] = []
        taken: dict[str, int] = {}
        for each in tools:
            step = each if isinstance(each, Step) else Step(each)
            number = taken[step.name] = taken.get(step.name, 0) + 1
            if number > 1:
                step = replace(step, name=f"{step.name}_{number}")
            steps.append(following(name, steps[-1], step) if steps else step)
        return cls(name, description, steps, strict=strict)

    async def run(
        self,
        args: BaseModel,
        cancellation_token: CancellationToken,
        context: ToolContext | None = None,
    ) -> Any:
        """Run the steps.

        Args:
            args: The arguments, checked.
            cancellation_token: Cancels the steps.
            context: The context of the call.

        Returns:
            The result; None if the step that it comes from was skipped.

        Raises:
            PipelineStepError: A step failed. The steps that were running are cancelled.
            ToolRefusedError: A `Guard` did not let a step pass.
        """
        _, values = self._arguments.of(args, cancellation_token, None)
        given = self._arguments.given(args)
        call_id = None if context is None else context.call_id
        return await _Run(
            self._plan, values, given, cancellation_token, call_id, self._concurrency
        ).result()


class _Run:
    """One run of a pipeline."""

    def __init__(
        self,
        plan: Plan,
        arguments: Mapping[str, Any],
        given: set[str],
        token: CancellationToken,
        call_id: str | None,
        concurrency: int | None,
    ) -> None:
        self._plan, self._arguments, self._token = plan, arguments, token
        self._given = given
        self._call_id = call_id
        self._slots = asyncio.Semaphore(concurrency or len(plan.steps))
        self._results: dict[str, Any] = {}

    async def result(self) -> Any:
        tasks: dict[str, asyncio.Task[None]] = {}
        for name in self._plan.steps:
            tasks[name] = asyncio.ensure_future(self._run(name, tasks))
        try:
            await asyncio.wait(tasks.values(), return_when=asyncio.FIRST_EXCEPTION)
            failed = [task for task in tasks.values() if task.done() and not task.cancelled()]
            failure = next(filter(None, (task.exception() for task in failed)), None)
        finally:
            for task in tasks.values():
                task.cancel()
            for task in tasks.values():
                await end_of(task)
        if failure is not None:
            raise failure
        if any(task.cancelled() for task in tasks.values()):
            raise asyncio.CancelledError
        return self._outcome()

    def _outcome(self) -> Any:
        if self._plan.result is None:
            return {
                name: self._results[name]
                for name in self._plan.last
                if self._results[name] is not _SKIPPED
            }
        value = self._value(self._plan.result)
        return None if value is _SKIPPED else value

    async def _run(self, name: str, tasks: Mapping[str, "asyncio.Task[None]"]) -> None:
        needed = [tasks[each] for each in self._plan.needs[name]]
        if needed:
            await asyncio.wait(needed, return_when=asyncio.ALL_COMPLETED)
            if any(task.cancelled() or task.exception() for task in needed):
                return  # the run ends
        step = self._plan.steps[name]
        arguments = {
            key: self._value(value)
            for key, value in self._plan.arguments[name].items()
            if not self._is_left_to_the_tool(value)
        }
        is_skipped = any(value is _SKIPPED for value in arguments.values())
        if is_skipped or not self._is_wanted(step):
            self._results[name] = _SKIPPED
            return
        async with self._slots:
            self._results[name] = await self._call(step, arguments)

    async def _call(self, step: Step, arguments: Mapping[str, Any]) -> Any:
        call_id = None if self._call_id is None else f"{self._call_id}/{step.name}"
        attempt = partial(run_tool, step.tool, arguments, self._token, call_id)
        policy = self._plan.policies[step.name]
        try:
            if policy.limits_nothing:
                return await attempt()
            return await policy.apply(attempt, step.name, self._token)
        except ToolRefusedError:
            raise
        except Exception as error:
            raise PipelineStepError(
                f"the step {step.name!r} failed: {str(error) or type(error).__name__}",
                step=step.name,
            ) from error

    def _is_wanted(self, step: Step) -> bool:
        if step.when is None:
            return True
        if not isinstance(step.when, Condition):
            value = self._value(step.when)
            return value is not _SKIPPED and bool(value)
        values = [self._value(value) for value in step.when.values]
        if any(value is _SKIPPED for value in values):
            return False
        try:
            return bool(step.when.test(*values))
        except Exception as error:
            raise PipelineStepError(
                f"the condition of the step {step.name!r} failed: {error!r}", step=step.name
            ) from error

    def _is_left_to_the_tool(self, value: Any) -> bool:
        """Whether an argument of the pipeline was not given, and the tool knows its default."""
        return (
            isinstance(value, Input) and value.name not in self._given and value.default is MISSING
        )

    def _value(self, value: Any) -> Any:
        if isinstance(value, Input):
            return self._arguments[value.name]
        if isinstance(value, First):
            found = (self._value(output) for output in value.outputs)
            return next((each for each in found if each is not _SKIPPED), _SKIPPED)
        if not isinstance(value, Output):
            return value
        result = self._results[value.step]
        if result is _SKIPPED:
            return _SKIPPED if value.default is MISSING else value.default
        for name in value.path:
            result = _part(result, name)
        return result


def _part(value: Any, name: str | int) -> Any:
    if isinstance(name, str) and not isinstance(value, Mapping):
        return getattr(value, name)
    return value[name]
