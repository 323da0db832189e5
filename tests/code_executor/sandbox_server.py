"""Runs code in sandboxes as tests ask for it: a line of JSON for each call, and for its result."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ferrogen import CancellationToken
from ferrogen.code_executor import CodeBlock, SandboxCodeExecutor

# A secret in the memory of this process, and of its environment: SANDBOX_SECRET.
SECRET = os.environ.get("SANDBOX_SECRET", "")


MARKER = "SANDBOX_TEST_MARKER"
"""The environment variable that all processes of a run inherit."""


def processes_of(marker: str) -> Iterator[Path]:
    """Find the processes of a run, by their environments or commands."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            with contextlib.suppress(OSError):
                known = (entry / "cmdline").read_bytes() + (entry / "environ").read_bytes()
                if marker.encode() in known:
                    yield entry


def left_over(marker: str) -> list[str]:
    """Return the commands of the processes of a run."""
    found = []
    for entry in processes_of(marker):
        with contextlib.suppress(OSError):
            found.append((entry / "cmdline").read_bytes().replace(b"\0", b" ").decode())
    return found


async def run(request: dict[str, Any]) -> dict[str, Any]:
    blocks = [CodeBlock(code, language) for code, language in request["blocks"]]
    host_uids: set[int] = set()
    options = {"environment": {MARKER: request["marker"]}, **request["options"]}
    async with SandboxCodeExecutor(**options) as executor:
        for path, text in request["inputs"].items():
            await executor.write_file(path, text)
        token = CancellationToken()

        def on_output(part: Any) -> None:
            if "LOOK" in part.text:
                host_uids.update(uids_of(request["marker"]))
            if request["cancel_on"] and request["cancel_on"] in part.text:
                token.cancel()

        try:
            result = await executor.execute_code_blocks(blocks, token, on_output=on_output)
        except asyncio.CancelledError:
            left = left_over(request["marker"])
            return {"cancelled": True, "left": left, "host_uids": sorted(host_uids)}
        left = left_over(request["marker"])
    if options.get("session"):  # what runs in it ends with it
        left = left_over(request["marker"])
    return {
        "exit_code": result.exit_code,
        "output": result.output,
        "stdout": result.stdout,
        "stderr": result.stderr,
        "limit": result.limit,
        "artifacts": {one.path: [one.media_type, one.size] for one in result.artifacts},
        "refused": {one.path: one.reason for one in result.refused_artifacts},
        "left": left,
        "host_uids": sorted(host_uids),
    }


def uids_of(marker: str) -> set[int]:
    """Return the real users of the processes of a run."""
    uids = set()
    for entry in processes_of(marker):
        with contextlib.suppress(OSError):
            lines = (entry / "status").read_text().splitlines()
            uids.update(int(line.split()[1]) for line in lines if line.startswith("Uid:"))
    return uids


def main() -> None:
    for line in sys.stdin:
        try:
            response = asyncio.run(run(json.loads(line)))
        except Exception as error:  # noqa: BLE001 - the test reports it
            response = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(response), flush=True)


if __name__ == "__main__":
    main()
