"""Rules: their order, their failures, and changed arguments."""

from typing import Any

import pytest

from ferrogen.tools import (
    Allow,
    Ask,
    AuditLog,
    Change,
    Deny,
    FunctionTool,
    Guard,
    ToolArgumentsError,
    ToolDeniedError,
    verify_audit_log,
)

from .conftest import outcome


def halve(call):
    return Change({"amount": call.arguments["amount"] // 2})


async def test_changed_arguments_reach_the_tool_in_every_way(way):
    with Guard(halve):
        assert await way.call(10) == "paid 5"


async def test_changes_are_seen_by_the_next_rule_and_the_next_guard(way):
    with (
        Guard(halve),
        Guard(halve, lambda call: Deny("!") if call.arguments["amount"] > 5 else None),
    ):
        assert await way.call(20) == "paid 5"
        assert await way.call(40) == "the call of pay was denied: !"
    assert way.paid == [5]


async def test_changes_are_validated(tool, paying):
    with Guard(lambda call: Change({"amount": "all"})), pytest.raises(ToolArgumentsError):
        await tool.run_json({"amount": 1})
    assert paying.amounts == []


async def test_the_first_decision_holds(tool):
    asked = []
    with Guard(Allow.tools("p*"), asked.append, Deny.tools("*")):
        assert await tool.run_json({"amount": 1}) == "paid 1"
    assert asked == []


async def test_a_call_that_a_person_has_to_approve_can_still_be_denied(tool):
    with Guard(Ask.tools("pay"), Deny.tools("pay", reason="never")) as guard:
        assert "never" in str(await outcome(tool.run_json({"amount": 1})))
    assert guard.pending == []


async def test_without_a_decision_the_default_holds(tool):
    with Guard(lambda call: None, default="deny"), pytest.raises(ToolDeniedError):
        await tool.run_json({"amount": 1})
    with Guard(Allow.tools("pay"), default="deny"):
        assert await tool.run_json({"amount": 1}) == "paid 1"
    with pytest.raises(ValueError, match="default"):
        Guard(default="maybe")


async def test_a_rule_can_be_asynchronous(tool):
    async def rule(call):
        return Deny("asynchronously")

    with Guard(rule), pytest.raises(ToolDeniedError, match="asynchronously"):
        await tool.run_json({"amount": 1})


@pytest.mark.parametrize("rule", [lambda call: 1 / 0, lambda call: True, lambda call: "allow"])
async def test_a_rule_that_fails_denies(way, rule):
    with Guard(rule):
        assert (await way.call()).startswith("the call of pay was denied: a rule")
    assert way.paid == []


async def test_a_rule_cannot_change_arguments_in_place(tool):
    def rule(call):
        call.arguments["amount"] = 500

    with Guard(rule):
        assert await tool.run_json({"amount": 1}) == "paid 1"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ({"\ud800": "\udfff"}, {"\ud800": "\udfff"}),
        (b"\xff", repr(b"\xff")),
        ({(1, 2)}, [[1, 2]]),
        ({"b", "a"}, ["a", "b"]),
    ],
    ids=["surrogates", "bytes", "set", "set of texts"],
)
async def test_arguments_that_json_cannot_hold_pass_all_the_same(value, shown, tmp_path):
    def take(value: Any) -> str:
        return "taken"

    taking = FunctionTool(take, "d")
    options = {"approvals": tmp_path / "approvals.jsonl"}
    with AuditLog(tmp_path / "audit.jsonl", clear=["*"]) as log:
        with Guard(Ask.tools("*"), audit=log, **options) as guard:
            await outcome(taking.run_json({"value": value}, call_id="c"))
            assert guard.pending[0].arguments == {"value": shown}
        with Guard(Ask.tools("*"), audit=log, **options) as later:
            later.approve(later.pending[0].id)
            assert await taking.run_json({"value": value}, call_id="c") == "taken"
    assert verify_audit_log(log.path).is_intact
