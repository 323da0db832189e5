"""What does not fit is refused when a pipeline is built."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field
from typing_extensions import TypedDict

from ferrogen.tools import (
    Condition,
    First,
    FunctionTool,
    Input,
    Output,
    Pipeline,
    PipelineError,
    Step,
)
from ferrogen.tools.pipelines.types import fits


class Page(BaseModel):
    title: str


class SubPage(Page): ...


class Options(TypedDict):
    limit: int


def text(n: int) -> str:
    return str(n)


def number(text: str) -> int:
    return int(text)


def page(title: str) -> Page:
    return Page(title=title)


def both(title: str, n: int) -> dict[str, Any]:
    return {"title": title, "n": n}


def nothing() -> None: ...


def step(function, arguments=None, name="", **options):
    return Step(FunctionTool(function, "d"), arguments, name, **options)


@pytest.mark.parametrize(
    ("steps", "reason"),
    [
        ([], "it has no steps"),
        ([step(text), step(text)], "two steps have the name 'text'"),
        (
            [step(text, {"n": Output("number")}), step(number, {"text": Output("text")})],
            "the steps form a cycle: ",
        ),
        ([step(text, {"n": Output("text")})], "the steps form a cycle: text -> text"),
        (
            [step(text, after=("number",)), step(number, after="text")],
            "the steps form a cycle",
        ),
        (
            [step(text, {"n": 1}, when=Output("number")), step(number, {"text": Output("text")})],
            "the steps form a cycle",
        ),
        (
            [step(text), step(text, {"n": Output("text")}, "again")],
            "the argument 'n' of the step 'again' takes int, and Output('text') is str",
        ),
        (
            [step(nothing), step(number, {"text": Output("nothing")})],
            "the argument 'text' of the step 'number' takes str, and Output('nothing') is None",
        ),
        (
            [step(page), step(text, {"n": Output("page", "title")})],
            "takes int, and Output('page', 'title') is str",
        ),
        (
            [step(page), step(text, {"n": Output("page", "pages")})],
            "Page has no field 'pages'",
        ),
        (
            [step(text), step(number, {"text": "1"}), step(page, {"title": First()})],
            "is First() of nothing",
        ),
        (
            [
                step(text),
                step(number),
                step(page, {"title": First(Output("text"), Output("number"))}),
            ],
            "takes str, and First(Output('text'), Output('number')) is str | int",
        ),
        ([step(text, {"n": "many"})], "does not take 'many': Input should be a valid integer"),
        ([step(text, {"m": 1})], "the step 'text' gives 'm', but text takes n"),
        ([step(both, {"n": 1})], "does not give title, which both requires"),
        ([step(text, {"n": Output("nowhere")})], "needs 'nowhere', and the steps are 'text'"),
        (
            [step(text, {"n": Input("x")}), step(number, {"text": Input("x")})],
            "the argument 'x' goes to different types: int in 'text', str in 'number'",
        ),
        ([step(text, when=Output("page")), step(page)], "is Page and not bool"),
        ([step(text, when=True)], "use a Condition or an Output"),
        (
            [step(text, when=Condition(bool, Output("page", "x"))), step(page)],
            "Page has no field 'x'",
        ),
        ([step(text, retries=-1)], "the step 'text': retries is -1"),
        ([step(text, {"n": Input("not a name")})], "cannot be the name of an argument"),
    ],
)
def test_steps_that_do_not_fit_are_refused(steps, reason):
    with pytest.raises(PipelineError) as caught:
        Pipeline("p", "d", steps)
    assert reason in str(caught.value)
    assert str(caught.value).startswith("the pipeline 'p' cannot be built: ")


def test_an_unknown_result_is_refused():
    with pytest.raises(PipelineError, match="there is no step 'x'"):
        Pipeline("p", "d", [step(text)], result=Output("x"))
    with pytest.raises(ValueError, match="concurrency is 0"):
        Pipeline("p", "d", [step(text)], concurrency=0)


@pytest.mark.parametrize(
    ("functions", "reason"),
    [
        ([text, text], "the step 'text_2' takes n: int, and the result of 'text' is str"),
        ([text, both], "the step 'both' takes title: str, n: int"),
        ([page, both], "the result of 'page' is Page"),
        ([nothing, number], "the result of 'nothing' is None"),
    ],
)
def test_a_sequence_that_does_not_fit_is_refused(functions, reason):
    with pytest.raises(PipelineError) as caught:
        Pipeline.sequence("p", "d", [FunctionTool(each, "d") for each in functions])
    assert reason in str(caught.value)


async def test_a_sequence_passes_results_on():
    def loud(title: str, sign: str = "!") -> str:
        return title + sign

    def make(*tools):
        return Pipeline.sequence("p", "d", [FunctionTool(each, "d") for each in tools])

    assert await make(text, number, text).run_json({"n": 3}) == "3"
    assert await make(page, loud).run_json({"title": "a"}) == "a!"  # the field of the page
    assert await make(both, both).run_json({"title": "a", "n": 1}) == {"title": "a", "n": 1}
    assert await make(text, nothing).run_json({"n": 3}) is None
    extended = Pipeline.sequence(
        "p", "d", [FunctionTool(page, "d"), step(loud, {"sign": Input("sign")}, retries=1)]
    )
    assert await extended.run_json({"title": "a", "sign": "?"}) == "a?"


def test_shared_inputs_have_the_narrowest_type():
    def narrow(x: Annotated[int, Field(ge=1, description="X.")]) -> None: ...
    def wide(x: float | str = 3) -> None: ...

    pipeline = Pipeline("p", "d", [step(wide), step(narrow)])
    parameters = pipeline.schema["parameters"]
    assert parameters["properties"]["x"] == {
        "type": "integer",
        "minimum": 1,
        "description": "X.",
        "title": "X",
    }
    assert parameters["required"] == ["x"]


FITTING = [
    (int, int),
    (bool, int),
    (int, float),
    (SubPage, Page),
    (Any, int),
    (int, Any),
    (int, object),
    (int, int | str),
    (int | str, str | int | None),
    (Literal["a"], str),
    (Literal["a"], Literal["a", "b"]),
    (list[int], list[float]),
    (list, list[int]),
    (tuple[int, int], list[int]),
    (list[int], Sequence[int]),
    (dict[str, int], Mapping[str, float]),
    (dict[str, Any], Page),
    (Options, dict[str, Any]),
    (dict[str, int], Options),
    (Annotated[int, "n"], int),
]
NOT_FITTING = [
    (str, int),
    (int, str),
    (float, int),
    (Page, SubPage),
    (Page, dict[str, Any]),
    (int | None, int),
    (str, Literal["a"]),
    (Literal["c"], Literal["a", "b"]),
    (list[str], list[int]),
    (dict[str, str], dict[str, int]),
    (str, Sequence[str]),
    (str, list[str]),
    (None, int),
    (int, None),
    (str, Page),
    (Options, Page),
]


@pytest.mark.parametrize(("source", "target"), FITTING, ids=str)
def test_types_that_fit(source, target):
    assert fits(source, target)


@pytest.mark.parametrize(("source", "target"), NOT_FITTING, ids=str)
def test_types_that_do_not_fit(source, target):
    assert not fits(source, target)
