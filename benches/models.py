"""Measures the client for OpenAI's chat API: the CPU time of a request, and of a streamed chunk.

The service is the scripted one of the tests, in this process; each sample comes from a process of
its own in the environment where autogen-ext is installed.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import Any

from _measure import Result, announce, options, save
from _model_client_process import CHUNKS, STREAMS
from _tables import duration, show_table, times

sys.path.append(str(Path(__file__).resolve().parents[1] / "tests" / "models"))
from scripted_server import Request, ScriptedServer, Step, json_response, sse_response

CLIENT_PROCESS = Path(__file__).with_name("_model_client_process.py")
COLUMNS = ("floor", "upstream", "ours")
ROWS = {
    "a request, not streamed": "whole",
    f"a chunk of a stream of {CHUNKS}": "stream",
    f"a stream of 8 chunks, {STREAMS:,} at once": "held",
    f"memory of a stream, {STREAMS:,} held": "memory",
}
HEAD = {"id": "chatcmpl-123", "created": 1_700_000_000, "model": "tiny", "system_fingerprint": "f"}
USAGE = {"prompt_tokens": 9, "completion_tokens": CHUNKS, "total_tokens": CHUNKS + 9}


def chunk(text: str | None) -> dict[str, Any]:
    delta, reason = ({}, "stop") if text is None else ({"content": text}, None)
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}
    return {**HEAD, "object": "chat.completion.chunk", "choices": [choice], "usage": None}


class Service:
    """Responds by the first word of the path, which is the kind of row."""

    def __init__(self) -> None:
        message = {"role": "assistant", "content": "word " * 50, "refusal": None}
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}
        whole = {**HEAD, "object": "chat.completion", "choices": [choice], "usage": USAGE}
        self._usage = {**HEAD, "object": "chat.completion.chunk", "choices": [], "usage": USAGE}
        self._whole = json_response(whole)
        words = [chunk(" word") for _ in range(CHUNKS - 2)]
        self._stream = sse_response(*words, chunk(None), self._usage)
        self._started = 0
        self._all_started = asyncio.Event()

    def expect(self) -> None:
        """Makes the next streams await each other, after one to warm up."""
        self._started, self._all_started = -1, asyncio.Event()

    def __call__(self, request: Request) -> list[Step]:
        kind = request.path.split("/")[1]
        if kind in ("whole", "stream"):
            return self._whole if kind == "whole" else self._stream
        self._started += 1
        if self._started == 0:
            return self._stream
        if self._started == STREAMS:
            self._all_started.set()
        words = [chunk(" word") for _ in range(5)]
        return sse_response(chunk(" word"), self._all_started, *words, chunk(None), self._usage)


async def sample(
    python: str, service: Service, server: ScriptedServer, kind: str, implementation: str
) -> Any:
    """Runs a client in a new interpreter; returns what it prints."""
    service.expect()
    kept = {name: text for name, text in os.environ.items() if not name.startswith("FERROGEN_")}
    process = await asyncio.create_subprocess_exec(
        *(
            python,
            "-W",
            "ignore",
            str(CLIENT_PROCESS),
            kind,
            implementation,
            f"{server.url}/{kind}",
        ),
        stdout=asyncio.subprocess.PIPE,
        env={**kept, "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"},
    )
    printed, _ = await process.communicate()
    if process.returncode:
        raise SystemExit(f"{implementation} could not be measured: the reason is above")
    server.requests.clear()
    return float(printed)


async def take(name: str, kind: str, rounds: int, python: str) -> Result:
    """Takes every column once a round."""
    samples: dict[str, list[float]] = {column: [] for column in COLUMNS}
    async with ScriptedServer() as server:
        server.otherwise = service = Service()
        for _ in range(rounds):
            for column, taken in samples.items():
                taken.append(await sample(python, service, server, kind, column))
            print(".", end="", flush=True, file=sys.stderr)
    return Result(name, samples, "the same bytes over the SDK's HTTP client")


def main() -> None:
    chosen = options(__doc__ or "")
    python = os.environ.get("ECOSYSTEM_PYTHON", "")
    if not Path(python).is_file():
        raise SystemExit(
            "start it by make bench BENCH=models: it needs autogen-ext, in ECOSYSTEM_PYTHON"
        )
    announce()
    rounds = 3 if chosen.quick else 5
    results = [
        asyncio.run(take(name, kind, rounds, python))
        for name, kind in ROWS.items()
        if chosen.only in name
    ]
    print(file=sys.stderr)
    show_table(
        ["CPU time of", *COLUMNS, "x upstream", "x floor", "spread"],
        [
            [
                result.name,
                *(shown(result.name, result.median(column)) for column in COLUMNS),
                times(result.ratio("upstream", "ours")),
                times(result.ratio("ours", "floor")),
                f"{max(result.spread('upstream'), result.spread('ours')):.0%}",
            ]
            for result in results
        ],
    )
    save(chosen.json, results)


def shown(name: str, figure: float) -> str:
    return f"{figure / 1024:.1f} KiB" if name.startswith("memory") else duration(figure)


if __name__ == "__main__":
    main()
