"""Approvals: stable and unique ids, one use, state and restarts, people who are asked meanwhile."""

import asyncio
import json
import subprocess
import textwrap
import threading

import pytest

from ferrogen import CancellationToken
from ferrogen.models.usage import conversation
from ferrogen.tools import (
    Allow,
    ApprovalError,
    ApprovalRequired,
    Ask,
    Change,
    Deny,
    FunctionTool,
    Guard,
    ToolDeniedError,
)

from .conftest import outcome


def asking(**options):
    return Guard(Ask.tools("pay", question="Pay?"), **options)


async def id_of(tool, amount=5, call_id="c"):
    with pytest.raises(ApprovalRequired) as caught:
        await tool.run_json({"amount": amount}, call_id=call_id)
    return caught.value.id


async def test_every_way_asks_and_runs_what_was_approved(way):
    with asking() as guard:
        text = await way.call()
        (asked,) = guard.pending
        assert text == (
            "the call of pay was not run: a person has to approve it first; the id of the approval"
            f" is {asked.id}"
        )
        assert (asked.tool, asked.arguments, asked.question) == ("pay", {"amount": 5}, "Pay?")
        assert way.paid == []
        guard.approve(asked.id)
        assert await way.call() == "paid 5"
        assert way.paid == [5]
        assert guard.pending == []


async def test_the_id_is_the_same_when_a_call_is_repeated(tool):
    with asking() as guard:
        first = await id_of(tool)
        assert await id_of(tool) == first
        assert [each.id for each in guard.pending] == [first]


async def test_other_calls_have_other_ids(tool):
    with asking():
        ids = [
            await id_of(tool),
            await id_of(tool, amount=6),
            await id_of(tool, call_id="d"),
            await id_of(tool, call_id=None),
            await id_of(tool, call_id=None),
        ]
        with conversation("other"):
            ids.append(await id_of(tool))
    assert len(set(ids)) == len(ids)


async def test_a_call_that_ran_and_comes_again_is_another_one(tool):
    """Some services number the calls of each response from 0."""
    with asking() as guard:
        first = await id_of(tool)
        guard.approve(first)
        await tool.run_json({"amount": 5}, call_id="c")
        second = await id_of(tool)
        assert second != first
        guard.approve(second)
        await tool.run_json({"amount": 5}, call_id="c")


@pytest.mark.parametrize(
    ("amount", "call_id", "talk"),
    [(6, "c", None), (5, "d", None), (5, None, None), (5, "c", "other")],
    ids=["arguments", "call id", "no call id", "conversation"],
)
async def test_an_approval_holds_for_no_other_call(tool, paying, amount, call_id, talk):
    with asking() as guard:
        guard.approve(await id_of(tool))
        if talk is None:
            await id_of(tool, amount, call_id)
        else:
            with conversation(talk):
                await id_of(tool, amount, call_id)
    assert paying.amounts == []


async def test_the_id_of_the_approval_stands_for_the_call(tool, paying):
    with asking() as guard:
        approval = await id_of(tool, call_id=None)
        guard.approve(approval)
        await id_of(tool, amount=500, call_id=approval)  # not for other arguments
        assert await tool.run_json({"amount": 5}, call_id=approval) == "paid 5"


async def test_a_call_without_an_id_is_known_by_its_arguments(tool):
    with asking() as guard:
        first, second = await id_of(tool, call_id=None), await id_of(tool, call_id=None)
        guard.approve(second)
        assert await tool.run_json({"amount": 5}) == "paid 5"
        guard.deny(first, "once is enough")
        assert "once is enough" in str(await outcome(tool.run_json({"amount": 5})))
        assert await id_of(tool, call_id=None) not in {first, second}


async def test_a_denied_call_stays_denied(tool, paying):
    with asking() as guard:
        approval = await id_of(tool)
        guard.deny(approval, "too much")
        for _ in range(2):
            with pytest.raises(ToolDeniedError, match="denied: too much"):
                await tool.run_json({"amount": 5}, call_id="c")
    assert paying.amounts == []


async def test_answers_are_final(tool):
    with asking() as guard:
        approval = await id_of(tool)
        guard.approve(approval)
        guard.approve(approval)
        with pytest.raises(ApprovalError, match="answered"):
            guard.deny(approval)
        await tool.run_json({"amount": 5}, call_id="c")
        guard.approve(approval)
        await id_of(tool)
    with pytest.raises(ApprovalError, match="no approval 'unknown'"):
        guard.approve("unknown")


async def test_parallel_approvals_do_not_mix(tool, paying):
    ids = {}
    with asking() as guard:
        for number in range(20):
            ids[number] = await id_of(tool, amount=7, call_id=f"call-{number}")
        for number in range(0, 20, 2):
            guard.approve(ids[number])
        found = await asyncio.gather(
            *(outcome(tool.run_json({"amount": 7}, call_id=f"call-{n}")) for n in range(20))
        )
    assert [isinstance(each, ApprovalRequired) for each in found] == [n % 2 == 1 for n in range(20)]
    assert [each.id for each in found[1::2]] == [ids[n] for n in range(1, 20, 2)]
    assert len(paying.amounts) == 10


async def test_an_approved_call_runs_once_however_many_repeat_it(tool, paying):
    with asking() as guard:
        guard.approve(await id_of(tool))
        calls = [outcome(tool.run_json({"amount": 5}, call_id="c")) for _ in range(5)]
        await asyncio.gather(*calls)
    assert paying.amounts == [5]


@pytest.fixture
def asked():
    """The approvals for which calls wait, as they come."""
    return asyncio.Queue()


async def next_ids(asked, count):
    approvals = [await asked.get() for _ in range(count)]
    return {each.call_id: each.id for each in approvals}


async def test_calls_can_wait_for_their_answers(tool, paying, asked):
    with asking(on_ask="wait", on_pending=asked.put_nowait) as guard:
        calls = {
            name: asyncio.ensure_future(outcome(tool.run_json({"amount": 5}, call_id=name)))
            for name in ("a", "b", "c")
        }
        ids = await next_ids(asked, 3)
        guard.deny(ids["b"], "no")
        await calls["b"]
        assert not calls["a"].done()
        await asyncio.to_thread(guard.approve, ids["c"])
        assert await calls["c"] == "paid 5"
        guard.approve(ids["a"])
        assert await calls["a"] == "paid 5"
        assert str(await calls["b"]) == "the call of pay was denied: no"
    assert paying.amounts == [5, 5]


async def test_equal_calls_that_wait_side_by_side_have_their_own_approvals(tool, asked):
    with asking(on_ask="wait", on_pending=asked.put_nowait) as guard:
        calls = [
            asyncio.ensure_future(outcome(tool.run_json({"amount": 5}, call_id="c")))
            for _ in range(2)
        ]
        first, second = await asked.get(), await asked.get()
        assert first.id != second.id
        guard.approve(second.id)
        await asyncio.wait(calls, return_when=asyncio.FIRST_COMPLETED)
        assert [call.done() for call in calls] == [False, True]
        guard.deny(first.id)
        await calls[0]


async def test_a_cancelled_call_waits_no_longer_and_can_still_be_answered(tool, asked):
    token = CancellationToken()
    with asking(on_ask="wait", on_pending=asked.put_nowait) as guard:
        call = asyncio.ensure_future(tool.run_json({"amount": 5}, token, call_id="c"))
        ids = await next_ids(asked, 1)
        token.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        guard.approve(ids["c"])
        assert await tool.run_json({"amount": 5}, call_id="c") == "paid 5"


async def test_a_person_can_be_asked_by_a_function(tool):
    threads = []

    async def ask_later(asked):
        await asyncio.sleep(0)
        return Allow() if asked.arguments["amount"] < 10 else Deny("too much")

    def ask_here(asked):
        threads.append(threading.current_thread())
        return Deny(asked.question)

    with asking(approver=ask_later):
        assert await tool.run_json({"amount": 5}) == "paid 5"
        assert "too much" in str(await outcome(tool.run_json({"amount": 50})))
    with asking(approver=ask_here):
        assert "Pay?" in str(await outcome(tool.run_json({"amount": 5})))
    assert threads[0] is not threading.main_thread()
    with asking(approver=lambda asked: True), pytest.raises(TypeError, match="Allow"):
        await tool.run_json({"amount": 5})


async def test_the_person_sees_what_will_run(tool, paying):
    def halve(call):
        return Change({"amount": call.arguments["amount"] // 2})

    with Guard(halve, Ask.tools("*")) as guard:
        approval = await id_of(tool, amount=10)
        assert guard.approval(approval).arguments == {"amount": 5}
        guard.approve(approval)
        await tool.run_json({"amount": 10}, call_id="c")
    assert paying.amounts == [5]


async def test_what_is_shown_cannot_be_changed(tool, paying):
    with asking() as guard:
        approval = await id_of(tool)
        guard.pending[0].arguments["amount"] = 500
        guard.approve(approval)
        await tool.run_json({"amount": 5}, call_id="c")
    assert paying.amounts == [5]


async def test_approvals_survive_saving_and_loading(tool, paying):
    with asking() as guard:
        pending, approved, denied = [await id_of(tool, call_id=name) for name in "pad"]
        guard.approve(approved)
        guard.deny(denied, "no")
        await id_of(tool, call_id="used")
        guard.approve(guard.pending[-1].id)
        await tool.run_json({"amount": 5}, call_id="used")
        state = json.loads(json.dumps(await guard.save_state()))
    with asking() as later:
        await later.load_state(state)
        assert [each.id for each in later.pending] == [pending]
        assert await tool.run_json({"amount": 5}, call_id="a") == "paid 5"
        assert await id_of(tool, call_id="p") == pending
        assert "no" in str(await outcome(tool.run_json({"amount": 5}, call_id="d")))
        later.approve(pending)
        assert await tool.run_json({"amount": 5}, call_id="p") == "paid 5"
        assert await id_of(tool, call_id="used") not in {pending, approved, denied}
        assert later.spent.calls == 3


async def test_a_state_of_something_else_is_refused():
    with pytest.raises(ValueError, match="not a state of a guard"):
        await Guard().load_state({"type": "StaticWorkbenchState"})


PROGRAM = textwrap.dedent(
    """
    import asyncio, os, sys
    from ferrogen.tools import ApprovalRequired, Ask, Guard, tool

    @tool
    async def pay(amount: int) -> str:
        "Pay."
        return f"paid {amount}"

    async def main():
        with Guard(Ask.tools("pay"), approvals=sys.argv[1]) as guard:
            if sys.argv[2] != "ask":
                guard.approve(sys.argv[2])
            try:
                print(await pay.run_json({"amount": 5}, call_id="c"), flush=True)
            except ApprovalRequired as error:
                print(error.id, flush=True)
        os.kill(os.getpid(), 9)

    asyncio.run(main())
    """
)


def test_approvals_in_a_file_survive_a_killed_process(tmp_path, forking_python):
    def run(answer):
        path = tmp_path / "approvals.jsonl"
        command = [forking_python, "-c", PROGRAM, str(path), answer]
        ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=150)
        assert ended.returncode == -9, ended.stderr
        return ended.stdout.strip()

    first = run("ask")
    assert run("ask") == first
    assert run(first) == "paid 5"
    second = run("ask")
    assert second not in {first, "paid 5"}


async def test_a_file_that_a_crash_left_incomplete_is_read(tool, tmp_path):
    path = tmp_path / "approvals.jsonl"
    with asking(approvals=path):
        first = await id_of(tool)
    with path.open("ab") as file:
        file.write(b'{"id": "pay-')
    with asking(approvals=path) as guard:
        assert [each.id for each in guard.pending] == [first]
        guard.approve(first)
    with asking(approvals=path):
        assert await tool.run_json({"amount": 5}, call_id="c") == "paid 5"


async def test_an_unknown_tool_passes_without_a_question():
    def one() -> int:
        return 1

    with asking():
        assert await FunctionTool(one, "d").run_json({}) == 1
