"""The hash chain of audit logs, and its verification."""

import hashlib
import hmac
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

START = "0" * 64
"""The hash before the first record."""


@dataclass
class AuditReport:
    """The result of the verification of an audit log.

    Example:
        ```python
        from ferrogen.tools import AuditReport

        assert AuditReport(records=3, head="ab12").is_intact
        assert not AuditReport(records=3, head="ab12", faults=["line 2: changed"]).is_intact
        ```
    """

    __module__ = "ferrogen.tools"

    records: int
    """The number of records up to the first fault."""

    head: str
    """The hash of the last one. Kept elsewhere, it proves later that nothing was cut off."""

    is_closed: bool = False
    """Whether the last record says that the log was closed."""

    faults: list[str] = field(default_factory=list)
    """The fault; empty if the log is intact."""

    @property
    def is_intact(self) -> bool:
        """Whether there are no faults."""
        return not self.faults


def hash_of(record: dict[str, Any], key: bytes | None) -> str:
    """Hash a record, without its own hash; with a key, so that only its holder can do it."""
    return digest(canonical({name: value for name, value in record.items() if name != "hash"}), key)


def digest(text: str, key: bytes | None) -> str:
    """Hash a text, with a key if there is one."""
    if key is None:
        return hashlib.sha256(text.encode()).hexdigest()
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()


def canonical(value: Any) -> str:
    """Write a value as JSON in the one form that is hashed."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)


def head_path(path: Path) -> Path:
    """Return the file beside a log that has the number and the hash of its last record."""
    return path.with_name(f"{path.name}.head")


def head_text(records: int, last: str, key: bytes | None) -> str:
    """Return the text of that file."""
    head = {"records": records, "hash": last}
    return canonical({**head, "seal": digest(canonical(head), key)}) + "\n"


def verify_audit_log(
    path: str | Path, *, key: str | bytes | None = None, head: str | None = None
) -> AuditReport:
    """Check that an audit log is unchanged.

    Changed, inserted, removed and reordered records are found. Records that were cut off at the
    end are found by the file with the ending ``.head`` beside the log; if that was replaced, too,
    by a hash that was kept elsewhere. Without a key, a writer of the files can also write
    another log.

    Args:
        path: The log.
        key: The key that it was written with.
        head: The hash of a record that must be there, from an `AuditReport` or an `AuditLog`.

    Raises:
        OSError: The log cannot be read.

    Example:
        ```python
        import tempfile
        from pathlib import Path

        from ferrogen.tools import AuditLog, verify_audit_log

        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "audit.jsonl"
            with AuditLog(path) as log:
                log.append("note", text="hello")
            assert verify_audit_log(path).is_intact
            path.write_text(path.read_text().replace("hello", "goodbye"))
            assert verify_audit_log(path).faults == ["line 2: the record was changed"]
        ```
    """
    path = Path(path)
    secret = key.encode() if isinstance(key, str) else key
    report = AuditReport(0, START)
    sealed, fault = _read_head(head_path(path), secret)
    if fault is not None:
        report.faults.append(fault)
    hashes = [START]
    for number, line in enumerate(_lines(path), start=1):
        record = _parsed(line)
        fault = _fault(record, number, hashes[-1], secret)
        if fault is not None:
            report.faults.append(f"line {number}: {fault}")
            return report
        hashes.append(record["hash"])
        report.records, report.head = number, record["hash"]
        report.is_closed = record.get("event") == "closed"
    if sealed is not None:
        records, last = sealed
        if records >= len(hashes):
            missing = records - len(hashes) + 1
            report.faults.append(f"the last {missing} of {records} records were cut off")
        elif hashes[records] != last:
            report.faults.append("the head names another record: one of the files was replaced")
    if head is not None and head not in hashes:
        report.faults.append(f"there is no record with the hash {head}: records were cut off")
    return report


def _lines(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        yield from file


def _parsed(line: bytes) -> dict[str, Any]:
    try:
        record = json.loads(line) if line.endswith(b"\n") else None
    except ValueError:
        record = None
    return record if isinstance(record, dict) else {}


def _fault(record: dict[str, Any], number: int, before: str, key: bytes | None) -> str | None:
    if not record:
        return "is not a complete record"
    if record.get("number") != number:
        return f"has the number {record.get('number')}: records were removed or inserted"
    if record.get("previous") != before:
        return "does not follow the record before it: records were removed or inserted"
    if not hmac.compare_digest(str(record.get("hash")), hash_of(record, key)):
        return (
            "the record was changed"
            if key is None
            else "the record was changed, or the key is wrong"
        )
    return None


def _read_head(path: Path, key: bytes | None) -> tuple[tuple[int, str] | None, str | None]:
    try:
        head = json.loads(path.read_text(encoding="utf-8"))
        records, last, seal = head["records"], head["hash"], head["seal"]
    except FileNotFoundError:
        return None, f"{path.name} is missing: records could have been cut off"
    except (ValueError, KeyError, TypeError):
        return None, f"{path.name} cannot be read"
    expected = digest(canonical({"records": records, "hash": last}), key)
    if not isinstance(records, int) or not hmac.compare_digest(str(seal), expected):
        return None, f"{path.name} was changed" + ("" if key is None else ", or the key is wrong")
    return (records, last), None
