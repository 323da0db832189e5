"""The steps of random programs: the actions of handlers, and their trace entries."""

import asyncio
import contextlib
import contextvars
import sys
from collections import Counter, defaultdict
from collections.abc import Awaitable
from types import ModuleType
from typing import Any

from .gates import Gate
from .programs import GATES, Script, Step

VARIABLE = contextvars.ContextVar("variable", default=0)


class Own(Exception):
    pass


class Base(BaseException):
    pass


class Order:
    """A message with the script of its handler; it has no serializer."""

    def __init__(self, script: Script, path: str) -> None:
        self.script, self.path = script, path


def tell(error: BaseException) -> str:
    """Describe an error with its context."""
    links = [f"{type(error).__name__}{error.args}"]
    while error.__cause__ is not None or error.__context__ is not None:
        cause = error.__cause__
        error = error.__context__ if cause is None else cause
        # On 3.10 each task between the cancelled one and the waiter adds an error without args.
        if sys.version_info < (3, 11) and links[-1].endswith("CancelledError()"):
            links.pop()
        links.append(f"{'from' if cause else 'after'} {type(error).__name__}{error.args}")
        if len(links) > 9:
            break
    return " ".join(links).removeprefix("after ")


class Steps:
    """Runs the steps of scripts, and keeps a trace of each handler."""

    def __init__(self, core: ModuleType) -> None:
        self.core = core
        self.runtime: Any = None
        self.traces: dict[str, list[Any]] = defaultdict(list)
        self.accepted: list[str] = []
        self.begun: dict[str, list[str]] = defaultdict(list)
        self.running: set[str] = set()
        self.tasks: dict[str, Any] = {}
        self.loose: set[asyncio.Task[Any]] = set()
        self.limits: dict[str, Any] = {}
        self.times: Counter[str] = Counter()
        self.memories: dict[int, dict[str, Any]] = {}
        self.timers = 0
        self.moves = 0
        self.gates = [Gate() for _ in range(GATES)]
        self.never = Gate()
        self.reached: dict[str, asyncio.Event] = defaultdict(asyncio.Event)
        self.lock = asyncio.Lock()

    @contextlib.contextmanager
    def _timed(self) -> Any:
        """A timeout is pending: the program is not idle."""
        self.timers += 1
        try:
            yield
        finally:
            self.timers -= 1
            self.moves += 1

    async def handle(self, agent: Any, order: Order, ctx: Any) -> Any:
        """Run the script of a message."""
        path = f"{order.path}@{agent.id}"
        self.times[path] += 1  # an agent with two subscriptions receives a message twice
        path += "!" * (self.times[path] - 1)
        trace = self.traces[path]
        self.moves += 1
        self.begun[str(agent.id)].append(order.path)
        self.running.add(path)
        handled = sys.exc_info()[1]
        trace.append(("begins", str(ctx.sender), str(ctx.topic_id), ctx.is_rpc))
        trace.append(("as", str(self.core.MessageHandlerContext.agent_id()), VARIABLE.get()))
        trace.append(("handles", handled and tell(handled)))
        kept: list[Any] = []
        try:
            response = await self.follow(agent, order.script, path, trace, ctx, kept)
        except BaseException as error:
            trace.append(("raises", type(error).__name__, str(error)))
            raise
        else:
            trace.append(("returns", str(response)))
            return response
        finally:
            self.moves += 1
            self.running.discard(path)

    async def follow(
        self, agent: Any, script: Script, path: str, trace: list[Any], ctx: Any, kept: list[Any]
    ) -> Any:
        """Run all steps of a script; its tasks are awaited after the last step."""
        for index, step in enumerate(script.steps):
            where = f"{path}.{index}"
            if step[0] == "return":
                return {
                    "none": None,
                    "error": ValueError("a response"),
                    "tuple": (1, 2),
                    "coroutine": StopIteration(3),
                }[step[1]]
            before = len(trace)
            await self._do(agent, step, where, trace, ctx, kept)
            self.moves += len(trace) - before
        trace.extend([("kept", await self._outcome(task)) for task in kept])
        return path

    async def _outcome(self, work: Awaitable[Any]) -> str:
        try:
            return str(await work)
        except BaseException as error:  # noqa: BLE001 - it is noted
            return tell(error)

    async def _do(
        self,
        agent: Any,
        step: Step,
        where: str,
        trace: list[Any],
        ctx: Any = None,
        kept: list[Any] | None = None,
    ) -> None:
        kind, *given = step
        await getattr(self, f"_{kind.replace(' ', '_')}")(
            _Here(self, agent, where, trace, ctx, kept), *given
        )

    async def _yield(self, here: Any, count: int) -> None:
        for _ in range(count):
            await asyncio.sleep(0)

    async def _gate(self, here: Any, number: int, how: str) -> None:
        await self.gates[number].wait(how)

    async def _open(self, here: Any, number: int) -> None:
        await self.gates[number].open()

    async def _sleep(self, here: Any) -> None:
        with self._timed():
            await asyncio.sleep(0.0001)

    async def _soon(self, here: Any) -> None:
        """A `call_soon` callback runs before the yielding handler resumes."""
        loop, order = asyncio.get_running_loop(), []
        loop.call_soon(order.append, 1)
        done = loop.create_future()
        loop.call_soon(done.set_result, 2)
        await asyncio.sleep(0)
        order.append(await done)
        here.trace.append(("soon", tuple(order)))

    async def _lock(self, here: Any) -> None:
        async with self.lock:
            await asyncio.sleep(0)

    async def _queue(self, here: Any) -> None:
        own: asyncio.Queue[int] = asyncio.Queue()
        asyncio.get_running_loop().call_soon(own.put_nowait, 1)
        here.trace.append(("queue", await own.get()))

    async def _generator(self, here: Any) -> None:
        async def numbers() -> Any:
            try:
                for number in range(2):
                    await asyncio.sleep(0)
                    yield number, asyncio.current_task()
            finally:
                await asyncio.sleep(0)

        task = asyncio.current_task()
        async with contextlib.aclosing(numbers()) as stream:
            async for _, its_task in stream:
                here.trace.append(("generated", its_task is task))

    async def _set_variable(self, here: Any, value: int) -> None:
        here.trace.append(("was", VARIABLE.get()))
        here.memory["token"] = VARIABLE.set(value)

    async def _get_variable(self, here: Any) -> None:
        here.trace.append(("variable", VARIABLE.get()))

    async def _reset_variable(self, here: Any) -> None:
        token = here.memory.pop("token", None)
        if token is not None:
            VARIABLE.reset(token)
            here.trace.append(("reset", VARIABLE.get()))

    async def _set_name(self, here: Any, name: str) -> None:
        asyncio.current_task().set_name(name)
        here.memory["name"] = name

    async def _get_name(self, here: Any) -> None:
        if "name" in here.memory:
            here.trace.append(("name", asyncio.current_task().get_name()))

    async def _touch(self, here: Any) -> None:
        task = asyncio.current_task()
        is_same = here.memory.setdefault("task", task) is task
        known = task in asyncio.all_tasks() if not task.done() else None
        here.trace.append(("touched", is_same, known, isinstance(task, asyncio.Task)))

    async def _know_myself(self, here: Any) -> None:
        task = asyncio.current_task()
        is_same = here.memory.setdefault("task", task) is task
        here.trace.append(("I", is_same, here.ctx and here.ctx.cancellation_token.is_cancelled()))

    async def _handled_exception(self, here: Any) -> None:
        handled = sys.exc_info()[1]
        here.trace.append(("handles", handled and tell(handled)))

    async def _fail(self, here: Any, how: str) -> None:
        if how == "cause":
            try:
                raise KeyError("cause")
            except KeyError as error:
                raise Own("effect") from error
        raise {
            "value": ValueError("v"),
            "key": KeyError("k"),
            "own": Own("o", 1),
            "stop": StopAsyncIteration("s"),
            "cancelled": asyncio.CancelledError("c"),
            "timeout": asyncio.TimeoutError("t"),
            "base": Base("b"),
        }[how]

    async def _cancel_myself(self, here: Any, catches: bool) -> None:
        task = asyncio.current_task()
        here.trace.append(("asked", task.cancel("by myself")))
        try:
            await asyncio.sleep(0)
            here.trace.append("not cancelled")
        except asyncio.CancelledError as error:
            here.trace.append(("cancelled", error.args))
            if not catches:
                raise
            if hasattr(task, "uncancel"):
                here.trace.append(("left", task.uncancel()))

    async def _time_out(self, here: Any, how: str) -> None:
        never = asyncio.get_running_loop().create_future()
        try:
            with self._timed():
                if how == "wait_for":
                    await asyncio.wait_for(never, 0.0005)
                elif how == "zero":
                    await asyncio.wait_for(never, 0)
                elif hasattr(asyncio, "timeout"):
                    async with asyncio.timeout(0.0005):
                        await never
        except asyncio.TimeoutError as error:
            here.trace.append(("timed out", tell(error)))

    def _sending(self, here: Any, target: Any, script: Script, where: str, **options: Any) -> Any:
        """Return the awaitable of `send_message`."""
        recipient = self.core.AgentId(*target)
        order = Order(script, where)
        if here.agent is None:
            return self.runtime.send_message(order, recipient, **options)
        return here.agent.send_message(order, recipient, **options)

    async def _noted(self, work: Awaitable[Any], where: str) -> Any:
        """Await a send at once, and trace it."""
        self.accepted.append(where)
        return await work

    async def _send(self, here: Any, target: Any, script: Script, form: str, catches: bool) -> None:
        sending = self._sending(here, target, script, here.where)
        try:
            here.trace.append(
                ("answered", str(await self._sent(here, sending, target, script, form)))
            )
        except BaseException as error:
            here.trace.append(("refused", tell(error)))
            if not catches:
                raise

    async def _sent(self, here: Any, sending: Any, target: Any, script: Script, form: str) -> Any:
        if form == "await":
            return await self._noted(sending, here.where)
        if form == "runtime":
            sending.close()
            again = self.runtime.send_message(
                Order(script, here.where),
                self.core.AgentId(*target),
                sender=here.agent and here.agent.id,
            )
            return await self._noted(again, here.where)
        if form == "task":
            return await asyncio.create_task(sending)
        if form == "named task":
            task = asyncio.create_task(sending, name="named")
            response = await task
            here.trace.append(("its name", task.get_name()))
            return response
        if form == "future":
            return await asyncio.ensure_future(sending)
        if form == "wait_for":
            return await asyncio.wait_for(sending, 60)
        if form == "shield":
            return await asyncio.shield(sending)
        if form == "gather":
            (response,) = await asyncio.gather(sending)
            return response
        if form == "generator":

            async def stream() -> Any:
                yield await self._noted(sending, here.where)

            async with contextlib.aclosing(stream()) as responses:
                async for response in responses:
                    return response
        if form == "timeout":
            async with asyncio.timeout(60):
                return await self._noted(sending, here.where)
        async with asyncio.TaskGroup() as group:
            task = group.create_task(sending)
        return task.result()

    async def _gather(self, here: Any, orders: Any, returns_errors: bool) -> None:
        sends = [
            self._sending(here, target, script, f"{here.where}.{index}")
            for index, (target, script) in enumerate(orders)
        ]
        if returns_errors:
            responses = await asyncio.gather(*sends, return_exceptions=True)
            here.trace.append(
                tuple(
                    tell(one) if isinstance(one, BaseException) else str(one) for one in responses
                )
            )
            return
        try:
            here.trace.append(tuple(map(str, await asyncio.gather(*sends))))
        except BaseException:  # noqa: BLE001 - which of several errors is first depends on scheduling
            here.trace.append("gathering failed")

    async def _publish(self, here: Any, topic: str, script: Script) -> None:
        publisher = self.runtime if here.agent is None else here.agent
        self.accepted.append(here.where)
        await publisher.publish_message(Order(script, here.where), self.core.TopicId(topic, "x"))

    async def _spawn(self, here: Any, target: Any, script: Script, how: str) -> None:
        async def late() -> Any:
            await asyncio.sleep(0)
            here.trace_of_spawn.append(("variable", VARIABLE.get()))
            return await self._sending(here, target, script, here.where)

        work = late() if how == "late" else self._sending(here, target, script, here.where)
        task = asyncio.create_task(work)
        if how == "loose" or here.kept is None:
            self.loose.add(task)
            task.add_done_callback(self.loose.discard)
        else:
            here.kept.append(task)

    async def _give_up(
        self, here: Any, targets: Any, script: Script, last: Script, how: str, level: int
    ) -> None:
        """Await a chain of agents, the last of which waits forever; then cancel the wait."""
        name = here.where
        inner = Script((*script.steps, ("stay", name, len(targets) - 1, last)))
        for depth in reversed(range(1, len(targets))):
            inner = Script((("relay", name, depth - 1, targets[depth], inner, last),))
        token = self.core.CancellationToken()
        options = {"cancellation_token": token} if how == "token" else {}
        sending = self._sending(here, targets[0], inner, name, **options)
        work = asyncio.create_task(self._until_given_up(here, sending, targets, how))
        reached = asyncio.create_task(self.reached[name].wait())
        await asyncio.wait({work, reached}, return_when=asyncio.FIRST_COMPLETED)
        reached.cancel()
        its_task = self.tasks.get(f"{name}/{min(level, len(targets) - 1)}")
        if not work.done() and its_task is not None:
            if how in ("task", "gather", "gather errors"):
                work.cancel("given up")
            elif how == "token":
                token.cancel()
            elif how == "wait_for":
                with contextlib.suppress(asyncio.TimeoutError):
                    await asyncio.wait_for(work, 0)
            elif how == "timeout":
                self.limits[name].reschedule(asyncio.get_running_loop().time())
            elif how == "handler":
                here.trace.append(("its task", its_task.cancel("from outside")))
            elif how == "name":
                its_task.set_name("its name")
                here.trace.append(("its task", its_task.get_name(), its_task.done()))
                its_task.cancel()
            elif how == "callback":
                its_task.add_done_callback(lambda done: here.trace.append(("done", done.done())))
                here.trace.append(("its task", its_task in asyncio.all_tasks()))
                work.cancel()
        outcome = await self._outcome(work)
        # Which message `gather` takes depends on scheduling.
        here.trace.append(
            ("given up", outcome.split("(")[0] if how == "gather errors" else outcome)
        )

    async def _until_given_up(self, here: Any, sending: Any, targets: Any, how: str) -> Any:
        name = here.where
        if how in ("gather", "gather errors"):
            others = [self._sending(here, targets[0], Script(), f"{name}.{n}") for n in range(2)]
            sends = [others[0], sending, others[1]]
            return await asyncio.gather(*sends, return_exceptions=how == "gather errors")
        if how == "timeout":
            async with asyncio.timeout(None) as self.limits[name]:
                return await sending
        if how == "group":
            try:
                async with asyncio.TaskGroup() as group:
                    task = group.create_task(sending)
                    reached = group.create_task(self.reached[name].wait())
                    await asyncio.wait({task, reached}, return_when=asyncio.FIRST_COMPLETED)
                    if not task.done():
                        raise Own("ends the group")
                    reached.cancel()
                return task.result()
            except BaseException as errors:  # noqa: BLE001 - a group, which came with 3.11
                return sorted(map(tell, getattr(errors, "exceptions", [errors])))
        return await sending

    async def _relay(
        self, here: Any, name: str, level: int, target: Any, script: Script, last: Script
    ) -> None:
        """Await the next agent, in a task that other steps can cancel."""
        sending = self._sending(here, target, script, here.where)
        await self._in_hands_of_others(here, f"{name}/{level}", last, sending)

    async def _stay(self, here: Any, name: str, level: int, last: Script) -> None:
        if not self.never.event.is_set():  # it will be passed at once otherwise
            self.reached[name].set()
        waiting = self.never.wait("event")
        await self._in_hands_of_others(here, f"{name}/{level}", last, waiting)

    async def _in_hands_of_others(
        self, here: Any, name: str, last: Script, waiting: Awaitable[Any]
    ) -> None:
        self.tasks[name] = asyncio.current_task()
        try:
            here.trace.append(("waited for", str(await waiting)))
        except asyncio.CancelledError as error:
            here.trace.append(("sent away", error.args))
            raise
        finally:
            del self.tasks[name]
            await self.follow(here.agent, last, f"{here.where}.last", here.trace, here.ctx, [])

    async def _inside(self, here: Any, what: str, script: Script) -> None:
        def go_on() -> Any:
            return self.follow(here.agent, script, here.where, here.trace, here.ctx, [])

        if what == "except":
            try:
                raise KeyError("being handled")
            except KeyError:
                await go_on()
        elif what == "finally":
            try:
                pass
            finally:
                await go_on()
        elif what == "variable":
            token = VARIABLE.set(99)
            try:
                await go_on()
            finally:
                VARIABLE.reset(token)
        else:

            @contextlib.asynccontextmanager
            async def manager() -> Any:
                try:
                    yield
                finally:
                    await asyncio.sleep(0)
                    here.trace.append("managed")

            async with manager():
                await go_on()


class _Here:
    """The context of a step."""

    def __init__(
        self, steps: Steps, agent: Any, where: str, trace: list[Any], ctx: Any, kept: Any
    ) -> None:
        self.agent, self.where, self.trace, self.ctx, self.kept = agent, where, trace, ctx, kept
        # The variables of a handler are stored with its trace.
        self.memory = steps.memories.setdefault(id(trace), {})
        self.trace_of_spawn = steps.traces[f"{where} spawned"]
