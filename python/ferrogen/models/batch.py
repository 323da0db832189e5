"""Batches of requests with limited concurrency, and their outcomes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel

from ferrogen._core import CancellationToken
from ferrogen.exceptions import ClientSetupError
from ferrogen.models.client import ChatCompletionClient
from ferrogen.models.messages import LLMMessage
from ferrogen.models.results import CreateResult
from ferrogen.tools.protocol import Tool
from ferrogen.tools.schema import ToolSchema


@dataclass(frozen=True)
class Outcome:
    """The outcome of one request of a batch: a result, or the error that the client raised.

    Example:
        ```python
        from ferrogen.models.batch import Outcome

        outcome = Outcome(index=3, error=TimeoutError("too late"))
        try:
            outcome.unwrap()
        except TimeoutError:
            print("request 3 came too late")
        ```
    """

    index: int
    """Which request it was, from 0 on."""

    result: CreateResult | None = None
    """The response, unless it failed."""

    error: Exception | None = None
    """The error of the client, if it failed."""

    def unwrap(self) -> CreateResult:
        """Return the result, or raise the error."""
        if self.result is None:
            raise self.error or ValueError("an outcome needs a result or an error")
        return self.result


@dataclass(frozen=True)
class Progress:
    """How far a batch has come.

    Example:
        ```python
        from ferrogen.models.batch import Progress

        progress = Progress(done=30, failed=2, total=120)
        print(f"{progress.done} of {progress.total}, {progress.failed} failed")
        ```
    """

    done: int
    """How many requests have an outcome, those that failed included."""

    failed: int
    """How many failed."""

    total: int | None
    """How many there are; ``None`` if that is not known yet."""


async def create_many(
    client: ChatCompletionClient,
    conversations: Iterable[Sequence[LLMMessage]],
    *,
    concurrency: int = 8,
    tools: Sequence[Tool | ToolSchema] = (),
    tool_choice: Tool | Literal["auto", "required", "none"] = "auto",
    json_output: bool | type[BaseModel] | None = None,
    extra_create_args: Mapping[str, Any] | None = None,
    cancellation_token: CancellationToken | None = None,
    on_progress: Callable[[Progress], None] | None = None,
) -> list[Outcome]:
    """Send many requests to a client, a few at a time, and wait for all.

    A failed request does not affect the others. If the token or the task is cancelled, requests in
    flight are cancelled, and no others are started.

    Args:
        client: The client that sends the requests.
        conversations: The messages of each request. They are read one by one when
            a request can start, so a generator can yield any number.
        concurrency: The maximum number of requests in flight.
        tools: The tools that the model can call, in each request.
        tool_choice: As in `ChatCompletionClient.create`, and so are the next two.
        json_output: The format of each response.
        extra_create_args: Arguments that are passed to the service unchanged.
        cancellation_token: Cancels all requests.
        on_progress: Called after each outcome.

    Returns:
        The outcomes, in the order of the requests.

    Raises:
        asyncio.CancelledError: The token was cancelled.
        ClientSetupError: The concurrency is below 1.

    Example:
        ```python
        import asyncio

        from ferrogen.models import UserMessage
        from ferrogen.models.batch import create_many
        from ferrogen.testing import ScriptedModel


        async def main() -> None:
            client = ScriptedModel(["Rome", TimeoutError(), "Paris"])
            questions = [
                [UserMessage(content=f"The capital of {country}?", source="me")]
                for country in ("Italy", "Spain", "France")
            ]
            outcomes = await create_many(client, questions, concurrency=1)
            assert [outcome.error is None for outcome in outcomes] == [True, False, True]
            assert outcomes[2].unwrap().content == "Paris"


        asyncio.run(main())
        ```
    """
    outcomes: list[Outcome] = []
    failed = 0
    total = len(conversations) if isinstance(conversations, Sequence) else None
    completed = create_as_completed(
        client,
        conversations,
        concurrency=concurrency,
        tools=tools,
        tool_choice=tool_choice,
        json_output=json_output,
        extra_create_args=extra_create_args,
        cancellation_token=cancellation_token,
    )
    async with aclosing(completed):
        async for outcome in completed:
            outcomes.append(outcome)
            failed += outcome.error is not None
            if on_progress is not None:
                on_progress(Progress(len(outcomes), failed, total))
    return sorted(outcomes, key=lambda outcome: outcome.index)


async def create_as_completed(
    client: ChatCompletionClient,
    conversations: Iterable[Sequence[LLMMessage]],
    *,
    concurrency: int = 8,
    tools: Sequence[Tool | ToolSchema] = (),
    tool_choice: Tool | Literal["auto", "required", "none"] = "auto",
    json_output: bool | type[BaseModel] | None = None,
    extra_create_args: Mapping[str, Any] | None = None,
    cancellation_token: CancellationToken | None = None,
) -> AsyncGenerator[Outcome, None]:
    """Send many requests like `create_many`, and yield each outcome when it is complete.

    No request is started while the caller processes an outcome, and none outlives the generator:
    close it (``contextlib.aclosing``) if you stop reading early.
    """
    if concurrency < 1:
        raise ClientSetupError(f"concurrency must be at least 1, not {concurrency}")

    async def request_one(index: int, messages: Sequence[LLMMessage]) -> Outcome:
        try:
            result = await client.create(
                messages,
                tools=tools,
                tool_choice=tool_choice,
                json_output=json_output,
                extra_create_args=extra_create_args or {},
                cancellation_token=cancellation_token,
            )
        except Exception as error:  # noqa: BLE001 - returned to the caller
            return Outcome(index, error=error)
        return Outcome(index, result=result)

    remaining = iter(enumerate(conversations))
    # Not a TaskGroup, which CPython 3.10 lacks: a set that is empty when the generator ends.
    running: set[asyncio.Task[Outcome]] = set()
    try:
        while True:
            if cancellation_token is not None and cancellation_token.is_cancelled():
                raise asyncio.CancelledError  # also if the client ignores tokens
            while len(running) < concurrency and (request := next(remaining, None)) is not None:
                running.add(asyncio.ensure_future(request_one(*request)))
            if not running:
                return
            done, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            for outcome in sorted((task.result() for task in done), key=lambda each: each.index):
                yield outcome
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
