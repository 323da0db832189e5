"""What handlers do: they return, raise, suspend, send, publish, cancel themselves."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from ferrogen import AgentId, MessageContext, MessageHandlerContext

from .calling import CALLING
from .ledger import EXPECTED, Run
from .messages import HandlerError, Work
from .sending import PUBLISHING, SENDING, Sender, within

if TYPE_CHECKING:
    from .agents import Worker

__all__ = ["ACTIONS", "LEAVES"]


async def return_at_once(sender: Sender, context: MessageContext) -> None:
    """Do nothing."""


async def raise_error(sender: Sender, context: MessageContext) -> None:
    """Raise."""
    raise HandlerError


async def yield_turns(sender: Sender, context: MessageContext) -> None:
    """Yield to the event loop."""
    for _ in range(sender.random.randint(1, 4)):
        await asyncio.sleep(0)


async def sleep(sender: Sender, context: MessageContext) -> None:
    """Sleep."""
    await asyncio.sleep(sender.seconds())


async def await_future(sender: Sender, context: MessageContext) -> None:
    """Await a future."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[None] = loop.create_future()

    def resolve() -> None:
        if not future.done():
            future.set_result(None)

    if sender.random.random() < 0.5:
        loop.call_soon(resolve)
    else:
        loop.call_later(sender.seconds(), resolve)
    await future


async def lock(sender: Sender, context: MessageContext) -> None:
    """Await a lock that others hold."""
    async with sender.round.lock:
        await asyncio.sleep(0 if sender.random.random() < 0.7 else 0.001)


async def raise_late(sender: Sender, context: MessageContext) -> None:
    """Suspend, and raise."""
    await yield_turns(sender, context)
    raise HandlerError


async def listen(sender: Sender, context: MessageContext) -> None:
    """Await a future that the token of the message may cancel."""
    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    _ = context.cancellation_token.link_future(future)
    await asyncio.wait({future}, timeout=sender.seconds())
    future.cancel()


async def cancel_itself(sender: Sender, context: MessageContext) -> None:
    """Cancel the current task, sometimes without a suspension afterwards."""
    task, run = asyncio.current_task(), sender.run
    if task is not None and run is not None:
        run.is_cancelled = True
        task.cancel()
        await asyncio.sleep(0)


async def survive_cancellation(sender: Sender, context: MessageContext) -> None:
    """Cancel the current task, and catch it."""
    try:
        await cancel_itself(sender, context)
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is not None and hasattr(task, "uncancel"):
            task.uncancel()
        if sender.round.is_closing:
            raise


async def clean_up(sender: Sender, context: MessageContext) -> None:
    """Suspend also while an error or a cancellation leaves it."""
    try:
        await yield_turns(sender, context)
        await asyncio.sleep(sender.seconds())
    finally:
        await asyncio.sleep(0)


async def stop_inside(sender: Sender, context: MessageContext) -> None:
    """Wait for idleness inside a handler, which is refused."""
    runtime = sender.home.runtime
    try:
        await runtime.stop_when_idle()
    except RuntimeError:
        return
    sender.ledger.violate("stop_when_idle() inside a handler was not refused")


async def reply_to_sender(sender: Sender, context: MessageContext) -> None:
    """Send to the agent that sent the message: a cycle."""
    if context.sender is not None and context.sender.type in sender.home.types:
        await sender.send(sender.entry(context.sender, "back"))


async def chain(sender: Sender, context: MessageContext) -> None:
    """Send by a plain await, again and again: a chain, and with bad luck a cycle."""
    await sender.send(sender.entry(None, "chain" if sender.depth > 0 else "return"))


async def deep(sender: Sender, context: MessageContext) -> None:
    """Send deeper than handlers are nested."""
    if sender.depth > 0:
        await sender.send(sender.entry(None, "deep"))


async def spawn(sender: Sender, context: MessageContext) -> None:
    """Start a task that sends after the handler has ended."""
    later = Sender(sender.round, sender.home, sender.agent_id, None, 0)

    async def send_later() -> None:
        await asyncio.sleep(later.random.choice((0, 0.001, 0.005)))
        await later.send(later.entry())

    _ = sender.round.spawn(send_later())


async def other_runtime(sender: Sender, context: MessageContext) -> None:
    """Send to an agent of another runtime, with a timeout: deadlocks there are not detected."""
    home = sender.random.choice(sender.round.homes)
    other = Sender(sender.round, home, sender.agent_id, sender.run, sender.depth)
    if home is sender.home:
        await other.send(other.entry())
        return
    entry = other.entry()
    entry.may_cancel = True
    await within(other, entry, other.send(entry))


Action = Callable[[Sender, MessageContext], Awaitable[None]]

LEAVES: dict[str, tuple[Action, float]] = {
    "return": (return_at_once, 20),
    "raise": (raise_error, 2),
    "yield": (yield_turns, 4),
    "sleep": (sleep, 4),
    "future": (await_future, 2),
    "lock": (lock, 1),
    "raise late": (raise_late, 1),
    "listen to token": (listen, 0.5),
    "cancel itself": (cancel_itself, 0.5),
    "survive cancellation": (survive_cancellation, 0.5),
    "clean up": (clean_up, 0.5),
    "stop inside": (stop_inside, 0.1),
}
"""Actions that send nothing, and how often they are chosen."""


def _sending(way: Callable[[Sender], Awaitable[None]]) -> Action:
    async def action(sender: Sender, context: MessageContext) -> None:
        await way(sender)

    return action


ACTIONS: dict[str, tuple[Action, float]] = {
    "back": (reply_to_sender, 2),
    "chain": (chain, 6),
    "deep": (deep, 0),
    "spawn": (spawn, 1),
    "other runtime": (other_runtime, 1),
    **{name: (_sending(way), weight) for name, (way, weight) in SENDING.items()},
    **{name: (_sending(way), weight) for name, (way, weight) in PUBLISHING.items()},
    **{
        name: (_sending(way), weight / 4)
        for name, (way, weight) in CALLING.items()
        if name != "call: schedule"
    },
}
"""Actions that send, and how often they are chosen."""


async def act(
    round_: object, worker: Worker, run: Run, message: Work, context: MessageContext
) -> None:
    """Do what a message says; catch some of the errors that come of it."""
    sender = Sender(round_, worker.home, agent_id_of(worker), run, message.depth - 1)  # type: ignore[arg-type]
    worker.home.used[f"handler: {message.action}"] += 1
    leaf = LEAVES.get(message.action)
    if leaf is not None:
        await leaf[0](sender, context)
        return
    if sender.depth < 0 or MessageHandlerContext.attempt() > 1:
        return  # a chain of retries would be one of exponentially many messages
    action, _ = ACTIONS[message.action]
    if sender.random.random() < 0.3:
        await action(sender, context)
        return
    try:
        await action(sender, context)
    except asyncio.CancelledError:
        raise
    except (*EXPECTED, asyncio.TimeoutError):
        worker.home.used["handler: catches an error"] += 1


def agent_id_of(worker: Worker) -> AgentId:
    """The id of an agent."""
    kind, key = worker.key.split("/", maxsplit=1)
    return AgentId(kind, key)
