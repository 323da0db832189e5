"""Situations of a handler whose task is probed."""

import asyncio
import threading
from typing import Any

from .scenario import Ask, Scenario, until, yield_to_loop
from .task_probes import Probe, observe, shown, state


class ProbeRun:
    """One runtime, an agent `a` whose task is probed, and an agent `b` that waits for a gate."""

    def __init__(self, scenario: Scenario, probe: Probe) -> None:
        self.scenario = scenario
        self.probe = probe
        self.observed: list[Any] = []
        self.tasks: list[asyncio.Task[Any]] = []
        self.gate = asyncio.Event()

    def apply(self) -> None:
        self.observed.append(observe(self.probe, self.tasks[0]))

    def enter(self) -> None:
        if not self.tasks:
            self.tasks.append(asyncio.current_task())

    async def play(self, handler: Any, outside: Any = None, *, publish: bool = False) -> Any:
        scenario = self.scenario
        raised = []

        async def handle(agent, message, ctx):
            self.enter()
            try:
                return await handler(agent, self)
            except BaseException as error:
                raised.append(shown(error))
                raise

        async def waits(agent, message, ctx):
            await self.gate.wait()

        await scenario.agent("a", handle, topic="t")
        await scenario.agent("b", waits)
        scenario.start()
        call = scenario.publish("t") if publish else scenario.ask("a")
        sender = asyncio.ensure_future(settled(call))
        if outside is not None:
            await until(lambda: self.tasks)
            await yield_to_loop(3)
            await outside(self)
        outcome = await asyncio.wait_for(sender, 150)
        await yield_to_loop(5)
        self.gate.set()
        await scenario.idle()
        await yield_to_loop(5)
        assert self.observed, "the probe was never applied"
        return self.observed, raised, outcome, [state(task) for task in self.tasks]


async def settled(awaitable: Any) -> Any:
    try:
        return shown(await awaitable)
    except BaseException as error:  # noqa: BLE001 - it is recorded
        return "raised", shown(error)


async def before_its_first_suspension(agent, run):
    run.apply()
    return "ended"


async def before_a_suspension(agent, run):
    run.apply()
    await yield_to_loop(3)
    return "ended"


async def after_sleeping(agent, run):
    await asyncio.sleep(0)
    run.apply()
    await asyncio.sleep(0)
    return "ended"


async def after_waiting(agent, run):
    await asyncio.sleep(0.001)
    run.apply()
    await asyncio.sleep(0.001)
    return "ended"


async def after_another_agent(agent, run):
    asyncio.get_running_loop().call_later(0.002, run.gate.set)
    await agent.send_message(Ask(), run.scenario.id("b"))
    run.apply()
    await asyncio.sleep(0)
    return "ended"


async def in_another_thread(agent, run):
    thread = threading.Thread(target=run.apply)
    thread.start()
    thread.join()
    return "ended"


async def in_a_callback(agent, run):
    asyncio.get_running_loop().call_soon(run.apply)
    await asyncio.sleep(0.002)
    return "ended"


async def in_a_callback_of_its_iteration(agent, run):
    asyncio.get_running_loop().call_soon(run.apply)
    await yield_to_loop(4)
    return "ended"


async def in_its_own_done_callback(agent, run):
    run.tasks[0].add_done_callback(lambda task: run.apply())
    return "ended"


async def in_a_done_callback_after_a_wait(agent, run):
    run.tasks[0].add_done_callback(lambda task: run.apply())
    await asyncio.sleep(0.001)
    return "ended"


async def in_its_exception_handler(agent, run):
    try:
        raise ValueError("its own")
    except ValueError:
        run.apply()
    return "ended"


async def twice(agent, run):
    run.apply()
    run.apply()
    await asyncio.sleep(0)
    run.apply()
    return "ended"


INSIDE = [
    before_its_first_suspension,
    before_a_suspension,
    after_sleeping,
    after_waiting,
    after_another_agent,
    in_another_thread,
    in_a_callback,
    in_a_callback_of_its_iteration,
    in_its_own_done_callback,
    in_a_done_callback_after_a_wait,
    in_its_exception_handler,
    twice,
]


async def waits(agent, run):
    await run.gate.wait()
    return "ended"


async def awaits_agent(agent, run):
    await agent.send_message(Ask(), run.scenario.id("b"))
    return "ended"


async def catches(agent, run):
    try:
        await run.gate.wait()
    except asyncio.CancelledError:
        await asyncio.sleep(0)
    return "ended"


async def awaits_agent_and_catches(agent, run):
    try:
        await agent.send_message(Ask(), run.scenario.id("b"))
    except asyncio.CancelledError:
        await asyncio.sleep(0)
    return "ended"


async def ends(agent, run):
    return "ended"


async def fails(agent, run):
    raise KeyError("its own")


async def fails_later(agent, run):
    await asyncio.sleep(0.001)
    raise KeyError("its own")


async def is_cancelled(agent, run):
    raise asyncio.CancelledError("its own")


async def outside(run):
    run.apply()
    await yield_to_loop(4)
    run.gate.set()


async def outside_in_a_thread(run):
    await asyncio.to_thread(run.apply)
    run.gate.set()


async def outside_after_the_end(run):
    await asyncio.sleep(0.003)
    await yield_to_loop(3)
    run.apply()


OUTSIDE = {
    "waits": (waits, outside),
    "awaits_agent": (awaits_agent, outside),
    "catches": (catches, outside),
    "awaits_agent_and_catches": (awaits_agent_and_catches, outside),
    "waits, in a thread": (waits, outside_in_a_thread),
    "awaits_agent, in a thread": (awaits_agent, outside_in_a_thread),
    "ended": (ends, outside_after_the_end),
    "failed": (fails, outside_after_the_end),
    "failed_later": (fails_later, outside_after_the_end),
    "cancelled": (is_cancelled, outside_after_the_end),
}

SITUATIONS: dict[str, tuple[Any, Any]] = {
    **{handler.__name__: (handler, None) for handler in INSIDE},
    **OUTSIDE,
}
