"""Intervention methods that are inherited are not called; those that come to be overridden are."""

import pytest

from ferrogen import AgentId, DefaultInterventionHandler, SingleThreadedAgentRuntime, TopicId

from .function_agents import register, until_idle

A = AgentId("a", "1")


class Inherits(DefaultInterventionHandler):
    """Overrides nothing."""


class Between(Inherits):
    """Overrides nothing either."""


async def shout(self, message, **how):
    return message.upper()


async def shout_alone(message, **how):
    return message.upper()


def by_class(handler):
    Between.on_send = shout
    return lambda: delattr(Between, "on_send")


def by_base(handler):
    Inherits.on_send = shout
    return lambda: delattr(Inherits, "on_send")


def by_root(handler):
    original = DefaultInterventionHandler.on_send
    DefaultInterventionHandler.on_send = shout
    return lambda: setattr(DefaultInterventionHandler, "on_send", original)


def by_instance(handler):
    handler.on_send = shout_alone
    return lambda: delattr(handler, "on_send")


def by_dict(handler):
    vars(handler)["on_send"] = shout_alone
    return lambda: vars(handler).clear()


def by_other_class(handler):
    class Shouts(DefaultInterventionHandler):
        on_send = shout

    handler.__class__ = Shouts
    return lambda: setattr(handler, "__class__", Between)


def by_bases(handler):
    class Shouts(DefaultInterventionHandler):
        on_send = shout

    Between.__bases__ = (Shouts,)
    return lambda: setattr(Between, "__bases__", (Inherits,))


@pytest.mark.parametrize(
    "override",
    [by_class, by_base, by_root, by_instance, by_dict, by_other_class, by_bases],
    ids=lambda one: one.__name__,
)
async def test_a_method_may_be_overridden_at_any_time(override):
    handler = Between()
    runtime = SingleThreadedAgentRuntime(intervention_handlers=[handler])
    await register(runtime, "a")
    runtime.start()
    for _ in range(3):
        assert await runtime.send_message("hello", A) == "hello"
        restore = override(handler)
        try:
            assert [await runtime.send_message("hello", A) for _ in range(2)] == ["HELLO"] * 2
        finally:
            restore()
    assert await runtime.send_message("hello", A) == "hello"
    await runtime.stop_when_idle()


@pytest.mark.parametrize("name", ["__getattr__", "__getattribute__"])
async def test_a_class_that_looks_attributes_up_itself_is_asked_each_time(name):
    answers = [shout_alone, None]

    def look_up(self, attribute):
        found = answers[0] if attribute == "on_send" else None
        return found or object.__getattribute__(self, attribute)

    handler = type("LooksUp", (DefaultInterventionHandler,), {name: look_up})()
    runtime = SingleThreadedAgentRuntime(intervention_handlers=[handler])
    await register(runtime, "a")
    runtime.start()
    # What a class has is found before its __getattr__ is asked.
    first = "hello" if name == "__getattr__" else "HELLO"
    assert [await runtime.send_message("hello", A) for _ in range(2)] == [first] * 2
    answers.reverse()
    assert await runtime.send_message("hello", A) == "hello"
    await runtime.stop_when_idle()


async def test_handlers_of_many_classes_are_told_apart():
    def handler(number):
        async def add(self, message, **how):
            return f"{message}{number}"

        name = ("on_send", "on_response", "on_publish")[number % 3]
        return type(f"Number{number}", (DefaultInterventionHandler,), {name: add})()

    handled = []

    async def note(agent, message, ctx):
        handled.append(message)
        return message

    handlers = [handler(number) for number in range(30)]
    runtime = SingleThreadedAgentRuntime(intervention_handlers=handlers)
    await register(runtime, "a", note)
    runtime.start()
    sent = "".join(str(number) for number in range(0, 30, 3))
    responded = "".join(str(number) for number in range(1, 30, 3))
    for _ in range(3):
        assert await runtime.send_message("", A) == sent + responded
        await runtime.publish_message("", TopicId("news", "1"))
    await until_idle(runtime)
    assert handled == [sent] * 3
    await runtime.stop()


class Slotted:
    """Has the methods, and its instances have no dict."""

    __slots__ = ()
    on_send = DefaultInterventionHandler.on_send
    on_publish = DefaultInterventionHandler.on_publish
    on_response = DefaultInterventionHandler.on_response


async def test_an_instance_may_have_no_dict():
    runtime = SingleThreadedAgentRuntime(intervention_handlers=[Slotted()])
    await register(runtime, "a")
    runtime.start()
    assert [await runtime.send_message("hello", A) for _ in range(3)] == ["hello"] * 3
    await runtime.stop_when_idle()
