"""Pipelines run their steps in order and side by side, as one tool."""

import asyncio
from dataclasses import dataclass

import pytest
from opentelemetry import trace
from pydantic import BaseModel
from tests.compat.observers import RecordedSpans

from ferrogen import CancellationToken, FunctionCall
from ferrogen.tool_agent import call_tools
from ferrogen.tools import (
    ApprovalRequired,
    Ask,
    Condition,
    First,
    FunctionTool,
    Guard,
    Input,
    Output,
    Pipeline,
    PipelineStepError,
    StaticWorkbench,
    Step,
    ToolArgumentsError,
    ToolContext,
    tool,
)


class Page(BaseModel):
    title: str
    words: list[str] = []


@tool
async def fetch(url: str) -> Page:
    """Fetch a page."""
    return Page(title=url, words=["a", "b", "c"])


@tool
def count(words: list[str]) -> int:
    """Count words."""
    return len(words)


@tool
async def write(title: str, number: int, sign: str = "!") -> str:
    """Write a report."""
    return f"{title}: {number}{sign}"


REPORT = [
    Step(write, {"title": Output("fetch", "title"), "number": Output("count")}),
    Step(count, {"words": Output("fetch", "words")}),
    Step(fetch, {"url": Input("url", description="Where it is.")}),
]


async def test_steps_run_in_the_order_of_their_needs():
    pipeline = Pipeline("report", "Reports.", REPORT)
    assert await pipeline.run_json({"url": "x"}) == "x: 3!"
    assert pipeline.return_type() is str
    assert pipeline.schema["parameters"] == {
        "type": "object",
        "properties": {"url": {"title": "Url", "type": "string", "description": "Where it is."}},
        "required": ["url"],
        "additionalProperties": False,
    }


async def test_a_pipeline_is_a_tool_like_any_other():
    pipeline = Pipeline("report", "Reports.", REPORT)
    calls = [FunctionCall("1", '{"url": "x"}', "report"), FunctionCall("2", "{}", "report")]
    results = await call_tools(StaticWorkbench([pipeline]), calls)
    assert [each.content for each in results] == ["x: 3!", "url: Field required"]
    outer = Pipeline.sequence("twice", "d", [pipeline, FunctionTool(lambda_upper, "d")])
    assert await outer.run_json({"url": "x"}) == "X: 3!"


def lambda_upper(text: str) -> str:
    return text.upper()


async def test_branches_run_side_by_side():
    met = [asyncio.Event(), asyncio.Event()]

    def meets(mine, other, name):
        async def meet() -> str:
            met[mine].set()
            await met[other].wait()
            return name

        return Step(FunctionTool(meet, "d"), name=name)

    pipeline = Pipeline("both", "d", [meets(0, 1, "left"), meets(1, 0, "right")])
    assert await pipeline.run_json({}) == {"left": "left", "right": "right"}


async def test_the_number_of_steps_at_a_time_can_be_limited():
    running, most = 0, 0

    async def work() -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0)
        running -= 1

    steps = [Step(FunctionTool(work, "d"), name=f"step{n}") for n in range(9)]
    await Pipeline("work", "d", steps, concurrency=2).run_json({})
    assert most == 2


def branching():
    @tool
    async def score(text: str) -> float:
        """Rate a text."""
        return len(text) / 10

    @tool
    async def shorten(text: str) -> str:
        """Shorten a text."""
        return text[:5]

    @tool
    async def keep(text: str) -> str:
        """Keep a text."""
        return text

    @tool
    async def publish(text: str) -> str:
        """Publish a text."""
        return f"<{text}>"

    return Pipeline(
        "publish_text",
        "d",
        [
            Step(score),
            Step(
                shorten, when=Condition(lambda score, limit: score > limit, Output("score"), LIMIT)
            ),
            Step(keep, when=Condition(lambda score, limit: score <= limit, Output("score"), LIMIT)),
            Step(publish, {"text": First(Output("shorten"), Output("keep"))}),
        ],
    )


LIMIT = Input("limit", default=1.0)


@pytest.mark.parametrize(
    ("arguments", "result"),
    [
        ({"text": "short"}, "<short>"),
        ({"text": "a long text"}, "<a lon>"),
        ({"text": "a long text", "limit": 5}, "<a long text>"),
    ],
)
async def test_conditions_choose_a_branch(arguments, result):
    assert await branching().run_json(arguments) == result


async def test_what_needs_a_skipped_step_is_skipped_unless_there_is_a_default():
    @tool
    async def decide(go: bool) -> bool:
        """Decide."""
        return go

    @tool
    async def name() -> str:
        """Name."""
        return "Ada"

    @tool
    async def greet(name: str) -> str:
        """Greet."""
        return f"Hello, {name}"

    first = [Step(decide), Step(name, when=Output("decide"))]
    strict = Pipeline("greet", "d", [*first, Step(greet, {"name": Output("name")})])
    assert await strict.run_json({"go": True}) == "Hello, Ada"
    assert await strict.run_json({"go": False}) is None
    assert strict.return_type() == str | None
    lenient = Pipeline("greet", "d", [*first, Step(greet, {"name": Output("name", default="you")})])
    assert await lenient.run_json({"go": False}) == "Hello, you"
    assert lenient.return_type() is str
    several = Pipeline("both", "d", [*first, Step(greet, {"name": "x"})])
    assert await several.run_json({"go": False}) == {"greet": "Hello, x"}


async def test_a_failed_step_is_repeated_as_it_says():
    attempts = []

    async def flaky(n: int) -> int:
        attempts.append(n)
        if len(attempts) < 3:
            raise ConnectionError("not yet")
        return n

    step = Step(FunctionTool(flaky, "d"), retries=2)
    assert await Pipeline("p", "d", [step]).run_json({"n": 4}) == 4
    assert attempts == [4, 4, 4]


async def test_a_step_that_takes_too_long_fails():
    async def hang() -> None:
        await asyncio.Event().wait()

    pipeline = Pipeline("p", "d", [Step(FunctionTool(hang, "d"), timeout=0.01)])
    with pytest.raises(PipelineStepError, match="'hang' failed: the call took longer"):
        await pipeline.run_json({})


async def test_a_failed_step_ends_the_others():
    started, ended, ran = asyncio.Event(), asyncio.Event(), []

    async def hang() -> None:
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    async def fail() -> str:
        await started.wait()
        raise LookupError("not there")

    async def after(text: str) -> None:
        ran.append(text)

    steps = [
        Step(FunctionTool(hang, "d")),
        Step(FunctionTool(fail, "d")),
        Step(FunctionTool(after, "d"), {"text": Output("fail")}),
    ]
    with pytest.raises(PipelineStepError) as caught:
        await Pipeline("p", "d", steps).run_json({})
    assert (caught.value.step, str(caught.value)) == (
        "fail",
        "the step 'fail' failed: not there",
    )
    assert isinstance(caught.value.__cause__, LookupError)
    assert ended.is_set()
    assert ran == []


async def test_a_condition_that_fails_is_the_failure_of_its_step():
    step = Step(count, {"words": []}, when=Condition(lambda: 1 / 0))
    with pytest.raises(PipelineStepError, match="condition of the step 'count'"):
        await Pipeline("p", "d", [step]).run_json({})


@pytest.mark.parametrize("by", ["token", "caller"])
async def test_cancelling_ends_all_steps(by):
    started, ended = [asyncio.Event(), asyncio.Event()], []

    def waits(number):
        async def wait() -> None:
            started[number].set()
            try:
                await asyncio.Event().wait()
            finally:
                ended.append(number)

        return Step(FunctionTool(wait, "d"), name=f"wait{number}")

    token = CancellationToken()
    running = asyncio.ensure_future(Pipeline("p", "d", [waits(0), waits(1)]).run_json({}, token))
    for event in started:
        await event.wait()
    (token if by == "token" else running).cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert sorted(ended) == [0, 1]


async def test_arguments_are_validated_before_any_step():
    with pytest.raises(ToolArgumentsError, match="url: Input should be a valid string"):
        await Pipeline("report", "d", REPORT).run_json({"url": 1})


async def test_defaults_of_tools_are_those_of_the_pipeline():
    hidden = object()

    @dataclass
    class Seen:
        limit: int
        hidden: bool

    async def search(words: str, limit: int = 7, secret: object = hidden) -> Seen:
        return Seen(limit, secret is hidden)

    pipeline = Pipeline("p", "d", [Step(FunctionTool(search, "d"))])
    parameters = pipeline.schema["parameters"]
    assert parameters["required"] == ["words"]
    assert parameters["properties"]["limit"]["default"] == 7
    assert await pipeline.run_json({"words": "w"}) == Seen(7, True)
    assert await pipeline.run_json({"words": "w", "limit": 3}) == Seen(3, True)


async def test_steps_pass_the_guards_with_ids_of_their_own():
    seen = []
    with Guard(lambda call: seen.append((call.tool, call.call_id))) as guard:
        await Pipeline("report", "d", REPORT).run_json({"url": "x"}, call_id="c")
    assert seen == [
        ("report", "c"),
        ("fetch", "c/fetch"),
        ("count", "c/count"),
        ("write", "c/write"),
    ]
    assert guard.spent.calls == 4


async def test_a_refused_step_is_not_repeated():
    pipeline = Pipeline("p", "d", [Step(fetch, retries=3)])
    with Guard(Ask.tools("fetch")) as guard:
        with pytest.raises(ApprovalRequired):
            await pipeline.run_json({"url": "x"}, call_id="c")
        (asked,) = guard.pending
        guard.approve(asked.id)
        assert (await pipeline.run_json({"url": "x"}, call_id="c")).title == "x"


async def test_a_step_has_a_span_below_that_of_the_pipeline(monkeypatch):
    recorded = RecordedSpans()
    monkeypatch.setattr(trace, "get_tracer_provider", lambda: recorded.provider)
    await Pipeline("report", "d", REPORT).run_json({"url": "x"}, call_id="c")
    spans = {span["name"]: span for span in recorded.seen()}
    assert spans.pop("execute_tool report")["parent"] is None
    assert sorted(spans) == ["execute_tool count", "execute_tool fetch", "execute_tool write"]
    assert {span["parent"] for span in spans.values()} == {"execute_tool report"}
    assert spans["execute_tool count"]["attributes"]["gen_ai.tool.call.id"] == "c/count"


async def test_a_step_gets_the_context_of_its_own_call():
    async def look(context: ToolContext) -> str | None:
        return context.call_id

    pipeline = Pipeline("p", "d", [Step(FunctionTool(look, "d"))])
    assert await pipeline.run_json({}, call_id="c") == "c/look"
