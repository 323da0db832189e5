"""Signatures: what is read from a function, and what is said about a wrong one."""

import functools
import sys
from types import NoneType
from typing import Any, TypeVar

import pytest

from ferrogen.agents.signatures import AnyType, read_signature

T = TypeVar("T")


def test_the_message_is_the_second_parameter_whatever_its_name():
    async def handler(me: object, order: int | str, /, how: object) -> None:
        pass

    signature = read_signature(handler, "message handler")
    assert tuple(signature.target_types) == (int, str)
    assert tuple(signature.produces_types) == (type(None),)


def test_more_parameters_with_defaults_do_no_harm():
    async def handler(self, message: int, ctx: object, retries: int = 3, *, loud=True) -> Any:
        pass

    assert read_signature(handler, "message handler").produces_types == (AnyType,)


def test_bound_methods_partials_callables_and_wrapped_functions_are_seen_through():
    class Callable:
        async def __call__(self, agent: object, message: int, ctx: object) -> None:
            pass

        async def method(self, agent: object, message: int, ctx: object) -> None:
            pass

    async def with_more(extra: str, agent: object, message: int, ctx: object) -> None:
        pass

    async def original(agent: object, message: int, ctx: object) -> None:
        pass

    @functools.wraps(original)
    def wrapper(*arguments):
        return original(*arguments)

    partial = functools.partial(with_more, "extra")
    for function in (Callable(), Callable().method, partial, wrapper):
        assert read_signature(function, "closure").target_types == (int,)


def not_async(self, message: int, ctx: object) -> None:
    pass


async def generator(self, message: int, ctx: object) -> None:
    yield


async def too_few(self, message: int) -> None:
    pass


async def too_many(self, message: int, ctx: object, more: int) -> None:
    pass


async def by_keyword(self, message: int, *, ctx: object) -> None:
    pass


async def not_told_apart(*arguments: int) -> None:
    pass


async def no_message_type(self, message, ctx: object) -> None:
    pass


async def no_return_type(self, message: int, ctx: object):
    pass


async def message_is_no_type(self, message: T, ctx: object) -> None:
    pass


async def answer_is_no_type(self, message: int, ctx: object) -> 5:
    pass


async def unknown_name(self, message: "Nowhere", ctx: object) -> None:  # noqa: F821
    pass


async def broken_text(self, message: "int |", ctx: object) -> None:  # noqa: F722
    pass


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (not_async, 'is not async: define it with "async def"'),
        (generator, "decorate it with @stream, @rpc or @message_handler"),
        (too_few, "exactly three arguments by position"),
        (too_many, "exactly three arguments by position"),
        (by_keyword, "exactly three arguments by position"),
        (not_told_apart, "exactly three arguments by position"),
        (no_message_type, 'the message parameter "message" of .* has no annotation'),
        (no_return_type, "the return value of .* has no annotation"),
        (message_is_no_type, "the annotation ~T of the message parameter .* is not a type"),
        (answer_is_no_type, "the annotation 5 of the return value of .* is not a type"),
        (unknown_name, r"'Nowhere' .* cannot be resolved \(name 'Nowhere' is not defined\)"),
        (broken_text, "cannot be resolved"),
    ],
)
def test_an_invalid_function_is_named_with_its_fault(function, words):
    with pytest.raises(TypeError, match=words) as caught:
        read_signature(function, "event handler")
    assert f'event handler "{function.__qualname__}"' in str(caught.value)


def test_names_that_a_function_closes_over_are_seen():
    class Local:
        pass

    async def closure(agent: object, message: "Local", ctx: object) -> None:
        Local()

    assert read_signature(closure, "closure").target_types == (Local,)


DEFERRED = """
async def handler(self, message: int, ctx: NotImported) -> None | str: ...
async def later(self, message: Later, ctx: NotImported) -> int: ...
class Later: ...
async def unknown(self, message: Nowhere, ctx: NotImported) -> None: ...
"""


@pytest.mark.skipif(sys.version_info < (3, 14), reason="annotations are deferred since 3.14")
def test_only_the_annotations_that_are_read_need_to_be_resolvable():
    names: dict[str, Any] = {}
    exec(compile(DEFERRED, "deferred.py", "exec", dont_inherit=True), names)
    assert read_signature(names["handler"], "closure") == ((int,), (NoneType, str))
    assert read_signature(names["later"], "closure") == ((names["Later"],), (int,))
    with pytest.raises(TypeError, match=r"'Nowhere' of the message parameter .* is not defined"):
        read_signature(names["unknown"], "closure")
