"""Each delivery runs in a fresh copy of the context the runtime was started in."""

import asyncio
import contextvars
import decimal

import pytest

from .world import Ask, turns, until

variable = contextvars.ContextVar("variable", default="nothing")


@pytest.fixture(autouse=True)
def clean():
    token = variable.set("nothing")
    yield
    variable.reset(token)


async def test_handlers_see_the_context_of_start_and_not_the_senders(world):
    async def handler(self, message, ctx):
        if message.value:
            await asyncio.sleep(0)
        return variable.get()

    await world.agent("a", handler)
    variable.set("at start")
    world.start()
    variable.set("later")
    assert await world.ask("a", False) == "at start"
    assert await world.ask("a", True) == "at start"
    assert variable.get() == "later"


async def test_variables_set_by_a_handler_are_not_visible_elsewhere(world):
    seen = []

    async def handler(self, message, ctx):
        seen.append(variable.get())
        variable.set(message.value)
        if message.value == "nest":
            await self.send_message(Ask("inner"), world.id("a"))
            assert variable.get() == "nest"
        if message.value == "suspend":
            await turns(2)
        if message.value == "raise":
            raise ValueError

    await world.agent("a", handler, topic="t")
    await world.agent("b", handler, topic="t")
    world.start()
    for value in ("plain", "suspend", "nest", "raise"):
        try:
            await world.ask("a", value)
        except ValueError:
            assert value == "raise"
        assert variable.get() == "nothing"
    await world.publish("t", "published")
    await until(lambda: len(seen) == 7)
    assert seen == ["nothing"] * 7
    assert variable.get() == "nothing"


async def test_variables_set_by_a_handler_are_kept_across_its_suspensions(world):
    async def handler(self, message, ctx):
        token = variable.set(message.value)
        await asyncio.sleep(0)
        first = variable.get()
        await self.send_message(Ask(), world.id("b"))
        second = variable.get()
        await asyncio.wait_for(asyncio.sleep(0), 60)
        variable.reset(token)  # refused in any other context than that of the set
        return first, second, variable.get()

    async def other(self, message, ctx):
        variable.set("other")
        await asyncio.sleep(0)

    await world.agent("a", handler)
    await world.agent("b", other)
    world.start()
    responses = await asyncio.gather(*(world.ask("a", number) for number in range(10)))
    assert responses == [(number, number, "nothing") for number in range(10)]


async def test_the_context_of_a_handler_is_copied_into_what_it_starts(world):
    async def in_task():
        return variable.get()

    async def handler(self, message, ctx):
        if message.value:
            await asyncio.sleep(0)
        variable.set("the handler's")
        seen = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_soon(lambda: seen.set_result(variable.get()))
        return [
            await asyncio.to_thread(variable.get),
            await asyncio.create_task(in_task()),
            await seen,
            contextvars.copy_context()[variable],
        ]

    await world.agent("a", handler)
    world.start()
    assert await world.ask("a", False) == ["the handler's"] * 4
    assert await world.ask("a", True) == ["the handler's"] * 4


async def test_a_runtime_started_in_an_empty_context_gives_its_handlers_nothing(world):
    """An empty context is falsy, and is one all the same."""

    async def handler(self, message, ctx):
        if message.value:
            await asyncio.sleep(0)
        return variable.get(), variable in contextvars.copy_context()

    await world.agent("a", handler, topic="t")
    contextvars.Context().run(world.start)
    variable.set("the sender's")
    assert await world.ask("a", False) == ("nothing", False)
    assert await world.ask("a", True) == ("nothing", False)


async def test_handlers_of_manually_processed_messages_see_the_context_of_process_next(world):
    async def handler(self, message, ctx):
        return variable.get()

    await world.agent("a", handler)
    variable.set("the sender's")
    asked = asyncio.ensure_future(world.ask("a"))
    await turns()
    variable.set("who takes it")
    await world.runtime.process_next()
    await world.runtime.process_next()
    assert await asked == "who takes it"


async def test_the_decimal_context_of_a_handler_is_its_own(world):
    """The C code of `decimal` keeps its context in a context variable."""

    async def handler(self, message, ctx):
        decimal.getcontext().prec = message.value
        await turns(message.value % 3)
        return str(decimal.Decimal(1) / 3)

    contextvars.Context().run(world.start)
    await world.agent("a", handler)
    before = decimal.getcontext().prec
    responses = await asyncio.gather(*(world.ask("a", number) for number in range(1, 10)))
    assert responses == ["0." + "3" * number for number in range(1, 10)]
    assert decimal.getcontext().prec == before


async def test_the_handler_context_names_the_agent_before_and_after_waiting(world):
    current = world.core.MessageHandlerContext.agent_id

    async def handler(self, message, ctx):
        seen = [current()]
        await asyncio.sleep(0)
        seen.append(current())
        if message.value:
            seen += await self.send_message(Ask(message.value - 1), world.id("a", "inner"))
            assert current() == self.id
        return seen

    await world.agent("a", handler, keys=["default", "inner"])
    world.start()
    assert await world.ask("a", 1) == [world.id("a")] * 2 + [world.id("a", "inner")] * 2
    with pytest.raises(RuntimeError):
        current()


async def test_a_context_variable_set_by_the_caller_is_still_set_after_a_send(world):
    async def handler(self, message, ctx):
        await turns(message.value)

    await world.agent("a", handler)
    world.start()
    for suspensions in (0, 2):
        token = variable.set("during")
        await world.ask("a", suspensions)
        assert variable.get() == "during"
        variable.reset(token)


async def test_thousands_of_agents_each_run_where_their_own_id_is(world):
    async def handler(self, message, ctx):
        return world.core.MessageHandlerContext.agent_id() == self.id

    await world.agent("a", handler)
    world.start()
    for _ in range(2):
        for number in range(2_100):
            assert await world.ask("a", key=str(number))
    await world.idle()
