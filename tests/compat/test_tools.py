"""Tools: the same schemas, results, errors, events and spans on both, and configs of each other."""

import asyncio
import enum
import functools
import logging
import threading
from dataclasses import dataclass
from typing import Annotated, Literal

import autogen_core
import autogen_core.tools
import pytest
from opentelemetry import trace
from pydantic import BaseModel

import ferrogen
from ferrogen.tools import allow_source_text

from .argument_errors import as_ours
from .harness import same, submodule
from .observers import RecordedSpans


class Colour(enum.Enum):
    RED = "red"


class Place(BaseModel):
    city: str
    height: float = 0.5


@dataclass
class Answer:
    words: str


def plain(a: int, b: Annotated[str, "What b is."] = "x") -> str:
    return f"{a}{b}"


async def waiting(place: Place, times: Literal[1, 2] = 1) -> Place:
    return Place(city=place.city * times, height=place.height)


def annotated_return(a: int) -> Annotated[int, "The double."]:
    return 2 * a


def returns_a_dataclass(words: str) -> Answer:
    return Answer(words)


def chooses(colour: Colour, place: Place | None = None) -> Colour:
    return colour


def nothing() -> None:
    return None


def fails(a: int) -> int:
    raise LookupError(a)


@functools.wraps(plain)
def wrapper(*args, **kwargs):
    return plain(*args, **kwargs).upper()


CALLS = [
    (plain, {"a": 1}),
    (plain, {"a": "1", "b": "y"}),
    (plain, {"a": "one"}),
    (plain, {}),
    (plain, {"a": 1, "unknown": 2}),
    (waiting, {"place": {"city": "Rome"}, "times": 2}),
    (waiting, {"place": {"city": "Rome"}, "times": 3}),
    (annotated_return, {"a": 2}),
    (returns_a_dataclass, {"words": "hello"}),
    (chooses, {"colour": "red", "place": {"city": "Rome"}}),
    (chooses, {"colour": "blue"}),
    (nothing, {}),
    (fails, {"a": 1}),
    (functools.partial(plain, 1), {}),
    (functools.partial(plain, b="y"), {"a": 1}),
    (functools.partial(waiting, times=2), {"place": {"city": "Rome"}}),
    (wrapper, {"a": 1, "b": "q"}),
]


@pytest.mark.parametrize(("function", "arguments"), CALLS, ids=str)
def test_a_function_is_described_and_called_the_same(function, arguments):
    async def scenario(core, record):
        tool = submodule(core, "tools").FunctionTool(function, "what it does")
        record(tool.name, tool.description, tool.schema, tool.args_type().__name__)
        record(str(tool.return_type()), tool.state_type(), tool.component_type)
        try:
            value = await tool.run_json(arguments, core.CancellationToken())
        except Exception as error:  # noqa: BLE001 - it is compared
            record(type(error).__name__, str(error))
        else:
            record(value, tool.return_value_as_string(value))
        record(await tool.save_state_json(), await tool.load_state_json({}))

    same(scenario, as_ours)


def test_a_tool_may_have_another_name_and_be_strict():
    async def scenario(core, record):
        tools = submodule(core, "tools")
        record(tools.FunctionTool(annotated_return, "d", name="n", strict=True).schema)
        loose = tools.FunctionTool(plain, "d", strict=True)
        record.call("schema", lambda: loose.schema)
        partial = tools.FunctionTool(functools.partial(plain, 1), "d", "other")
        record(partial.name, partial.args_type().__name__)

    same(scenario, as_ours)


def test_a_function_that_takes_the_token_gets_it_and_the_model_does_not_see_it():
    async def scenario(core, record):
        def blocking(a: int, cancellation_token: core.CancellationToken) -> bool:
            return cancellation_token is token

        async def waits(a: int, cancellation_token: core.CancellationToken) -> bool:
            return cancellation_token is token

        for function in (blocking, waits):
            tool = submodule(core, "tools").FunctionTool(function, "d")
            token = core.CancellationToken()
            record(tool.schema, await tool.run_json({"a": 1}, token))

    same(scenario, as_ours)


def test_cancelling_frees_the_caller_of_a_synchronous_tool():
    async def scenario(core, record):
        started, release = threading.Event(), threading.Event()

        def work() -> str:
            started.set()
            release.wait(5)
            return "done"

        token = core.CancellationToken()
        tool = submodule(core, "tools").FunctionTool(work, "d")
        call = asyncio.ensure_future(tool.run_json({}, token))
        await asyncio.to_thread(started.wait, 5)
        token.cancel()
        await record.outcome("call", call)
        release.set()

    same(scenario, as_ours)


def test_a_synchronous_tool_with_the_token_ends_as_it_sees_fit():
    async def scenario(core, record):
        started = threading.Event()

        def work(cancellation_token: core.CancellationToken) -> str:
            stop = threading.Event()
            cancellation_token.add_callback(stop.set)
            started.set()
            return "half done" if stop.wait(5) else "done"

        token = core.CancellationToken()
        call = asyncio.ensure_future(
            submodule(core, "tools").FunctionTool(work, "d").run_json({}, token)
        )
        await asyncio.to_thread(started.wait, 5)
        token.cancel()
        await record.outcome("call", call)

    same(scenario, as_ours)


def test_a_call_is_logged_with_its_raw_arguments_when_it_went_well():
    async def scenario(core, record):
        class Listener(logging.Handler):
            def emit(self, entry):
                record(str(entry.msg), type(entry.msg).__name__)

        logger = logging.getLogger(core.EVENT_LOGGER_NAME)
        logger.addHandler(listener := Listener())
        logger.setLevel(logging.INFO)
        try:
            tools = submodule(core, "tools")
            await tools.FunctionTool(plain, "d").run_json({"a": "1"}, core.CancellationToken())
            await tools.FunctionTool(waiting, "d").run_json(
                {"place": {"city": "Rome"}}, core.CancellationToken()
            )
            failing = tools.FunctionTool(fails, "d").run_json({"a": 1}, core.CancellationToken())
            await record.outcome("failing", failing)
        finally:
            logger.removeHandler(listener)
            logger.setLevel(logging.NOTSET)
        record("end")

    same(scenario, as_ours)


def make_tools(core):
    tools = submodule(core, "tools")

    class Count(BaseModel):
        number: int

    class Total(BaseModel):
        total: int = 0

    class Adder(tools.BaseToolWithState[Count, Total, Total]):
        def __init__(self):
            super().__init__(Count, Total, Total, "adder", "Adds up.")
            self.total = Total()

        async def run(self, args, cancellation_token):
            self.total = Total(total=self.total.total + args.number)
            return self.total

        def save_state(self):
            return self.total

        def load_state(self, state):
            self.total = state

    class Counter(tools.BaseStreamTool[Count, Count, Total]):
        def __init__(self, last):
            super().__init__(Count, Total, "counter", "Counts.")
            self.last = last

        async def run(self, args, cancellation_token):
            return Total(total=args.number)

        async def run_stream(self, args, cancellation_token):
            for number in range(args.number):
                yield Count(number=number)
            if self.last is not None:
                yield self.last

    return Count, Total, Adder, Counter


def test_a_tool_with_state_saves_and_loads_it():
    async def scenario(core, record):
        _, _, adder_class, _ = make_tools(core)
        adder, token = adder_class(), core.CancellationToken()
        value = await adder.run_json({"number": 2}, token)
        record(adder.return_value_as_string(value), await adder.save_state_json())
        await adder.load_state_json({"total": 10})
        record(adder.return_value_as_string(await adder.run_json({"number": 1}, token)))
        record.call("schema", lambda: adder.schema)
        await record.outcome("wrong", adder.load_state_json({"total": "x"}))

    same(scenario)


@pytest.mark.parametrize("end", ["result", "part", "nothing"])
def test_a_stream_ends_with_the_result(end):
    async def scenario(core, record):
        count, total, _, counter_class = make_tools(core)
        last = {"result": total(total=9), "part": count(number=5), "nothing": None}[end]
        counter = counter_class(last)
        number = 0 if end == "nothing" else 2
        try:
            async for part in counter.run_json_stream(
                {"number": number}, core.CancellationToken(), call_id="c"
            ):
                record(repr(part))
        except (AssertionError, TypeError) as error:
            expected = AssertionError if end == "nothing" else TypeError
            record(isinstance(error, expected), str(error))
        record(isinstance(counter, submodule(core, "tools").StreamTool))

    same(scenario, as_ours)


def test_which_objects_are_tools():
    async def scenario(core, record):
        tools = submodule(core, "tools")
        _, _, adder_class, counter_class = make_tools(core)
        for tool in (tools.FunctionTool(plain, "d"), adder_class(), counter_class(None)):
            record(isinstance(tool, tools.BaseTool), isinstance(tool, tools.Tool))
            record(isinstance(tool, tools.StreamTool), core.is_component_instance(tool))
        record.call("abstract", lambda: tools.BaseTool(Place, Place, "n", "d"))

    same(scenario, as_ours)


def shout(words: str, times: int = 2) -> str:
    """Say it loudly."""
    return sqrt and words.upper() * times  # noqa: F821 - the config imports it


PAIRS = [(autogen_core, ferrogen), (ferrogen, autogen_core), (ferrogen, ferrogen)]


@pytest.mark.parametrize(("writer", "reader"), PAIRS)
@pytest.mark.filterwarnings("ignore::UserWarning")
async def test_a_dumped_function_tool_loads_in_the_other_package(writer, reader):
    imports = [
        "json",
        submodule(writer, "code_executor").ImportFromModule("math", ("sqrt",)),
        submodule(writer, "code_executor").Alias("datetime", "moment"),
    ]
    tool = submodule(writer, "tools").FunctionTool(shout, "Shouts.", "loud", imports)
    written = tool.dump_component().model_dump_json()
    with allow_source_text():
        read = submodule(reader, "tools").BaseTool.load_component(
            reader.ComponentModel.model_validate_json(written)
        )
    assert type(read) is submodule(reader, "tools").FunctionTool
    assert read.schema == tool.schema
    assert await read.run_json({"words": "hm"}, reader.CancellationToken()) == "HMHM"


def test_the_dump_of_a_function_tool_says_the_same_but_for_its_description():
    def root(package):
        return submodule(package, "code_executor").ImportFromModule("typing", ("Annotated",))

    upstream, ours = (
        submodule(package, "tools")
        .FunctionTool(plain, "Joins.", global_imports=[root(package)])
        .dump_component()
        .model_dump(exclude={"description"})
        for package in (autogen_core, ferrogen)
    )
    assert ours == upstream


FAULTS = {
    "no function": ("x = 1", []),
    "no python": ("def f(", []),
    "raises": ("raise KeyError('x')\ndef f() -> int: ...", []),
    "unknown module": ("def f() -> int: ...", ["no_such_module"]),
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_source_text_with_a_fault_raises_what_upstreams_users_catch(fault):
    source, imports = FAULTS[fault]
    config = {
        "source_code": source,
        "name": "f",
        "description": "d",
        "global_imports": imports,
        "has_cancellation_support": False,
    }
    model = {"provider": "autogen_core.tools.FunctionTool", "config": config}
    with pytest.raises(Exception) as upstream:  # noqa: PT011 - whatever it is
        autogen_core.tools.FunctionTool.load_component(model)
    with allow_source_text(), pytest.raises(type(upstream.value)):
        ferrogen.tools.FunctionTool.load_component(model)


@pytest.fixture
def spans(monkeypatch):
    """Record the spans that tools open with OpenTelemetry's global tracer."""

    def record_again():
        recorded = RecordedSpans()
        monkeypatch.setattr(trace, "get_tracer_provider", lambda: recorded.provider)
        return recorded

    return record_again


def test_a_call_is_a_span_with_its_error(spans):
    async def scenario(core, record):
        recorded, token = spans(), core.CancellationToken()
        tools = submodule(core, "tools")
        workbench = tools.StaticStreamWorkbench(
            [tools.FunctionTool(plain, "joins"), tools.FunctionTool(fails, "fails")]
        )
        await tools.FunctionTool(plain, "joins").run_json({"a": 1}, token)
        await workbench.call_tool("plain", {"a": 1}, call_id="1")
        await workbench.call_tool("plain", {"a": "x"}, call_id="2")
        await workbench.call_tool("fails", {"a": 1}, call_id="3")
        _, total, _, counter_class = make_tools(core)
        counter = tools.StaticStreamWorkbench([counter_class(total(total=1))])
        async for _ in counter.call_tool_stream("counter", {"number": 1}, call_id="4"):
            pass
        for span in recorded.seen():
            span["attributes"].pop("gen_ai.provider.name", None)
            record({key: span[key] for key in ("name", "kind", "attributes", "status", "scope")})

    assert len(same(scenario, as_ours).entries) == 5
