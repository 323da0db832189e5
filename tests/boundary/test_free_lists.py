"""Reuse of the memory of native objects: no state of one is visible in the next."""

from __future__ import annotations

import asyncio
import copy
import gc
import pickle
import weakref
from typing import Any

import pytest

from ferrogen import AgentId, BaseAgent, MessageContext, SingleThreadedAgentRuntime, TopicId
from ferrogen._core import PublishEnvelope, Send

from .conftest import RunProgram


class Value:
    """Something that can be referred to weakly."""


class Echo(BaseAgent):
    async def on_message_impl(self, message: Any, ctx: MessageContext) -> Any:
        return message


async def started() -> SingleThreadedAgentRuntime:
    runtime = SingleThreadedAgentRuntime()
    await Echo("repeats").register_instance(runtime, AgentId("echo", "1"))
    runtime.start()
    return runtime


def test_many_ids_at_once_are_all_different() -> None:
    for _ in range(3):
        ids = [AgentId(f"type-{number}", str(number)) for number in range(500)]
        assert len({id(one) for one in ids}) == len(set(ids)) == 500
        assert all(one.type == f"type-{one.key}" for one in ids)
        del ids


def test_an_id_is_another_one_when_its_memory_is_used_again() -> None:
    one = AgentId("first", "1")
    assert hash(one) == hash(AgentId("first", "1"))
    del one
    two = AgentId("second", "2")
    assert (two.type, two.key, str(two)) == ("second", "2", "second/2")
    assert two != AgentId("first", "1")
    assert pickle.loads(pickle.dumps(two)) == copy.copy(two) == two


async def test_an_id_forgets_where_its_memory_was_found() -> None:
    runtime = await started()
    for _ in range(3):
        assert await runtime.send_message("x", AgentId("echo", "1")) == "x"
        with pytest.raises(LookupError):
            await runtime.send_message("x", AgentId("unknown", "1"))
    await runtime.stop_when_idle()


@pytest.mark.parametrize(
    "make", [lambda: AgentId("a", "1"), lambda: PublishEnvelope("m", "t", None)]
)
def test_an_object_is_gone_to_those_who_refer_to_it_weakly(make: Any) -> None:
    reported: list[object] = []
    one = make()
    weak = weakref.ref(one, reported.append)
    del one
    assert weak() is None
    assert reported == [weak]
    others = [make() for _ in range(200)]
    assert weak() is None
    assert len({id(other) for other in others}) == 200


def test_objects_of_subclasses_are_not_mixed_with_others() -> None:
    class Named(AgentId):
        pass

    for _ in range(200):
        one = Named("a", "1")
        one.name = "added"  # type: ignore[attr-defined]
        del one
        other = AgentId("a", "1")
        assert type(other) is AgentId
        assert not hasattr(other, "name")
        again = Named("a", "2")
        assert type(again) is Named
        assert not hasattr(again, "name")


def test_objects_are_tracked_by_the_garbage_collector_as_long_as_they_live() -> None:
    for _ in range(2):
        one = AgentId("a", "1")
        assert gc.is_tracked(one)
        gc.collect()
        assert one in gc.get_objects()
        del one
    gc.collect()
    assert not [one for one in gc.get_objects() if type(one) in (Send, PublishEnvelope)]


def test_an_envelope_lets_go_of_all_it_held() -> None:
    kept = [Value() for _ in range(3)]
    weak = [weakref.ref(value) for value in kept]
    envelope = PublishEnvelope(kept[0], kept[1], kept[2])
    kept.clear()
    assert all(one() is not None for one in weak)
    del envelope
    assert all(one() is None for one in weak)
    assert PublishEnvelope("m", "t", None).sender is None


async def test_a_send_lets_go_of_all_it_held() -> None:
    runtime = await started()
    message = Value()
    weak = weakref.ref(message)
    assert await runtime.send_message(message, AgentId("echo", "1")) is message
    del message
    assert weak() is None
    await runtime.stop_when_idle()


async def test_a_send_that_was_awaited_is_used_up_whatever_is_sent_meanwhile() -> None:
    runtime = await started()
    send = runtime.send_message("x", AgentId("echo", "1"))
    assert await send == "x"
    for _ in range(200):
        await runtime.send_message("y", AgentId("echo", "1"))
    with pytest.raises(RuntimeError, match="already awaited"):
        await send
    await runtime.stop_when_idle()


def test_finalizers_may_create_objects_of_the_same_class() -> None:
    made: list[PublishEnvelope] = []

    class Revives:
        def __del__(self) -> None:
            made.append(PublishEnvelope("made while another is freed", "t", None))

    for _ in range(300):
        PublishEnvelope(Revives(), "t", None)
    assert len({id(one) for one in made}) == 300
    assert {one.message for one in made} == {"made while another is freed"}


def test_cycles_through_objects_that_were_used_before_are_collected() -> None:
    for _ in range(3):
        holder: Any = Value()
        weak = weakref.ref(holder)
        holder.envelope = PublishEnvelope(holder, "t", None)
        del holder
        gc.collect()
        assert weak() is None


async def test_a_batch_of_published_messages_reaches_its_subscribers() -> None:
    received: list[tuple[object, str]] = []
    all_received = asyncio.Event()

    class Recording(BaseAgent):
        async def on_message_impl(self, message: Any, ctx: MessageContext) -> None:
            received.append((message, ctx.message_id))
            if len(received) == 300:
                all_received.set()

    runtime = SingleThreadedAgentRuntime()
    await Recording("recording").register_instance(runtime, AgentId("recording", "here"))
    runtime.start()
    for _ in range(3):
        received.clear()
        all_received.clear()
        for number in range(300):
            await runtime.publish_message(number, TopicId("here", "here"))
        await all_received.wait()
        assert [message for message, _ in received] == list(range(300))
        assert len({message_id for _, message_id in received}) == 300
    await runtime.stop_when_idle()


def test_objects_are_made_and_freed_in_several_threads(run_program: RunProgram) -> None:
    output = run_program("""
        import sys, threading
        from ferrogen import AgentId

        sys.setswitchinterval(1e-6)

        def work(number):
            for _ in range(20_000):
                ids = [AgentId(f"t{number}", str(key)) for key in range(3)]
                assert [one.key for one in ids] == ["0", "1", "2"]
                assert {one.type for one in ids} == {f"t{number}"}

        threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        print("well")
    """)
    assert output == "well\n"
