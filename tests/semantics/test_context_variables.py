"""Each delivery runs in a fresh copy of the context the runtime was started in."""

import asyncio
import contextvars
import decimal

import pytest

from .scenario import Ask, until, yield_to_loop

variable = contextvars.ContextVar("variable", default="nothing")


@pytest.fixture(autouse=True)
def clean():
    token = variable.set("nothing")
    yield
    variable.reset(token)


async def test_handlers_see_the_context_of_start_and_not_the_senders(scenario):
    async def handler(self, message, ctx):
        if message.value:
            await asyncio.sleep(0)
        return variable.get()

    await scenario.agent("a", handler)
    variable.set("at start")
    scenario.start()
    variable.set("later")
    assert await scenario.ask("a", False) == "at start"
    assert await scenario.ask("a", True) == "at start"
    assert variable.get() == "later"


async def test_variables_set_by_a_handler_are_not_visible_elsewhere(scenario):
    seen = []

    async def handler(self, message, ctx):
        seen.append(variable.get())
        variable.set(message.value)
        if message.value == "nest":
            await self.send_message(Ask("inner"), scenario.id("a"))
            assert variable.get() == "nest"
        if message.value == "suspend":
            await yield_to_loop(2)
        if message.value == "raise":
            raise ValueError

    await scenario.agent("a", handler, topic="t")
    await scenario.agent("b", handler, topic="t")
    scenario.start()
    for value in ("plain", "suspend", "nest", "raise"):
        try:
            await scenario.ask("a", value)
        except ValueError:
            assert value == "raise"
        assert variable.get() == "nothing"
    await scenario.publish("t", "published")
    await until(lambda: len(seen) == 7)
    assert seen == ["nothing"] * 7
    assert variable.get() == "nothing"


async def test_variables_set_by_a_handler_are_kept_across_its_suspensions(scenario):
    async def handler(self, message, ctx):
        token = variable.set(message.value)
        await asyncio.sleep(0)
        first = variable.get()
        await self.send_message(Ask(), scenario.id("b"))
        second = variable.get()
        await asyncio.wait_for(asyncio.sleep(0), 60)
        variable.reset(token)  # refused in any other context than that of the set
        return first, second, variable.get()

    async def other(self, message, ctx):
        variable.set("other")
        await asyncio.sleep(0)

    await scenario.agent("a", handler)
    await scenario.agent("b", other)
    scenario.start()
    responses = await asyncio.gather(*(scenario.ask("a", number) for number in range(10)))
    assert responses == [(number, number, "nothing") for number in range(10)]


async def test_the_context_of_a_handler_is_copied_into_what_it_starts(scenario):
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

    await scenario.agent("a", handler)
    scenario.start()
    assert await scenario.ask("a", False) == ["the handler's"] * 4
    assert await scenario.ask("a", True) == ["the handler's"] * 4


async def test_a_runtime_started_in_an_empty_context_gives_its_handlers_nothing(scenario):
    """An empty context is falsy, and is one all the same."""

    async def handler(self, message, ctx):
        if message.value:
            await asyncio.sleep(0)
        return variable.get(), variable in contextvars.copy_context()

    await scenario.agent("a", handler, topic="t")
    contextvars.Context().run(scenario.start)
    variable.set("the sender's")
    assert await scenario.ask("a", False) == ("nothing", False)
    assert await scenario.ask("a", True) == ("nothing", False)


async def test_handlers_of_manually_processed_messages_see_the_context_of_process_next(scenario):
    async def handler(self, message, ctx):
        return variable.get()

    await scenario.agent("a", handler)
    variable.set("the sender's")
    asked = asyncio.ensure_future(scenario.ask("a"))
    await yield_to_loop()
    variable.set("who takes it")
    await scenario.runtime.process_next()
    await scenario.runtime.process_next()
    assert await asked == "who takes it"


async def test_the_decimal_context_of_a_handler_is_its_own(scenario):
    """The C code of `decimal` keeps its context in a context variable."""

    async def handler(self, message, ctx):
        decimal.getcontext().prec = message.value
        await yield_to_loop(message.value % 3)
        return str(decimal.Decimal(1) / 3)

    contextvars.Context().run(scenario.start)
    await scenario.agent("a", handler)
    before = decimal.getcontext().prec
    responses = await asyncio.gather(*(scenario.ask("a", number) for number in range(1, 10)))
    assert responses == ["0." + "3" * number for number in range(1, 10)]
    assert decimal.getcontext().prec == before


async def test_the_handler_context_names_the_agent_before_and_after_waiting(scenario):
    current = scenario.core.MessageHandlerContext.agent_id

    async def handler(self, message, ctx):
        seen = [current()]
        await asyncio.sleep(0)
        seen.append(current())
        if message.value:
            seen += await self.send_message(Ask(message.value - 1), scenario.id("a", "inner"))
            assert current() == self.id
        return seen

    await scenario.agent("a", handler, keys=["default", "inner"])
    scenario.start()
    assert await scenario.ask("a", 1) == [scenario.id("a")] * 2 + [scenario.id("a", "inner")] * 2
    with pytest.raises(RuntimeError):
        current()


async def test_a_context_variable_set_by_the_caller_is_still_set_after_a_send(scenario):
    async def handler(self, message, ctx):
        await yield_to_loop(message.value)

    await scenario.agent("a", handler)
    scenario.start()
    for suspensions in (0, 2):
        token = variable.set("during")
        await scenario.ask("a", suspensions)
        assert variable.get() == "during"
        variable.reset(token)


async def test_thousands_of_agents_each_run_where_their_own_id_is(scenario):
    async def handler(self, message, ctx):
        return scenario.core.MessageHandlerContext.agent_id() == self.id

    await scenario.agent("a", handler)
    scenario.start()
    for _ in range(2):
        for number in range(2_100):
            assert await scenario.ask("a", key=str(number))
    await scenario.idle()
