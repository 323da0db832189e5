"""Intervention handlers around handlers that suspend."""

import asyncio

import pytest

from .scenario import Ask, until, yield_to_loop


def observing(scenario, **hooks):
    """Make an intervention handler of functions; what is left out passes everything on."""
    return type("Hooks", (scenario.core.DefaultInterventionHandler,), hooks)()


async def build(scenario, handler, **hooks):
    scenario.rebuild(intervention_handlers=[observing(scenario, **hooks)])
    await scenario.agent("a", handler, topic="t", keys=["default", "inner"])
    scenario.start()


async def suspending(self, message, ctx):
    await yield_to_loop(2)
    return message.value


async def test_each_hook_is_called_once_around_a_suspending_handler(scenario):
    seen = []

    async def handler(self, message, ctx):
        seen.append("handler")
        await yield_to_loop(2)
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

    await build(scenario, handler, on_send=on_send, on_publish=on_publish, on_response=on_response)
    assert await scenario.ask("a", "response") == "response"
    assert seen == ["send", "handler", "handler ends", "response"]
    seen.clear()
    await scenario.publish("t")
    await until(lambda: len(seen) == 3)
    assert seen == ["publish", "handler", "handler ends"]


async def test_a_hook_may_suspend_too(scenario):
    gate = asyncio.Event()

    async def on_send(self, message, *, message_context, recipient):
        await gate.wait()
        return Ask(message.value + 1)

    async def on_response(self, message, *, sender, recipient):
        await yield_to_loop(2)
        return message * 10

    await build(scenario, suspending, on_send=on_send, on_response=on_response)
    asked = asyncio.ensure_future(scenario.ask("a", 1))
    await yield_to_loop()
    assert not asked.done()
    gate.set()
    assert await asked == 20


async def test_a_dropped_message_is_an_error_for_its_sender(scenario):
    started = []

    async def handler(self, message, ctx):
        started.append(1)

    async def on_send(self, message, *, message_context, recipient):
        await asyncio.sleep(0)
        return scenario.core.DropMessage

    await build(scenario, handler, on_send=on_send)
    with pytest.raises(scenario.exceptions.MessageDroppedException):
        await scenario.ask("a")
    await yield_to_loop()
    assert started == []
    await ends(scenario)


async def test_a_response_dropped_after_a_suspension_is_an_error_for_its_sender(scenario):
    async def on_response(self, message, *, sender, recipient):
        return scenario.core.DropMessage

    await build(scenario, suspending, on_response=on_response)
    with pytest.raises(scenario.exceptions.MessageDroppedException):
        await scenario.ask("a")
    await ends(scenario)


@pytest.mark.parametrize("hook", ["on_send", "on_response"])
async def test_what_a_hook_raises_reaches_the_sender(scenario, hook):
    error = ValueError("from the hook")

    async def raising(self, message, **_):
        await asyncio.sleep(0)
        raise error

    await build(scenario, suspending, **{hook: raising})
    with pytest.raises(ValueError, match="from the hook") as caught:
        await scenario.ask("a")
    assert caught.value is error
    await ends(scenario)


async def test_a_hook_that_raises_on_a_publish_ends_only_that_message(scenario):
    handled = []

    async def handler(self, message, ctx):
        await asyncio.sleep(0)
        handled.append(message.value)

    async def on_publish(self, message, *, message_context):
        if message.value == "bad":
            raise ValueError
        return message

    await build(scenario, handler, on_publish=on_publish)
    await scenario.publish("t", "bad")
    await scenario.publish("t", "good")
    await until(lambda: handled)
    assert handled == ["good"]
    await ends(scenario)


async def test_a_caller_that_gives_up_while_the_hook_or_handler_waits(scenario):
    gate, ended = asyncio.Event(), []

    async def handler(self, message, ctx):
        await gate.wait()
        ended.append(1)
        return "late"

    async def on_response(self, message, *, sender, recipient):
        ended.append(message)
        return message

    await build(scenario, handler, on_response=on_response)
    asked = asyncio.ensure_future(scenario.ask("a"))
    await yield_to_loop()
    asked.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asked
    gate.set()
    await until(lambda: ended == [1, "late"])


async def test_sends_of_a_handler_go_through_the_hooks_too(scenario):
    seen = []

    async def on_send(self, message, *, message_context, recipient):
        seen.append((str(message_context.sender), str(recipient)))
        return message

    async def handler(self, message, ctx):
        task = asyncio.current_task()
        if message.value:
            await self.send_message(Ask(), scenario.id("a", "inner"))
        await asyncio.sleep(0)
        assert asyncio.current_task() is task
        return "response"

    await build(scenario, handler, on_send=on_send)
    await scenario.ask("a", "nest")
    assert seen == [("None", "a/default"), ("a/default", "a/inner")]


async def ends(scenario):
    """Upstream never becomes idle after a drop or an error in a hook (A2, A3); we do."""
    if scenario.is_upstream:
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(scenario.runtime.stop_when_idle(), 0.02)
    else:
        await scenario.idle()


@pytest.mark.parametrize("order", [("first", "failing", "second"), ("first", "second", "failing")])
async def test_a_response_behind_a_suspended_hook_is_revised_after_a_halt(scenario, order):
    if scenario.is_upstream:
        pytest.skip("upstream delivers no response after a halt (A21)")
    gates = {name: asyncio.Event() for name in ("first", "second", "failing", "hook")}

    async def handler(self, message, ctx):
        await gates[message.value].wait()
        if message.value == "failing":
            raise ValueError("halts")
        return message.value

    async def on_response(self, message, *, sender, recipient):
        if message == "first":
            await gates["hook"].wait()
        return f"revised {message}"

    hooks = observing(scenario, on_response=on_response)
    scenario.rebuild(intervention_handlers=[hooks], ignore_unhandled_exceptions=False)
    await scenario.agent("a", handler, topic="t")
    scenario.start()
    await scenario.publish("t", "failing")
    asked = [asyncio.ensure_future(scenario.ask("a", name)) for name in ("first", "second")]
    await yield_to_loop()
    for name in order:
        gates[name].set()
        await yield_to_loop()
    assert not any(sender.done() for sender in asked)
    gates["hook"].set()
    assert await asyncio.gather(*asked) == ["revised first", "revised second"]
    with pytest.raises(ValueError, match="halts"):
        await scenario.stop()
