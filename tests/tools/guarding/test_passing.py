"""Every call passes the guards, once, wherever it comes from and however a guard is attached."""

import asyncio
import contextvars

import pytest

from ferrogen import (
    AgentId,
    FunctionCall,
    MessageContext,
    RoutedAgent,
    SingleThreadedAgentRuntime,
    message_handler,
)
from ferrogen.models import CreateResult, RequestUsage
from ferrogen.models.scripted import ScriptedClient
from ferrogen.models.usage import conversation
from ferrogen.tool_agent import ToolAgent, tool_agent_caller_loop
from ferrogen.tools import (
    Deny,
    FunctionTool,
    Guard,
    StaticWorkbench,
    ToolDeniedError,
    ToolOverride,
)

from .conftest import TOOLS, OwnWorkbench, Way, function_tool, outcome

DENIED = "the call of pay was denied: it is too much"


def not_too_much(call):
    return Deny("it is too much") if call.arguments["amount"] > 10 else None


async def test_a_denied_call_does_not_run_and_the_model_gets_the_reason(way):
    with Guard(not_too_much) as guard:
        assert await way.call(11) == DENIED
        assert await way.call(10) == "paid 10"
    assert way.paid == [10]
    assert guard.spent.calls == 1


async def test_after_the_block_nothing_is_guarded(way):
    with Guard(not_too_much):
        pass
    assert await way.call(11) == "paid 11"


async def test_a_call_passes_each_guard_once(way):
    inner, outer = Guard(name="inner"), Guard(name="outer")
    with outer, inner, outer:
        await way.call()
    assert (outer.spent.calls, inner.spent.calls) == (1, 1)


async def test_a_guard_of_the_process_guards_every_call(way):
    guard = Guard(not_too_much)
    guard.install()
    guard.install()
    try:
        assert await way.call(11) == DENIED
        await way.call(1)
    finally:
        guard.uninstall()
    assert guard.spent.calls == 1
    assert await way.call(11) == "paid 11"


@pytest.mark.parametrize("name", ["function", "own run_json", "stream tool", "tool agent"])
async def test_a_protected_tool_is_guarded_wherever_it_is_called(name):
    way, guard = Way(name), Guard(not_too_much)
    assert guard.protect(way.target) is way.target
    guard.protect(way.target)
    assert await way.call(11) == DENIED
    assert await way.call(1) == "paid 1"
    assert guard.spent.calls == 1


@pytest.mark.parametrize("name", ["static workbench", "static stream workbench", "own workbench"])
async def test_a_protected_workbench_is_guarded(name):
    way, guard = Way(name), Guard(not_too_much)
    guard.protect(way.target)
    with Guard() as other:
        assert await way.call(11) == DENIED
        assert await way.call(1) == "paid 1"
    assert (guard.spent.calls, other.spent.calls) == (1, 1)


def test_what_cannot_be_protected_is_refused():
    with pytest.raises(TypeError, match="cannot be protected"):
        Guard().protect(print)


async def test_invalid_arguments_reach_no_rule_and_no_tool(tool, paying):
    asked = []
    with Guard(asked.append) as guard:
        assert "amount" in str(await outcome(tool.run_json({"amount": "much"})))
    assert (asked, paying.amounts, guard.spent.calls) == ([], [], 0)


async def test_rules_see_what_the_tool_gets():
    seen = []

    def send(to: str, copies: int = 1, *, secret: object = object(), **more: int) -> None: ...

    with Guard(lambda call: seen.append(dict(call.arguments))):
        await FunctionTool(send, "d").run_json({"to": "Ada", "copies": "2", "x": "3"})
        await FunctionTool(send, "d").run_json({"to": "Ada"})
    assert seen == [{"to": "Ada", "copies": 2, "x": 3}, {"to": "Ada", "copies": 1}]


async def test_a_tool_that_calls_a_tool_makes_two_calls(tool, paying):
    async def pay_twice(amount: int) -> None:
        await tool.run_json({"amount": amount})
        await tool.run_json({"amount": amount})

    seen = []
    with Guard(lambda call: seen.append(call.tool)):
        await FunctionTool(pay_twice, "d").run_json({"amount": 3})
    assert seen == ["pay_twice", "pay", "pay"]


async def test_a_tool_cannot_hide_a_call_behind_its_own(paying):
    """It has the name and the arguments of the call that passed, and is another call."""
    inner = function_tool(paying)

    async def pay(amount: int) -> str:
        return await inner.run_json({"amount": amount})

    workbench = OwnWorkbench(paying, FunctionTool(pay, "d"))
    with Guard() as guard:
        await workbench.call_tool("pay", {"amount": 3})
    assert guard.spent.calls == 2


async def test_another_name_of_a_tool_does_not_avoid_a_rule(tool):
    workbench = StaticWorkbench([tool], {"pay": ToolOverride(name="give")})
    with Guard(Deny.tools("pay")) as guard:
        assert (await workbench.call_tool("give", {"amount": 1})).is_error
    assert guard.spent.calls == 0


async def test_conversations_side_by_side_have_their_own_guards(tool):
    async def talk(limit: int) -> list[str]:
        with Guard(lambda call: Deny("no") if call.arguments["amount"] > limit else None):
            found = []
            for amount in range(4):
                found.append(str(await outcome(tool.run_json({"amount": amount}))))
                await asyncio.sleep(0)
            return found

    found = await asyncio.gather(*(asyncio.ensure_future(talk(limit)) for limit in range(4)))
    for limit, texts in enumerate(found):
        assert [text.startswith("paid") for text in texts] == [n <= limit for n in range(4)]


class Assistant(RoutedAgent):
    """Calls a tool for each message."""

    def __init__(self, tool):
        super().__init__("d")
        self.tool = tool

    @message_handler
    async def work(self, message: FunctionCall, ctx: MessageContext) -> str:
        return str(await outcome(self.tool.run_json({"amount": 11}, ctx.cancellation_token)))


async def make_runtime(tool, **options):
    runtime = SingleThreadedAgentRuntime(**options)
    await Assistant.register(runtime, "assistant", lambda: Assistant(tool))
    await ToolAgent.register(runtime, "tools", lambda: ToolAgent("d", [tool]))
    return runtime


async def ask(runtime, key="default"):
    return await runtime.send_message(FunctionCall("c", "{}", ""), AgentId("assistant", key))


@pytest.mark.parametrize("task_mode", [False, True])
async def test_a_guard_of_a_runtime_guards_its_handlers(tool, task_mode):
    guard = Guard(not_too_much)
    runtime = await make_runtime(tool, tool_guard=guard, task_mode=task_mode)
    runtime.start()
    assert await ask(runtime) == DENIED
    await runtime.close()
    assert await tool.run_json({"amount": 11}) == "paid 11"


async def test_a_guard_of_a_runtime_guards_messages_taken_by_hand(tool):
    runtime = await make_runtime(tool, tool_guard=Guard(not_too_much))
    asking = asyncio.ensure_future(ask(runtime))
    while not asking.done():
        await runtime.process_next()
    assert await asking == DENIED
    await runtime.close()


async def test_a_block_guards_a_runtime_that_is_started_in_it(tool):
    runtime = await make_runtime(tool)
    with Guard(not_too_much):
        runtime.start()
    assert await ask(runtime) == DENIED
    await runtime.close()


async def test_an_open_block_guards_a_runtime_that_was_started_before(tool):
    runtime = await make_runtime(tool)
    runtime.start()
    with Guard(not_too_much):
        assert await ask(runtime) == DENIED
    assert await ask(runtime) == "paid 11"
    await runtime.close()


async def test_an_open_block_of_a_conversation_guards_only_its_handlers(tool):
    runtime = await make_runtime(tool)
    runtime.start()
    with Guard(not_too_much).conversation("ada"):
        assert await ask(runtime, "ada") == DENIED
        assert await ask(runtime, "grace") == "paid 11"
    await runtime.close()


async def test_calls_of_a_loop_in_a_handler_have_the_guards_of_that_handler(tool):
    """Two handlers of a runtime run caller loops side by side, each with a guard of its own."""
    usage = RequestUsage(prompt_tokens=1, completion_tokens=1)
    arrived = {"1": asyncio.Event(), "2": asyncio.Event()}

    class Looping(RoutedAgent):
        @message_handler
        async def work(self, message: FunctionCall, ctx: MessageContext) -> str:
            limit = int(self.id.key)
            call = FunctionCall("c", '{"amount": 1}', "pay")
            calls = CreateResult(
                finish_reason="function_calls", content=[call], usage=usage, cached=False
            )
            with Guard(max_calls=limit):
                arrived[self.id.key].set()
                await asyncio.gather(*(event.wait() for event in arrived.values()))
                client = ScriptedClient([calls, calls, "done"])
                messages = await tool_agent_caller_loop(self, TOOLS, client, [], [])
            return "; ".join(messages[at].content[0].content for at in (1, 3))

    runtime = await make_runtime(tool)
    await Looping.register(runtime, "looping", lambda: Looping("d"))
    runtime.start()
    message = FunctionCall("c", "{}", "")
    found = await asyncio.gather(
        *(runtime.send_message(message, AgentId("looping", key)) for key in ("1", "2"))
    )
    await runtime.close()
    assert found[0].startswith("paid 1; Error: the call of pay was refused")
    assert found[1] == "paid 1; paid 1"


async def test_rules_know_caller_and_conversation(tool):
    seen = []
    guard = Guard(lambda call: seen.append((call.caller, call.conversation, call.call_id)))
    runtime = await make_runtime(tool, tool_guard=guard)
    runtime.start()
    await ask(runtime, "ada")
    call = FunctionCall("c", '{"amount": 1}', "pay")
    await runtime.send_message(call, TOOLS, sender=AgentId("assistant", "grace"))
    await runtime.close()
    with guard, conversation("talk"):
        await tool.run_json({"amount": 1})
    assert seen == [
        (AgentId("assistant", "ada"), "ada", None),
        (AgentId("assistant", "grace"), "grace", "c"),
        (None, "talk", None),
    ]


async def test_the_context_of_a_caller_is_left_as_it_was(way):
    with Guard():
        before = dict(contextvars.copy_context().items())
        await way.call()
        assert dict(contextvars.copy_context().items()) == before


async def test_a_stream_that_is_left_early_is_noted_and_closed():
    way = Way("stream tool")
    with Guard(max_calls=2) as guard:
        stream = way.target.run_json_stream({"amount": 1})
        assert (await anext(stream)).text == "paying"
        await stream.aclose()
        assert await way.call() == "paid 5"
    assert way.paid == [5]
    assert guard.spent.calls == 2


async def test_a_cancelled_caller_cancels_a_guarded_call():
    started, ended = asyncio.Event(), asyncio.Event()

    async def wait() -> None:
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    with Guard(max_seconds=60):
        call = asyncio.ensure_future(FunctionTool(wait, "d").run_json({}))
        await started.wait()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
    assert ended.is_set()


async def test_a_denied_call_is_a_typed_error(tool):
    with Guard(not_too_much, name="purse"), pytest.raises(ToolDeniedError) as caught:
        await tool.run_json({"amount": 11})
    assert (caught.value.guard, caught.value.tool) == ("purse", "pay")
    assert isinstance(caught.value, PermissionError)
