"""Allocations that fail while a message is written or read: a `MemoryError`, never an abort."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from textwrap import dedent

import pytest

from .conftest import RunProgram

needs_failing_allocations = pytest.mark.skipif(
    find_spec("_testcapi") is None, reason="this interpreter has no _testcapi.set_nomemory"
)

# Defines `attempt(prepare)`: calls what `prepare()` returns again and again, each time with another
# allocation failing, alone or with all that follow, until none was left to fail. CPython itself
# sometimes loses the exception while it adds a traceback, and raises SystemError.
PRELUDE = """
import _testcapi, sys
from dataclasses import dataclass
from typing import Any

from ferrogen._core import DataclassCodec, EnvelopeCodec, JsonWriter, ModelCodec, SerializerTable
from ferrogen.serialization.registry import try_get_known_serializers_for_type
from ferrogen.serialization.model_codec import model_shape
from ferrogen.serialization.registry import SerializationRegistry
from ferrogen.exceptions import SerializationError

@dataclass
class Crate:
    content: Any

def attempt(prepare, expected=type(None)):
    for is_alone in (True, False):
        ends = []
        for count in range(400):
            use, error = prepare(), None
            _testcapi.set_nomemory(count, count + 1 if is_alone else 0)
            try:
                use()
            except BaseException as raised:
                error = raised
            finally:
                _testcapi.remove_mem_hooks()
            assert isinstance(error, (MemoryError, SystemError, expected)), repr(error)
            ends.append(type(error))
            if len(ends) > 40 and set(ends[-40:]) == {expected}:
                break
        assert MemoryError in ends
        assert ends[-1] is expected, ends
"""


def with_prelude(program: str) -> str:
    return PRELUDE + dedent(program)


MESSAGE = """
def message():
    return Crate([1, 2**70, "\N{SNOWMAN}\\ud800", {1: None, "k": 1e-7}, (Crate(0.5),)])
"""


@needs_failing_allocations
@pytest.mark.skipif(
    sys.version_info >= (3, 12), reason="from 3.12 on a generator without memory crashes CPython"
)
def test_failed_allocations_in_the_first_write_of_a_class(run_program: RunProgram) -> None:
    program = """
        from pydantic import BaseModel
        class Model(BaseModel):
            content: Any
        model = Model(content=[1, "\N{SNOWMAN}", {"a": 1.5}])
        def prepare(message):
            return lambda: JsonWriter("Crate", repr).write_dataclass(message)
        attempt(lambda: prepare(message()))
        attempt(lambda: lambda: ModelCodec(Model, model_shape, repr, repr).encode(model))
    """
    run_program(PRELUDE + MESSAGE + dedent(program))


@needs_failing_allocations
def test_failed_allocations_while_a_dataclass_is_written(run_program: RunProgram) -> None:
    program = """
        registry = SerializationRegistry()
        registry.add_serializer(try_get_known_serializers_for_type(Crate))
        named = {"type_name": "Crate", "data_content_type": "application/json"}
        registry.serialize(message(), **named)
        def prepare(message):
            return lambda: registry.serialize(message, **named)
        attempt(lambda: prepare(message()))
    """
    run_program(PRELUDE + MESSAGE + dedent(program))


@needs_failing_allocations
@pytest.mark.parametrize(
    "message", ["Crate(object())", "Crate(deep)", "1", "Crate(10**5000)", "Crate({object(): 1})"]
)
def test_failed_allocations_while_a_message_is_rejected(
    message: str, run_program: RunProgram
) -> None:
    program = f"""
        def refuse(value):
            raise TypeError("\\N{{SNOWMAN}} has no JSON form")
        deep = []
        for _ in range(1_100):
            deep = [deep]
        message = {message}
        def prepare():
            writer = JsonWriter("\\N{{SNOWMAN}}", refuse)
            writer.write_dataclass(Crate(None))
            return lambda: writer.write_dataclass(message)
        attempt(prepare, SerializationError)
    """
    run_program(with_prelude(program))


@needs_failing_allocations
def test_failed_allocations_in_calls_to_other_libraries(run_program: RunProgram) -> None:
    # msgspec, pydantic-core and protobuf crash by themselves, so that stubs take their places.
    program = """
        from pydantic import BaseModel
        class Model(BaseModel):
            content: Any
        class Stub:
            class __pydantic_serializer__:
                to_json = staticmethod(lambda message: b"{}")
            class __pydantic_validator__:
                validate_json = staticmethod(lambda payload: payload)
            def SerializeToString(self):
                return b"abc"
        def refuse(*arguments):
            for each in arguments:
                if isinstance(each, Exception):
                    raise each
        model, stub = Model(content=[1, "\\N{SNOWMAN}", {"a": 1.5}]), Stub()
        def describe(cls):
            return None
        # Not with a function made inside: CPython 3.12 and 3.13 drop too much if that fails.
        stub_codec = lambda: ModelCodec(Stub, describe, repr, refuse)
        envelope_codec = lambda: EnvelopeCodec(Stub, "a/b", repr, repr, repr)
        payload = envelope_codec().encode(stub)
        def model_encode():
            codec = ModelCodec(Model, model_shape, repr, refuse)
            codec.encode(model)
            return lambda: codec.encode(model)
        attempt(model_encode)
        attempt(lambda: lambda: stub_codec().encode(stub))
        attempt(lambda: lambda: stub_codec().decode(b"{}"))
        attempt(lambda: lambda: envelope_codec().encode(stub))
        attempt(lambda: lambda: envelope_codec().decode(payload))
        dataclass_codec = lambda: DataclassCodec("Crate", repr, bytes, refuse)
        attempt(lambda: lambda: dataclass_codec().decode(b"{}"))
    """
    run_program(with_prelude(program))


@needs_failing_allocations
def test_failed_allocations_in_the_serializer_table(run_program: RunProgram) -> None:
    program = """
        class Serializer:
            def serialize(self, message):
                return b""
            def deserialize(self, payload):
                return payload
        named = {"type_name": "A", "data_content_type": "b"}
        def use():
            table = SerializerTable()
            table.place(Serializer(), "A", "b")
            table.serialize(1, **named)
            table.deserialize(b"", **named)
            table.find("A", "b")
        attempt(lambda: use)
        table = SerializerTable()
        attempt(lambda: lambda: table.serialize(1, **named), SerializationError)
    """
    run_program(with_prelude(program))


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits the address space")
def test_a_message_that_does_not_fit_into_memory_is_a_memory_error(run_program: RunProgram) -> None:
    program = """
        import resource
        from dataclasses import dataclass
        from typing import Any

        from google.protobuf.wrappers_pb2 import BytesValue
        from pydantic import BaseModel

        from ferrogen._core import JsonWriter
        from ferrogen.serialization.registry import try_get_known_serializers_for_type

        @dataclass
        class Crate:
            content: Any
        class Model(BaseModel):
            content: list[str]

        text = "\\x01" * (24 << 20)
        writers = [JsonWriter("Crate", repr).write]
        messages = [[text]]
        for message in (Crate([text]), Model(content=[text])):
            [serializer] = try_get_known_serializers_for_type(type(message))
            writers.append(serializer.serialize)
            messages.append(message)
            serializer.serialize(type(message)(content=["a"]))
        ends = []
        with open("/proc/self/statm") as file:
            size = int(file.read().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (size + (64 << 20), resource.RLIM_INFINITY))
        for write, message in zip(writers, messages):
            try:
                write(message)
            except MemoryError:
                ends.append("MemoryError")
        print(*ends)
    """
    assert run_program(program) == "MemoryError MemoryError MemoryError\n"
