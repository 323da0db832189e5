"""Nested messages on small C stacks: the bytes, or an exception; never a crash."""

from __future__ import annotations

import sys
from textwrap import dedent

import pytest

from .conftest import RunProgram

# Defines `attempt(use, ...)`: calls each function in threads with several stack sizes, and counts
# those that returned and those that raised. Whatever else they raise ends the program.
PRELUDE = """
import sys, threading
from dataclasses import dataclass
from typing import Any, Optional

from ferrogen._core import JsonWriter, ModelCodec, SerializerTable
from ferrogen.serialization.registry import try_get_known_serializers_for_type
from ferrogen.serialization.registry import SerializationRegistry
from ferrogen.serialization.simplify import simplify
from ferrogen.exceptions import SerializationError

sys.setrecursionlimit(100_000)

def nested(depth, wrap=lambda inner: [inner]):
    value = wrap(None)
    for _ in range(depth):
        value = wrap(value)
    return value

def registry_of(*classes):
    registry = SerializationRegistry()
    for cls in classes:
        registry.add_serializer(try_get_known_serializers_for_type(cls))
    return registry

def attempt(*uses, sizes=(64, 96, 128, 192, 256, 384, 512, 1024, 4096)):
    ends, failures = {"returned": 0, "raised": 0}, []
    def call(use):
        try:
            use()
            ends["returned"] += 1
        except (RecursionError, SerializationError):
            ends["raised"] += 1
        except BaseException as error:
            failures.append(error)
    for size in sizes:
        threading.stack_size(size * 1024)
        for use in uses:
            thread = threading.Thread(target=call, args=(use,))
            thread.start()
            thread.join()
    assert not failures, failures
    return ends

def both(ends):
    assert ends["returned"] and ends["raised"]
"""


def with_prelude(program: str) -> str:
    return PRELUDE + dedent(program)


@pytest.mark.parametrize(
    "wrap",
    [
        "lambda inner: [inner]",
        "lambda inner: (inner,)",
        "lambda inner: {'a': inner}",
        "Crate",
        "lambda inner: MyList([inner])",
        "lambda inner: {MyText('a'): inner}",
    ],
)
def test_values_of_every_kind_are_written_or_refused(wrap: str, run_program: RunProgram) -> None:
    program = f"""
        @dataclass
        class Crate:
            content: Any
        class MyList(list):
            pass
        class MyText(str):
            pass
        writer = JsonWriter("Crate", simplify)
        values = [nested(depth, {wrap}) for depth in (1, 60, 200, 450, 990, 5000)]
        both(attempt(*[lambda value=value: writer.write(value) for value in values]))
    """
    run_program(with_prelude(program))


def test_a_property_that_writes_its_own_message_is_refused(run_program: RunProgram) -> None:
    program = """
        class Endless:
            @property
            def content(self):
                return len(self.write(self))
        @dataclass(init=False)
        class Crate(Endless):
            content: int = Endless.content
        [serializer] = try_get_known_serializers_for_type(Crate)
        registry = registry_of(Crate)
        writer = JsonWriter("Crate", simplify)
        ways = [
            lambda message: writer.write_dataclass(message),
            lambda message: writer.write([message]),
            lambda message: serializer.serialize(message),
            lambda message: registry.serialize(
                message, type_name="Crate", data_content_type="application/json"
            ),
        ]
        def use(way):
            message = Crate()
            message.write = way
            way(message)
        ends = attempt(*[lambda way=way: use(way) for way in ways], sizes=(64, 128, 256, 512))
        assert not ends["returned"]
    """
    run_program(with_prelude(program))


def test_a_serializer_that_requests_itself_from_the_table_is_rejected(
    run_program: RunProgram,
) -> None:
    program = """
        table = SerializerTable()
        named = {"type_name": "A", "data_content_type": "b"}
        class Endless:
            def serialize(self, message):
                return table.serialize(message, **named)
            def deserialize(self, payload):
                return table.deserialize(payload, **named)
        table.place(Endless(), "A", "b")
        ends = attempt(
            lambda: table.serialize(1, **named),
            lambda: table.deserialize(b"", **named),
            sizes=(64, 128, 256, 512),
        )
        assert not ends["returned"]
    """
    run_program(with_prelude(program))


def test_nested_payloads_are_read_or_refused(run_program: RunProgram) -> None:
    program = """
        from pydantic import BaseModel
        @dataclass
        class Any_:
            a: Any
        @dataclass
        class Tree:
            a: "list[Tree]"
        class Model(BaseModel):
            a: Any
        class Chain(BaseModel):
            a: Optional["Chain"] = None
        class Fork(BaseModel):
            a: "Optional[Fork] | list[Fork] | int" = None
        globals().update(locals())
        def payload(start, end, depth):
            return b'{"a":' + start * depth + b"null" + end * depth + b"}"
        uses = []
        for cls, start, end in [
            (Any_, b"[", b"]"),
            (Any_, b'{"a":', b"}"),
            (Tree, b'[{"a":', b"}]"),
            (Model, b"[", b"]"),
            (Model, b'{"a":', b"}"),
            (Chain, b'{"a":', b"}"),
            (Fork, b'[{"a":', b"}]"),
        ]:
            [serializer] = try_get_known_serializers_for_type(cls)
            for depth in (0, 3, 30, 90, 190, 450, 5_000, 200_000):
                data = payload(start, end, depth)
                uses.append(lambda read=serializer.deserialize, data=data: read(data))
        both(attempt(*uses))
    """
    run_program(with_prelude(program))


def test_brackets_inside_text_do_not_count_as_nesting(run_program: RunProgram) -> None:
    program = r"""
        from pydantic import BaseModel
        @dataclass
        class Note:
            text: str
        class Model(BaseModel):
            text: str
        for cls in (Note, Model):
            [serializer] = try_get_known_serializers_for_type(cls)
            note = cls(text='\\"[{' * 50_000)
            payload = serializer.serialize(note)
            sizes = (64, 128, 256)
            for data in (payload, bytearray(payload)):
                use = lambda: serializer.deserialize(data) == note or 1 / 0
                assert attempt(use, sizes=sizes)["returned"] == 3
    """
    run_program(with_prelude(program))


def test_nested_models_are_written_or_refused(run_program: RunProgram) -> None:
    program = """
        from pydantic import BaseModel
        class Model(BaseModel):
            a: Any = None
        class Chain(BaseModel):
            a: Optional["Chain"] = None
        class SubChain(Chain):
            pass
        uses = []
        for cls, make in [
            (Model, lambda depth: Model(a=nested(depth))),
            (Model, lambda depth: Model(a=nested(depth, lambda inner: {"a": inner}))),
            (Model, lambda depth: nested(depth, lambda inner: Model.model_construct(a=inner))),
            (Chain, lambda depth: nested(depth, lambda inner: Chain.model_construct(a=inner))),
            (Chain, lambda depth: nested(depth, lambda inner: SubChain.model_construct(a=inner))),
        ]:
            [serializer] = try_get_known_serializers_for_type(cls)
            for depth in (1, 5, 20, 50, 99, 240, 990):
                message = make(depth)
                uses.append(lambda write=serializer.serialize, message=message: write(message))
        both(attempt(*uses))
    """
    run_program(with_prelude(program))


def test_a_nested_struct_in_a_dataclass_is_written_or_refused(run_program: RunProgram) -> None:
    program = """
        import msgspec
        class Link(msgspec.Struct):
            next: Any
        writer = JsonWriter("Crate", simplify)
        values = [nested(depth, Link) for depth in (1, 60, 200, 450, 900)]
        values += [Link(nested(depth)) for depth in (1, 60, 200, 450, 900)]
        both(attempt(*[lambda value=value: writer.write(value) for value in values]))
    """
    run_program(with_prelude(program))


def test_a_nested_shape_is_read_and_dropped_or_refused(run_program: RunProgram) -> None:
    program = """
        class Model:
            __pydantic_serializer__ = type("Any", (), {"to_json": lambda self, message: b"{}"})()
        # Kept, since CPython 3.13 itself drops nested tuples by recursion.
        shapes = {
            depth: nested(depth, lambda inner: ("items", inner or ("anything",)))
            for depth in (10, 500, 5_000)
        }
        def use(depth):
            shape = ("model", Model, [("a", shapes[depth])])
            codec = ModelCodec(Model, lambda cls: shape, repr, repr)
            codec.encode(Model())
        both(attempt(*[lambda depth=depth: use(depth) for depth in shapes]))
    """
    run_program(with_prelude(program))


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux lets the limit take effect")
def test_the_limit_of_the_main_thread_counts_also_when_it_is_raised(
    run_interpreter: RunProgram,
) -> None:
    program = """
        import os, resource
        hard = resource.getrlimit(resource.RLIMIT_STACK)[1]
        if os.environ.get("LIMITED") is None:
            resource.setrlimit(resource.RLIMIT_STACK, (256 * 1024, hard))
            again = [sys.executable, *sys.orig_argv[1:]]
            os.execve(sys.executable, again, {**os.environ, "LIMITED": "1"})
        writer = JsonWriter("Crate", simplify)
        value = nested(998)
        def is_written():
            try:
                return bool(writer.write(value))
            except SerializationError:
                return False
        at_first = is_written()
        resource.setrlimit(resource.RLIMIT_STACK, (4 << 20, hard))
        print(at_first, is_written())
    """
    assert run_interpreter(with_prelude(program)) == "False True\n"
