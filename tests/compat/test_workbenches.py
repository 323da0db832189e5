"""Workbenches: the same listings, results, states and configs on both."""

import importlib

import autogen_core
import pytest
from pydantic import BaseModel

import ferrogen
from ferrogen.tools import allow_source_text

from .argument_errors import as_ours
from .harness import same, submodule


def add(a: int, b: int = 1) -> int:
    return a + b


def fail(words: str) -> str:
    raise ValueError(words)


class Count(BaseModel):
    number: int


def speechless() -> "Speechless":
    return Speechless()


class Speechless:
    def __str__(self):
        raise ValueError("no words")


def make_counter(core, *, fails_after=None):
    tools = submodule(core, "tools")

    class Counter(tools.BaseStreamTool[Count, Count, Count]):
        def __init__(self):
            super().__init__(Count, Count, "counter", "Counts.")
            self.calls = 0

        async def run(self, args, cancellation_token):
            return args

        async def run_stream(self, args, cancellation_token):
            for number in range(args.number):
                if number == fails_after:
                    raise ValueError("too far")
                yield Count(number=number)

        async def save_state_json(self):
            return {"calls": self.calls}

        async def load_state_json(self, state):
            self.calls = state["calls"]

    return Counter()


def make_tools(core):
    tools = submodule(core, "tools")
    functions = [tools.FunctionTool(add, "Adds."), tools.FunctionTool(fail, "Fails.")]
    functions.append(tools.FunctionTool(speechless, "Says nothing."))
    return [*functions, make_counter(core)]


def test_tools_are_listed_under_their_names_or_those_of_their_overrides():
    async def scenario(core, record):
        tools = submodule(core, "tools")
        for overrides in (
            None,
            {},
            {"add": tools.ToolOverride(name="sum")},
            {"add": tools.ToolOverride(description="Sums.")},
            {"add": tools.ToolOverride(name="sum", description="")},
            {"add": tools.ToolOverride(name="add"), "unknown": tools.ToolOverride(name="x")},
            {"add": tools.ToolOverride(), "fail": tools.ToolOverride(name="try")},
        ):
            workbench = tools.StaticWorkbench(make_tools(core), overrides)
            record(await workbench.list_tools())
            record(workbench._override_name_to_original)  # programs in the field look at it

    same(scenario, as_ours)


@pytest.mark.parametrize(
    "names",
    [
        {"add": "fail"},
        {"add": "x", "fail": "x"},
        {"add": "fail", "fail": "add"},
        {"add": "counter"},
    ],
    ids=str,
)
def test_names_that_would_stand_for_two_tools_are_refused(names):
    async def scenario(core, record):
        tools = submodule(core, "tools")
        overrides = {own: tools.ToolOverride(name=name) for own, name in names.items()}
        record.call("made", lambda: tools.StaticWorkbench(make_tools(core), overrides))

    same(scenario, as_ours)


CALLS = [
    ("add", {"a": 1, "b": 2}),
    ("add", {"a": "x"}),
    ("add", None),
    ("sum", {"a": 1}),
    ("fail", {"words": "  broken  "}),
    ("counter", {"number": 3}),
    ("speechless", {}),
    ("unknown", {}),
]


@pytest.mark.parametrize("kind", ["StaticWorkbench", "StaticStreamWorkbench"])
@pytest.mark.parametrize(("name", "arguments"), CALLS, ids=str)
def test_a_call_has_the_same_result(kind, name, arguments):
    async def scenario(core, record):
        tools = submodule(core, "tools")
        overrides = {"add": tools.ToolOverride(name="sum")}
        async with getattr(tools, kind)(make_tools(core), overrides) as workbench:
            result = await workbench.call_tool(name, arguments, call_id="c")
            record(result.model_dump(), result.to_text())
            await workbench.reset()

    same(scenario, as_ours)


@pytest.mark.parametrize(
    ("name", "arguments"), [call for call in CALLS if call[0] != "sum"], ids=str
)
def test_a_stream_has_the_same_parts(name, arguments):
    async def scenario(core, record):
        workbench = submodule(core, "tools").StaticStreamWorkbench(make_tools(core))
        async for part in workbench.call_tool_stream(name, arguments, core.CancellationToken()):
            record(type(part).__name__, part.model_dump())

    same(scenario, as_ours)


@pytest.mark.parametrize("fails_after", [0, 1, 2])
def test_a_stream_that_fails_shows_what_came_before(fails_after):
    async def scenario(core, record):
        counter = make_counter(core, fails_after=fails_after)
        workbench = submodule(core, "tools").StaticStreamWorkbench([counter])
        async for part in workbench.call_tool_stream("counter", {"number": 5}):
            record(type(part).__name__, part.model_dump())

    same(scenario, as_ours)


def test_the_states_of_the_tools_are_saved_and_loaded():
    async def scenario(core, record):
        counter = make_counter(core)
        counter.calls = 7
        workbench = submodule(core, "tools").StaticWorkbench([*make_tools(core)[:3], counter])
        state = await workbench.save_state()
        record(state)
        other = make_counter(core)
        twin = submodule(core, "tools").StaticWorkbench([other])
        await twin.load_state(state)
        record(other.calls)
        await twin.load_state({"type": "StaticWorkbenchState", "tools": {"else": {}}})
        record(other.calls)
        await record.outcome("wrong", twin.load_state({"type": "other"}), words=False)

    same(scenario, as_ours)


PAIRS = [(autogen_core, ferrogen), (ferrogen, autogen_core), (ferrogen, ferrogen)]


@pytest.mark.parametrize(("writer", "reader"), PAIRS)
@pytest.mark.parametrize("kind", ["StaticWorkbench", "StaticStreamWorkbench"])
@pytest.mark.filterwarnings("ignore::UserWarning")
async def test_a_dumped_workbench_loads_in_the_other_package(writer, reader, kind):
    tools = submodule(writer, "tools")
    overrides = {"add": tools.ToolOverride(name="sum", description="Sums.")}
    workbench = getattr(tools, kind)([tools.FunctionTool(add, "Adds.")], overrides)
    written = workbench.dump_component().model_dump_json()
    model = reader.ComponentModel.model_validate_json(written)
    with allow_source_text():
        read = submodule(reader, "tools").Workbench.load_component(model)
    assert type(read) is getattr(submodule(reader, "tools"), kind)
    assert await read.list_tools() == await workbench.list_tools()
    assert (await read.call_tool("sum", {"a": 1})).to_text() == "2"


def test_which_objects_are_workbenches():
    async def scenario(core, record):
        tools = submodule(core, "tools")
        private = "autogen_core.tools._workbench" if core is autogen_core else "ferrogen.tools"
        stream_workbench = importlib.import_module(private).StreamWorkbench
        for kind in (tools.StaticWorkbench, tools.StaticStreamWorkbench):
            record(issubclass(kind, tools.Workbench), issubclass(kind, stream_workbench))
            record(core.is_component_class(kind), kind.component_type)
        record.call("abstract", tools.Workbench)

    same(scenario, as_ours)
