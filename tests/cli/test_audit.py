"""``ferrogen audit verify`` says by its exit code whether a log is what was written."""

import json
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from ferrogen.tools import AuditLog

Call = Callable[..., CompletedProcess[str]]


@pytest.fixture
def log(tmp_path: Path) -> AuditLog:
    with AuditLog(tmp_path / "audit.jsonl") as log:
        log.append("note", text="hello")
    return log


def test_an_intact_log_is_confirmed_with_its_head(fork: Call, log: AuditLog):
    done = fork("audit", "verify", "audit.jsonl")
    assert (done.returncode, done.stdout, done.stderr) == (
        0,
        f"audit.jsonl: intact, 3 records, closed\nhead {log.head}\n",
        "",
    )
    assert fork("audit", "verify", "audit.jsonl", "--head", log.head).returncode == 0
    assert fork("audit", "verify", "audit.jsonl", "--head", "ab").returncode == 1


def test_a_changed_log_is_refused(fork: Call, log: AuditLog):
    log.path.write_text(log.path.read_text().replace("hello", "bye"))
    done = fork("audit", "verify", "audit.jsonl")
    assert (done.returncode, done.stdout) == (1, "audit.jsonl: line 2: the record was changed\n")
    done = fork("audit", "verify", "--json", "audit.jsonl")
    found = json.loads(done.stdout)
    assert (done.returncode, found["is_intact"], found["records"]) == (1, False, 1)


def test_a_key_can_come_from_the_environment(
    fork: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    AuditLog(tmp_path / "keyed.jsonl", key="secret").close()
    assert fork("audit", "verify", "keyed.jsonl").returncode == 1
    assert fork("audit", "verify", "keyed.jsonl", "--key", "secret").returncode == 0
    monkeypatch.setenv("FERROGEN_AUDIT_KEY", "secret")
    assert fork("audit", "verify", "keyed.jsonl").returncode == 0


def test_a_missing_file_is_an_error_of_the_caller(fork: Call):
    done = fork("audit", "verify", "none.jsonl")
    assert (done.returncode, done.stdout) == (2, "")
    assert "none.jsonl" in done.stderr
