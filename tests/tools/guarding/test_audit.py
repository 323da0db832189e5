"""Audit logs: what is recorded, what is hidden, and that changes are found."""

import asyncio
import json
import re
import threading

import pytest

from ferrogen import AgentId
from ferrogen.models.usage import conversation
from ferrogen.tools import (
    Ask,
    AuditError,
    AuditLog,
    Change,
    Deny,
    FunctionTool,
    Guard,
    verify_audit_log,
)

from .conftest import OwnWorkbench, function_tool, outcome


@pytest.fixture
def path(tmp_path):
    return tmp_path / "audit.jsonl"


def records(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def events(path):
    return [each["event"] for each in records(path)]


async def test_decisions_and_outcomes_are_recorded_in_every_way(way, path):
    def rule(call):
        return Deny("too much") if call.arguments["amount"] > 10 else None

    with AuditLog(path) as log, Guard(rule, audit=log), conversation("talk"):
        await way.call(5)
        await way.call(11, call_id="d")
    found = records(path)
    assert events(path) == ["opened", "allowed", "returned", "refused", "closed"]
    assert {each["tool"] for each in found[1:-1]} == {"pay"}
    assert [each["call_id"] for each in found[1:-1]] == ["c", "c", "d"]
    assert {each["conversation"] for each in found[1:-1]} == {"talk"}
    assert found[3]["error"] == "ToolDeniedError"
    assert "too much" in found[3]["reason"]
    assert verify_audit_log(path).is_intact


async def test_approvals_changes_budgets_and_wrong_arguments_are_recorded(tool, path):
    with AuditLog(path) as log:
        guard = Guard(lambda call: Change({"amount": 1}), Ask.tools("pay"), audit=log, max_calls=1)
        with guard:
            await outcome(tool.run_json({"amount": 5}, call_id="c"))
            approval = guard.pending[0].id
            guard.approve(approval)
            await tool.run_json({"amount": 5}, call_id="c")
            await outcome(tool.run_json({"amount": 5}, call_id="d"))
            await outcome(tool.run_json({"amount": "x"}, call_id="e"))
    assert events(path) == [
        *("opened", "asked", "refused", "allowed", "returned", "refused", "invalid", "closed")
    ]
    found = records(path)
    assert (found[1]["approval"], found[3]["approval"]) == (approval, approval)
    assert found[3]["changed"] == ["amount"]
    assert found[5]["error"] == "ToolBudgetError"


async def test_a_failed_and_a_cancelled_call_are_recorded(path):
    started = asyncio.Event()

    async def fail() -> None:
        raise LookupError("with a secret")

    async def wait() -> None:
        started.set()
        await asyncio.Event().wait()

    with AuditLog(path) as log, Guard(audit=log):
        await outcome(FunctionTool(fail, "d").run_json({}))
        call = asyncio.ensure_future(FunctionTool(wait, "d").run_json({}))
        await started.wait()
        call.cancel()
        await asyncio.wait({call})
    assert events(path) == ["opened", "allowed", "failed", "allowed", "cancelled", "closed"]
    assert records(path)[2]["error"] == "LookupError"
    assert "secret" not in path.read_text()


async def test_what_an_inner_guard_refuses_is_recorded_by_the_outer_one(tool, path):
    with AuditLog(path) as log, Guard(audit=log), Guard(Deny.tools("pay", reason="inner")):
        await outcome(tool.run_json({"amount": 5}))
    assert events(path) == ["opened", "refused", "closed"]


async def test_a_call_is_recorded_before_it_runs(path, paying):
    seen = []

    def look(amount: int) -> None:
        seen.extend(events(path))

    with AuditLog(path) as log, Guard(audit=log):
        await FunctionTool(look, "d").run_json({"amount": 1})
    assert seen == ["opened", "allowed"]


async def test_a_call_that_cannot_be_recorded_is_refused(tool, paying, path):
    log = AuditLog(path)
    log.close()
    with Guard(audit=log) as guard, pytest.raises(AuditError, match="is closed"):
        await tool.run_json({"amount": 1})
    assert paying.amounts == []
    result = await guard.protect(OwnWorkbench(paying)).call_tool("pay", {"amount": 1})
    assert result.is_error
    assert paying.amounts == []


async def test_tools_that_block_all_threads_do_not_delay_records(path):
    release, blocked = threading.Event(), []

    def block() -> None:
        blocked.append(1)
        release.wait()

    with AuditLog(path) as log, Guard(audit=log):
        workers = [asyncio.ensure_future(asyncio.to_thread(block)) for _ in range(64)]
        assert await FunctionTool(quick, "d").run_json({}) == "done"
        release.set()
        await asyncio.gather(*workers)
    assert events(path) == ["opened", "allowed", "returned", "closed"]


async def quick() -> str:
    return "done"


ORDER = {
    "card": {"number": "4111"},
    "items": [{"price": 1, "note": "x"}, {"price": 2, "note": "y"}],
    "password": "hunter2",
}


async def record_order(path, **options):
    def order(card: dict, items: list[dict], password: str) -> None: ...

    with AuditLog(path, **options) as log, Guard(audit=log):
        await FunctionTool(order, "d").run_json(ORDER)
    return records(path)[1]["arguments"]


async def test_arguments_are_hashed_with_a_salt(path, tmp_path):
    hashed = await record_order(path)
    other = await record_order(tmp_path / "other.jsonl")
    assert list(hashed) == ["sha256"]
    assert hashed != other
    assert "4111" not in path.read_text()


async def test_rules_say_what_is_clear_and_what_is_redacted(path):
    redact = ["order.card.number", "*.password", "order.items.*.note"]
    assert await record_order(path, clear=["or*"], redact=redact) == {
        "card": {"number": "[redacted]"},
        "items": [{"price": 1, "note": "[redacted]"}, {"price": 2, "note": "[redacted]"}],
        "password": "[redacted]",
    }
    assert not re.search("4111|hunter2", path.read_text())


async def test_calls_side_by_side_make_one_chain(path):
    async def pause() -> None:
        await asyncio.sleep(0)

    with AuditLog(path) as log, Guard(audit=log), Guard(audit=log):
        tool = FunctionTool(pause, "d")
        await asyncio.gather(*(tool.run_json({}) for _ in range(25)))
    report = verify_audit_log(path)
    assert (report.records, report.faults, report.is_closed) == (102, [], True)


@pytest.fixture
def written(path):
    with AuditLog(path, key="secret") as log:
        for number in range(5):
            log.append("note", text=f"note {number}", caller=str(AgentId("a", "b")))
    return path


def change(lines):
    lines[3] = lines[3].replace("note 2", "note 9")


def remove(lines):
    del lines[3]


def swap(lines):
    lines[3], lines[4] = lines[4], lines[3]


def repeat(lines):
    lines.insert(3, lines[3])


def cut(lines):
    del lines[5:]


def empty(lines):
    lines.clear()


def break_off(lines):
    lines[6] = lines[6][:20]


def spoil(lines):
    lines[3] = "[]"


@pytest.mark.parametrize(
    ("damage", "fault"),
    [
        (change, "line 4: the record was changed, or the key is wrong"),
        (remove, "line 4: has the number 5: records were removed or inserted"),
        (swap, "line 4: has the number 5"),
        (repeat, "line 5: has the number 4"),
        (cut, "the last 2 of 7 records were cut off"),
        (empty, "the last 7 of 7 records were cut off"),
        (break_off, "line 7: is not a complete record"),
        (spoil, "line 4: is not a complete record"),
    ],
)
def test_changes_are_found(written, damage, fault):
    assert verify_audit_log(written, key="secret").is_intact
    lines = written.read_text().splitlines()
    damage(lines)
    written.write_text("".join(f"{line}\n" for line in lines))
    (found,) = verify_audit_log(written, key="secret").faults
    assert found.startswith(fault)
    with pytest.raises(AuditError, match="damaged"):
        AuditLog(written, key="secret")


def test_who_has_no_key_cannot_write_another_log(written, path, tmp_path):
    (tmp_path / "forged").mkdir()
    forged = tmp_path / "forged" / "audit.jsonl"
    with AuditLog(forged) as log:
        log.append("note", text="forged")
    path.write_bytes(forged.read_bytes())
    path.with_name("audit.jsonl.head").write_bytes(
        forged.with_name("audit.jsonl.head").read_bytes()
    )
    faults = verify_audit_log(written, key="secret").faults
    assert faults[0] == "audit.jsonl.head was changed, or the key is wrong"
    assert faults[1] == "line 1: the record was changed, or the key is wrong"


def test_a_kept_hash_proves_that_nothing_was_cut_off(path):
    with AuditLog(path) as log:
        log.append("note")
        old = path.read_bytes(), path.with_name("audit.jsonl.head").read_bytes()
        log.append("deed")
        kept = log.head
    assert verify_audit_log(path, head=kept).is_intact
    path.write_bytes(old[0])
    path.with_name("audit.jsonl.head").write_bytes(old[1])
    assert verify_audit_log(path).is_intact
    (fault,) = verify_audit_log(path, head=kept).faults
    assert fault == f"there is no record with the hash {kept}: records were cut off"


def test_a_missing_head_is_a_fault(written):
    written.with_name("audit.jsonl.head").unlink()
    (fault,) = verify_audit_log(written, key="secret").faults
    assert fault.startswith("audit.jsonl.head is missing")


def test_a_log_is_continued(written):
    with AuditLog(written, key="secret") as log:
        log.append("note")
    report = verify_audit_log(written, key="secret")
    assert (report.records, report.is_intact, report.is_closed) == (10, True, True)


def test_what_a_crash_left_incomplete_is_cut_off_and_noted(path):
    log = AuditLog(path)
    log.append("note")
    log._shut()  # as a killed process does
    with path.open("ab") as file:
        file.write(b'{"number": 3, "ev')
    with AuditLog(path):
        pass
    assert records(path)[2]["dropped"] == 17
    assert verify_audit_log(path).is_intact


def test_a_log_that_a_crash_left_empty_is_continued(path):
    path.touch()
    path.with_name("audit.jsonl.head").touch()
    AuditLog(path).close()
    assert verify_audit_log(path).is_intact


def test_a_log_has_one_writer(path):
    with AuditLog(path), pytest.raises(AuditError, match="being written by another"):
        AuditLog(path)
    AuditLog(path).close()


def test_a_log_is_closed_once(path):
    log = AuditLog(path)
    log.close()
    log.close()
    assert events(path) == ["opened", "closed"]


async def test_two_guards_can_share_a_log(path, paying):
    tool = function_tool(paying)
    with AuditLog(path) as log, Guard(audit=log, name="one"), Guard(audit=log, name="two"):
        await tool.run_json({"amount": 1})
    assert [each["guard"] for each in records(path)[1:-1]] == ["one", "two", "two", "one"]
