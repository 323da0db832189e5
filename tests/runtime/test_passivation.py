"""Passivation: idle agents are saved and closed, and their next message builds them again."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest

from ferrogen import (
    AgentId,
    AgentInfo,
    AgentOptions,
    BaseAgent,
    DeadLetterCause,
    InMemoryStateStore,
    MessageContext,
    SingleThreadedAgentRuntime,
    TopicId,
)
from ferrogen.exceptions import RuntimeStoppedError, StateStoreError
from ferrogen.testing import run

from .function_agents import until
from .sleepers import A, Add, B, Book, Counter, FailingStore, add, in_memory, started


def test_an_agent_is_saved_and_closed_and_restored_by_its_next_message() -> None:
    async def main() -> None:
        store = InMemoryStateStore()
        runtime, book = await started(store, passivate_after=10)
        await add(runtime, A)
        await asyncio.sleep(9)
        assert in_memory(runtime) == ["a"]
        await add(runtime, A)
        await asyncio.sleep(9)
        assert in_memory(runtime) == ["a"], "the time starts anew with each message"
        await asyncio.sleep(2)
        assert in_memory(runtime) == []
        assert await store.load(A) == {"total": 2}
        assert await add(runtime, A) == [3]
        assert book.calls == [
            "1 on_activate",
            "1 add 1",
            "1 add 2",
            "1 save_state",
            "1 on_deactivate",
            "1 close",
            "2 on_activate",
            "2 load_state",
            "2 add 3",
        ]
        await runtime.close()
        assert await store.load(A) == {"total": 3}, "closing the runtime saves, too"

    run(main())


def test_without_a_store_the_state_is_lost() -> None:
    async def main() -> None:
        runtime, book = await started(passivate_after=10)
        await add(runtime, A, A)
        await asyncio.sleep(11)
        assert runtime.state_store is None
        assert await runtime.save_state() == {}
        assert await add(runtime, A) == [1]
        assert book.of("save_state", "load_state") == []
        await runtime.close()

    run(main())


def test_messages_that_arrive_meanwhile_are_handled_by_the_next_instance_in_order() -> None:
    async def main() -> None:
        store = FailingStore()
        runtime, book = await started(store, passivate_after=10)
        await add(runtime, A)
        store.gate.clear()
        await asyncio.sleep(11)
        assert store.calls == ["load counter/a", "save counter/a"]
        sends = [asyncio.ensure_future(runtime.send_message(Add(), A)) for _ in range(3)]
        await asyncio.sleep(100)
        (info,) = runtime.agents()
        assert info == AgentInfo(
            id=A, agent_class=Counter, state="passivating", queued=3, running=0
        )
        store.gate.set()
        assert await asyncio.gather(*sends) == [2, 3, 4]
        assert book.of("add") == ["1 add 1", "2 add 2", "2 add 3", "2 add 4"]
        assert book.of("close") == ["1 close"]
        await runtime.close()

    run(main())


def test_the_next_instance_is_built_when_close_has_ended() -> None:
    async def main() -> None:
        closing = asyncio.Event()

        class Slow(Counter):
            async def close(self) -> None:
                self.note("close begins")
                await closing.wait()
                self.note("close ends")

        book = Book()
        runtime = SingleThreadedAgentRuntime(state_store=InMemoryStateStore())
        await Slow.register(runtime, "counter", lambda: Slow(book))

        runtime.set_agent_options("counter", AgentOptions(passivate_after=10))
        runtime.start()
        await add(runtime, A)
        await asyncio.sleep(11)
        got = asyncio.ensure_future(runtime.try_get_underlying_agent_instance(A))
        sent = asyncio.ensure_future(runtime.send_message(Add(), A))
        await asyncio.sleep(11)
        assert book.calls[-1] == "1 close begins"
        closing.set()
        assert await sent == 2
        assert (await got) is await runtime.try_get_underlying_agent_instance(A)
        assert book.calls.index("1 close ends") < book.calls.index("2 on_activate")
        await runtime.close()

    run(main())


def test_an_agent_that_cannot_be_saved_stays_in_memory_and_is_tried_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def main() -> None:
        store = FailingStore()
        store.failing["save"] = 3
        runtime, book = await started(store, passivate_after=10)
        await add(runtime, A)
        await asyncio.sleep(11)
        assert in_memory(runtime) == ["a"]
        assert await add(runtime, A) == [2]
        assert book.built == 1
        await asyncio.sleep(1000)
        assert in_memory(runtime) == []
        assert store.calls == ["load counter/a", *["save counter/a"] * 4]
        assert await add(runtime, A) == [3]
        assert book.of("close") == ["1 close"]
        await runtime.close()

    run(main())
    (record,) = [one for one in caplog.records if one.levelno >= logging.WARNING]
    assert "counter/a could not be passivated" in record.getMessage()
    assert record.exc_info is not None
    error = record.exc_info[1]
    assert isinstance(error, StateStoreError)
    assert isinstance(error.__cause__, OSError)


def test_messages_that_arrive_before_saving_fails_are_handled_by_the_same_instance() -> None:
    async def main() -> None:
        store = FailingStore()
        runtime, book = await started(store, passivate_after=10)
        await add(runtime, A)
        store.failing["save"] = 1
        store.gate.clear()
        await asyncio.sleep(11)
        sends = [asyncio.ensure_future(runtime.send_message(Add(), A)) for _ in range(2)]
        await asyncio.sleep(1)
        store.gate.set()
        assert await asyncio.gather(*sends) == [2, 3]
        assert book.built == 1
        await runtime.close()

    run(main())


@pytest.mark.parametrize("wrong", [["not", "a", "mapping"], None, RuntimeError("no state")])
def test_an_agent_without_a_usable_state_stays_in_memory(wrong: Any) -> None:
    class Wrong(Counter):
        async def save_state(self) -> Any:
            if isinstance(wrong, Exception):
                raise wrong
            return wrong

    async def main() -> None:

        runtime = SingleThreadedAgentRuntime(state_store=InMemoryStateStore())
        await Wrong.register(runtime, "counter", lambda: Wrong(Book()))
        runtime.set_agent_options("counter", AgentOptions(passivate_after=10))
        runtime.start()
        await add(runtime, A)
        await asyncio.sleep(100)
        assert await add(runtime, A) == [2]
        with pytest.raises(StateStoreError, match="counter/a cannot be saved"):
            await runtime.close()

    run(main())


@pytest.mark.parametrize("fails", ["store", "agent"])
def test_a_message_fails_if_the_state_cannot_be_loaded_and_the_next_one_tries_again(
    fails: str,
) -> None:
    async def main() -> None:
        store = FailingStore()
        runtime, book = await started(store, passivate_after=10)
        await add(runtime, A)
        await asyncio.sleep(11)
        if fails == "store":
            store.failing["load"] = 2
        else:
            await store.save(A, {"unknown": 1})
        with pytest.raises(StateStoreError, match="counter/a cannot be loaded") as caught:
            await runtime.send_message(Add(), A)
        assert caught.value.agent_id == A
        cause = {"store": OSError, "agent": KeyError}[fails]
        assert isinstance(caught.value.__cause__, cause)
        await runtime.publish_message(Add(), TopicId("counter:", "a"))
        await asyncio.sleep(1)
        (letter,) = runtime.dead_letters
        assert letter.cause is DeadLetterCause.BUILD_FAILED
        assert isinstance(letter.reason, StateStoreError)
        assert [call for call in book.calls if call.startswith("2")][-2:] == [
            "2 on_deactivate",
            "2 close",
        ]
        if fails == "agent":
            await store.save(A, {"total": 1})
        assert await add(runtime, A) == [2]
        await runtime.close()

    run(main())


def test_an_empty_state_is_not_written_and_replaces_an_earlier_one() -> None:
    async def main() -> None:
        store = FailingStore()
        runtime, _ = await started(store, passivate_after=10)
        await runtime.send_message(Add(0), A)
        await asyncio.sleep(11)
        assert (len(store), store.calls) == (0, ["load counter/a"])
        await runtime.send_message(Add(5), A)
        await asyncio.sleep(11)
        assert len(store) == 1
        await runtime.send_message(Add(-5), A)
        await asyncio.sleep(11)
        assert len(store) == 0
        assert store.calls[-1] == "delete counter/a"
        assert await add(runtime, A) == [1]
        await runtime.close()

    run(main())


def test_agents_without_state_methods_do_not_use_the_store(
    recwarn: pytest.WarningsRecorder,
) -> None:
    class Plain(BaseAgent):
        async def on_message_impl(self, message: Any, ctx: MessageContext) -> Any:
            return message

    async def main() -> None:

        store = FailingStore()
        runtime = SingleThreadedAgentRuntime(state_store=store)
        await Plain.register(runtime, "plain", lambda: Plain("has no state"))
        runtime.set_agent_options("plain", AgentOptions(passivate_after=10))
        runtime.start()
        for _ in range(2):
            await runtime.send_message("hello", AgentId("plain", "a"))
            await asyncio.sleep(11)
            assert in_memory(runtime) == []
        await runtime.close()
        assert store.calls == []

    run(main())
    assert list(recwarn) == []


def test_a_saved_state_has_the_agents_that_are_not_in_memory() -> None:
    async def main() -> None:
        store = FailingStore()
        runtime, _ = await started(store, passivate_after=10)
        await store.save(AgentId("unregistered", "a"), {"total": 9})
        await add(runtime, A, A)
        await asyncio.sleep(11)
        await add(runtime, B)
        assert await runtime.save_state() == {
            "counter/a": {"total": 2},
            "counter/b": {"total": 1},
        }
        await add(runtime, A)
        assert (await runtime.save_state())["counter/a"] == {"total": 3}, "not the stored one"
        store.gate.clear()
        await asyncio.sleep(20)
        saving = asyncio.ensure_future(runtime.save_state())
        await asyncio.sleep(1)
        assert not saving.done(), "agents are being saved"
        store.gate.set()
        assert await saving == {"counter/a": {"total": 3}, "counter/b": {"total": 1}}
        await runtime.close()

    run(main())


def test_a_loaded_state_goes_to_the_store_for_agents_that_are_not_in_memory() -> None:
    async def main() -> None:
        store = InMemoryStateStore()
        runtime, _ = await started(store, passivate_after=10)
        await add(runtime, A)
        await runtime.load_state({"counter/a": {"total": 10}, "counter/b": {"total": 20}})
        assert in_memory(runtime) == ["a"]
        assert await store.load(B) == {"total": 20}
        assert await add(runtime, A, B) == [11, 21]
        await asyncio.sleep(11)
        await runtime.load_state({"counter/a": {}})
        assert await store.load(A) is None
        await runtime.close()

    run(main())


class Minimal:
    """A store that has only what is required."""

    def __init__(self) -> None:
        self.states: dict[AgentId, Any] = {}

    async def load(self, agent_id: AgentId) -> Any:
        return self.states.get(agent_id)

    async def save(self, agent_id: AgentId, state: Any) -> None:
        self.states[agent_id] = state

    async def delete(self, agent_id: AgentId) -> None:
        del self.states[agent_id]


def test_a_store_that_lists_nothing_is_enough() -> None:
    async def main() -> None:
        runtime, _ = await started(Minimal(), passivate_after=10)
        await add(runtime, A, B)
        await asyncio.sleep(11)
        assert in_memory(runtime) == []
        assert await runtime.save_state() == {"counter/a": {"total": 1}, "counter/b": {"total": 1}}
        await runtime.send_message(Add(-1), A)
        await asyncio.sleep(11)
        assert await runtime.save_state() == {"counter/b": {"total": 1}}
        await runtime.close()

    run(main())


def test_a_runtime_that_closes_waits_for_agents_that_are_being_saved() -> None:
    async def main() -> None:
        store = FailingStore()
        runtime, book = await started(store, passivate_after=10)
        await add(runtime, A, B)
        await asyncio.sleep(5)
        await add(runtime, B)
        store.gate.clear()
        await asyncio.sleep(7)
        sent = asyncio.ensure_future(runtime.send_message(Add(), A))
        await asyncio.sleep(1)
        closing = asyncio.ensure_future(runtime.close())
        await asyncio.sleep(1)
        assert not closing.done()
        store.gate.set()
        await closing
        assert sent.exception() is not None
        assert sorted(book.of("close")) == ["1 close", "2 close"]
        assert (await store.load(A), await store.load(B)) == ({"total": 1}, {"total": 2})

    run(main())


def test_a_runtime_that_closes_closes_agents_that_cannot_be_saved() -> None:
    async def main() -> None:
        store = FailingStore()
        runtime, book = await started(store)
        await add(runtime, A, B)
        store.failing["save"] = 1
        with pytest.raises(StateStoreError, match="counter/a cannot be saved"):
            await runtime.close()
        assert sorted(book.of("close")) == ["1 close", "2 close"]
        assert await store.load(B) == {"total": 1}

    run(main())


def test_registered_instances_are_neither_passivated_nor_stored() -> None:
    async def main() -> None:
        store = FailingStore()
        runtime = SingleThreadedAgentRuntime(state_store=store)

        await Counter(Book()).register_instance(runtime, A)
        runtime.set_agent_options("counter", AgentOptions(passivate_after=10))
        runtime.start()
        await add(runtime, A)
        await asyncio.sleep(100)
        assert await add(runtime, A) == [2]
        await runtime.close()
        assert store.calls == []

    run(main())


def test_a_cancelled_sender_does_not_lose_the_messages_of_others() -> None:
    async def main() -> None:
        store = FailingStore()
        runtime, _ = await started(store, passivate_after=10)
        await add(runtime, A)
        store.gate.clear()
        await asyncio.sleep(11)
        sends = [asyncio.ensure_future(runtime.send_message(Add(), A)) for _ in range(3)]
        await asyncio.sleep(1)
        sends[1].cancel()
        late = asyncio.ensure_future(runtime.send_message(Add(), A, timeout=1))
        await asyncio.sleep(2)
        assert isinstance(late.exception(), TimeoutError)
        store.gate.set()
        results = await asyncio.gather(*sends, return_exceptions=True)
        assert [results[0], results[2]] in ([2, 3], [2, 4])
        await runtime.close()

    run(main())


@pytest.mark.parametrize("wrong", [object(), InMemoryStateStore, "agents.sqlite", {}])
def test_what_is_no_store_is_refused(wrong: Any) -> None:
    with pytest.raises(ValueError, match="state_store must be a StateStore") as caught:
        SingleThreadedAgentRuntime(state_store=wrong)
    assert repr(wrong) in str(caught.value)


def test_an_agent_is_passivated_that_was_built_for_a_message_that_a_stop_drained() -> None:
    async def main() -> None:
        store = FailingStore()
        runtime, book = await started(store, passivate_after=10)
        store.gate.clear()
        sender = asyncio.ensure_future(runtime.send_message(Add(), A))
        await until(lambda: book.built == 1)
        await runtime.stop()
        store.gate.set()
        with pytest.raises(RuntimeStoppedError):
            await sender
        runtime.start()
        await asyncio.sleep(11)
        assert book.calls[-1] == "1 close"
        assert in_memory(runtime) == []
        await runtime.close()

    run(main())
