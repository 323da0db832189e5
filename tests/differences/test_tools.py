"""Tools: fixed defects of functions, threads, source text and results."""

import asyncio
import contextvars
import datetime
import logging
import threading
import warnings
from functools import wraps

import autogen_core
import autogen_core.tools
import pytest
from opentelemetry import trace
from pydantic import BaseModel
from tests.compat.harness import both, submodule
from tests.compat.observers import RecordedSpans

import ferrogen
from ferrogen.exceptions import (
    FunctionDumpError,
    SourceTextRefusedError,
    ToolSchemaError,
)
from ferrogen.tools import allow_source_text, tool_call_cancelled

WORD = contextvars.ContextVar("word", default="none")


def at_module_level() -> int:
    return 1


def config(source, **changes):
    return {
        "provider": "autogen_core.tools.FunctionTool",
        "config": {
            "source_code": source,
            "name": "f",
            "description": "d",
            "global_imports": [],
            "has_cancellation_support": False,
            **changes,
        },
    }


def load(package, model):
    """Load a config as its user would who trusts it."""
    with allow_source_text(), warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return submodule(package, "tools").FunctionTool.load_component(model)


def test_source_text_is_run_only_where_the_caller_allows_it(tmp_path):
    trace = tmp_path / "trace"
    model = config(f"open({str(trace)!r}, 'w').close()\ndef f() -> int: ...")

    with pytest.raises(SourceTextRefusedError, match="allow_source_text"):
        ferrogen.tools.FunctionTool.load_component(model)
    assert not trace.exists()

    with pytest.warns(UserWarning, match="SECURITY WARNING"):
        autogen_core.tools.FunctionTool.load_component(model)
    assert trace.exists()


def test_allowing_source_text_is_enough_said():
    with warnings.catch_warnings(record=True) as caught, allow_source_text():
        warnings.simplefilter("always")
        ferrogen.tools.FunctionTool.load_component(config("def f() -> int: ..."))
    assert caught == []
    with pytest.warns(UserWarning, match="SECURITY WARNING"):
        autogen_core.tools.FunctionTool.load_component(config("def f() -> int: ..."))


def test_the_function_in_source_text_is_found_by_reading_it():
    async def scenario(core, record):
        model = config("# def of old\ndef f(n: int) -> int:\n    return n")
        try:
            record(await load(core, model).run_json({"n": 1}, core.CancellationToken()))
        except KeyError as error:
            record.raised("loading", error)

    assert both(scenario) == ([("loading", "raised KeyError: 'of old\\n'")], [1])


def test_a_loaded_function_tool_can_be_dumped_again():
    source = "def f(n: int) -> int:\n    return n\n"
    tool = load(ferrogen, config(source))
    assert tool.dump_component().config == config(source)["config"]
    with pytest.raises(OSError, match="could not get source code"):
        load(autogen_core, config(source)).dump_component()


def strict_function(n: int) -> int:
    return n


def test_a_strict_function_tool_stays_strict():
    async def scenario(core, record):
        tool = submodule(core, "tools").FunctionTool(strict_function, "d", strict=True)
        record(load(core, tool.dump_component()).schema["strict"])

    assert both(scenario) == ([False], [True])


def test_what_no_source_text_makes_again_is_not_dumped():
    class Clock:
        def hour(self) -> int:
            return 12

    written = autogen_core.tools.FunctionTool(Clock().hour, "d").dump_component()
    assert "self" in written.config["source_code"]  # it cannot be loaded
    with pytest.raises(FunctionDumpError, match="is a method"):
        ferrogen.tools.FunctionTool(Clock().hour, "d").dump_component()


async def asks_its_thread(core, record):
    started, release, seen = threading.Event(), threading.Event(), []

    def work() -> None:
        started.set()
        release.wait(5)
        seen.append(tool_call_cancelled())
        done.set()

    done = threading.Event()
    token = core.CancellationToken()
    call = asyncio.ensure_future(
        submodule(core, "tools").FunctionTool(work, "d").run_json({}, token)
    )
    await asyncio.to_thread(started.wait, 5)
    token.cancel()
    await asyncio.wait({call})
    release.set()
    await asyncio.to_thread(done.wait, 5)
    record(call.cancelled(), seen)


def test_a_synchronous_tool_can_ask_whether_its_call_was_cancelled():
    assert both(asks_its_thread) == ([[True, [False]]], [[True, [True]]])


def test_a_tool_can_have_a_timeout():
    async def forever() -> None:
        await asyncio.Event().wait()

    async def scenario(core, record):
        try:
            tool = submodule(core, "tools").FunctionTool(forever, "d", timeout=0.01)
        except TypeError:
            record("refused")
        else:
            await record.outcome("call", tool.run_json({}, core.CancellationToken()), words=False)

    assert both(scenario) == (["refused"], [("call", "raised TimeoutError")])


def test_a_token_frees_the_caller_of_a_coroutine_function():
    async def scenario(core, record):
        started, release = asyncio.Event(), asyncio.Event()

        async def wait() -> str:
            started.set()
            await release.wait()
            return "done"

        token = core.CancellationToken()
        tool = submodule(core, "tools").FunctionTool(wait, "d")
        call = asyncio.ensure_future(tool.run_json({}, token))
        await started.wait()
        token.cancel()
        for _ in range(20):
            await asyncio.sleep(0)
        record("freed", call.done())
        release.set()
        await record.outcome("call", call)

    assert both(scenario) == (
        [["freed", False], ["call", "done"]],
        [["freed", True], ("call", "raised CancelledError: ")],
    )


def test_a_synchronous_tool_sees_the_context_variables_of_its_caller():
    async def scenario(core, record):
        def word() -> str:
            return WORD.get()

        WORD.set("said")
        tool = submodule(core, "tools").FunctionTool(word, "d")
        record(await tool.run_json({}, core.CancellationToken()))

    assert both(scenario) == (["none"], ["said"])


def test_a_coroutine_that_a_plain_function_returns_is_awaited():
    async def fetch(n: int) -> int:
        return n

    @wraps(fetch)
    def logged(*args, **kwargs):
        return fetch(*args, **kwargs)

    async def scenario(core, record):
        value = (
            await submodule(core, "tools")
            .FunctionTool(logged, "d")
            .run_json({"n": 1}, core.CancellationToken())
        )
        if asyncio.iscoroutine(value):
            value.close()
        record(type(value).__name__)

    assert both(scenario) == (["coroutine"], ["int"])


def test_an_object_that_can_be_called_is_a_function():
    class Doubler:
        async def __call__(self, n: int) -> int:
            return 2 * n

    async def scenario(core, record):
        try:
            tool = submodule(core, "tools").FunctionTool(Doubler(), "d")
        except (TypeError, KeyError):  # since CPython 3.14 a KeyError
            record("refused")
        else:
            record(tool.name, await tool.run_json({"n": 2}, core.CancellationToken()))

    assert both(scenario) == (["refused"], [["Doubler", 4]])


def test_positional_parameters_are_filled():
    def take(n: int, /) -> int:
        return n

    async def scenario(core, record):
        tool = submodule(core, "tools").FunctionTool(take, "d")
        await record.outcome("call", tool.run_json({"n": 1}, core.CancellationToken()), words=False)

    assert both(scenario) == ([("call", "raised TypeError")], [["call", 1]])


def test_arguments_without_names_are_refused_when_the_tool_is_made():
    def take(*numbers: int) -> int:
        return sum(numbers)

    autogen_core.tools.FunctionTool(take, "d")  # no call of it can succeed
    with pytest.raises(ToolSchemaError, match=r"parameter \*numbers .* take a list instead"):
        ferrogen.tools.FunctionTool(take, "d")


def test_an_unannotated_parameter_is_refused_by_name():
    def careless(a) -> None: ...

    with pytest.raises(KeyError) as upstream:
        autogen_core.tools.FunctionTool(careless, "d")
    assert str(upstream.value) == "'a'"
    with pytest.raises(KeyError, match=r"parameter 'a' of .*careless has no annotation"):
        ferrogen.tools.FunctionTool(careless, "d")


def test_a_result_with_dates_and_the_like_becomes_json():
    class Day(BaseModel):
        date: datetime.date

    def today() -> Day:
        return Day(date=datetime.date(2026, 1, 2))

    async def scenario(core, record):
        tool = submodule(core, "tools").FunctionTool(today, "d")
        record.call("string", lambda: tool.return_value_as_string(today()))

    upstream, ours = both(scenario)
    words = "Object of type date is not JSON serializable"
    assert upstream == [("string", f"raised TypeError: {words}")]
    assert ours == [["string", '{"date": "2026-01-02"}']]


def test_a_result_is_formatted_only_if_it_is_logged(caplog):
    async def scenario(core, record):
        class Quiet(submodule(core, "tools").FunctionTool):
            def return_value_as_string(self, value):
                record("asked")
                return str(value)

        with caplog.at_level(logging.WARNING, core.EVENT_LOGGER_NAME):
            await Quiet(strict_function, "d").run_json({"n": 1}, core.CancellationToken())
        record("end")

    assert both(scenario) == (["asked", "end"], ["end"])


def test_a_tool_with_state_has_the_type_of_its_state():
    class State(BaseModel):
        n: int = 0

    async def scenario(core, record):
        class Tool(submodule(core, "tools").BaseToolWithState):
            async def run(self, args, cancellation_token): ...
            def save_state(self): ...
            def load_state(self, state): ...

        record(Tool(State, State, State, "n", "d").state_type())

    assert both(scenario) == ([None], [State])


def test_a_stream_that_is_left_early_ends_its_tool():
    async def scenario(core, record):
        class Part(BaseModel):
            n: int

        class Endless(submodule(core, "tools").BaseStreamTool):
            async def run(self, args, cancellation_token): ...

            async def run_stream(self, args, cancellation_token):
                try:
                    while True:
                        yield args
                finally:
                    record("ended")

        tool = Endless(Part, Part, "endless", "d")
        stream = tool.run_json_stream({"n": 1}, core.CancellationToken())
        await anext(stream)
        await stream.aclose()
        record("left")

    upstream, ours = both(scenario)
    assert upstream[0] == "left"
    assert ours == ["ended", "left"]


def test_the_span_of_a_stream_is_not_its_consumers(monkeypatch):
    async def scenario(core, record):
        class Part(BaseModel):
            n: int

        class Stream(submodule(core, "tools").BaseStreamTool):
            async def run(self, args, cancellation_token): ...

            async def run_stream(self, args, cancellation_token):
                record("tool", trace.get_current_span().is_recording())
                yield args

        recorded = RecordedSpans()
        monkeypatch.setattr(trace, "get_tracer_provider", lambda: recorded.provider)
        tool = Stream(Part, Part, "stream", "d")
        async for _ in tool.run_json_stream({"n": 1}, core.CancellationToken()):
            record("consumer", trace.get_current_span().is_recording())

    upstream, ours = both(scenario)
    assert upstream == [["tool", True], ["consumer", True]]
    assert ours == [["tool", True], ["consumer", False]]


def test_a_parameter_can_get_the_context_of_the_call():
    def look(context: ferrogen.tools.ToolContext) -> object:
        return context.call_id

    made = ferrogen.tools.FunctionTool(look, "d")
    assert made.schema["parameters"]["properties"] == {}
    assert asyncio.run(made.run_json({}, call_id="c")) == "c"


def test_a_function_can_run_in_a_process():
    with pytest.raises(TypeError, match="isolation"):
        autogen_core.tools.FunctionTool(at_module_level, "d", isolation="process")
    made = ferrogen.tools.FunctionTool(at_module_level, "d", isolation="process")
    assert made.dump_component().config["isolation"] == "process"


async def test_a_guard_refuses_calls():
    tool = ferrogen.tools.FunctionTool(at_module_level, "d")
    with ferrogen.tools.Guard(ferrogen.tools.Deny.tools("*", reason="not today")):
        with pytest.raises(ferrogen.tools.ToolDeniedError, match="not today"):
            await tool.run_json({})
        result = await ferrogen.tools.StaticWorkbench([tool]).call_tool("at_module_level")
    assert result.is_error
