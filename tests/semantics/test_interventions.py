"""Intervention handlers around handlers that suspend."""

import asyncio

import pytest

from .world import Ask, turns, until


def observing(world, **hooks):
    """Make an intervention handler of functions; what is left out passes everything on."""
    return type("Hooks", (world.core.DefaultInterventionHandler,), hooks)()


async def build(world, handler, **hooks):
    world.rebuild(intervention_handlers=[observing(world, **hooks)])
    await world.agent("a", handler, topic="t", keys=["default", "inner"])
    world.start()


async def suspending(self, message, ctx):
    await turns(2)
    return message.value


async def test_each_hook_is_called_once_around_a_suspending_handler(world):
    seen = []

    async def handler(self, message, ctx):
        seen.append("handler")
        await turns(2)
        seen.append("handler ends")
        return message.value

    async def on_send(self, message, *, message_context, recipient):
        seen.append("send")
        assert message_context.is_rpc
        return message

    async def on_publish(self, message, *, message_context):
        seen.append("publish")
        return message

    async def on_response(self, message, *, sender, recipient):
        seen.append("response")
        return message

    await build(world, handler, on_send=on_send, on_publish=on_publish, on_response=on_response)
    assert await world.ask("a", "answer") == "answer"
    assert seen == ["send", "handler", "handler ends", "response"]
    seen.clear()
    await world.publish("t")
    await until(lambda: len(seen) == 3)
    assert seen == ["publish", "handler", "handler ends"]


async def test_a_hook_may_suspend_too(world):
    gate = asyncio.Event()

    async def on_send(self, message, *, message_context, recipient):
        await gate.wait()
        return Ask(message.value + 1)

    async def on_response(self, message, *, sender, recipient):
        await turns(2)
        return message * 10

    await build(world, suspending, on_send=on_send, on_response=on_response)
    asked = asyncio.ensure_future(world.ask("a", 1))
    await turns()
    assert not asked.done()
    gate.set()
    assert await asked == 20


async def test_a_dropped_message_is_an_error_for_its_sender(world):
    started = []

    async def handler(self, message, ctx):
        started.append(1)

    async def on_send(self, message, *, message_context, recipient):
        await asyncio.sleep(0)
        return world.core.DropMessage

    await build(world, handler, on_send=on_send)
    with pytest.raises(world.exceptions.MessageDroppedException):
        await world.ask("a")
    await turns()
    assert started == []
    await ends(world)


async def test_a_response_dropped_after_a_suspension_is_an_error_for_its_sender(world):
    async def on_response(self, message, *, sender, recipient):
        return world.core.DropMessage

    await build(world, suspending, on_response=on_response)
    with pytest.raises(world.exceptions.MessageDroppedException):
        await world.ask("a")
    await ends(world)


@pytest.mark.parametrize("hook", ["on_send", "on_response"])
async def test_what_a_hook_raises_reaches_the_sender(world, hook):
    error = ValueError("from the hook")

    async def raising(self, message, **_):
        await asyncio.sleep(0)
        raise error

    await build(world, suspending, **{hook: raising})
    with pytest.raises(ValueError, match="from the hook") as caught:
        await world.ask("a")
    assert caught.value is error
    await ends(world)


async def test_a_hook_that_raises_on_a_publish_ends_only_that_message(world):
    handled = []

    async def handler(self, message, ctx):
        await asyncio.sleep(0)
        handled.append(message.value)

    async def on_publish(self, message, *, message_context):
        if message.value == "bad":
            raise ValueError
        return message

    await build(world, handler, on_publish=on_publish)
    await world.publish("t", "bad")
    await world.publish("t", "good")
    await until(lambda: handled)
    assert handled == ["good"]
    await ends(world)


async def test_a_caller_that_gives_up_while_the_hook_or_handler_waits(world):
    gate, ended = asyncio.Event(), []

    async def handler(self, message, ctx):
        await gate.wait()
        ended.append(1)
        return "late"

    async def on_response(self, message, *, sender, recipient):
        ended.append(message)
        return message

    await build(world, handler, on_response=on_response)
    asked = asyncio.ensure_future(world.ask("a"))
    await turns()
    asked.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asked
    gate.set()
    await until(lambda: ended == [1, "late"])


async def test_sends_of_a_handler_go_through_the_hooks_too(world):
    seen = []

    async def on_send(self, message, *, message_context, recipient):
        seen.append((str(message_context.sender), str(recipient)))
        return message

    async def handler(self, message, ctx):
        task = asyncio.current_task()
        if message.value:
            await self.send_message(Ask(), world.id("a", "inner"))
        await asyncio.sleep(0)
        assert asyncio.current_task() is task
        return "answer"

    await build(world, handler, on_send=on_send)
    await world.ask("a", "nest")
    assert seen == [("None", "a/default"), ("a/default", "a/inner")]


async def ends(world):
    """Upstream never becomes idle after a drop or an error in a hook (A2, A3); we do."""
    if world.is_upstream:
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(world.runtime.stop_when_idle(), 0.02)
    else:
        await world.idle()
