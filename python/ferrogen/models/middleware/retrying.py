"""Retry middleware for model clients."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Sequence
from contextlib import aclosing
from itertools import count

from pydantic import BaseModel
from typing_extensions import Self

from ferrogen.components.component import Component
from ferrogen.components.model import ComponentModel
from ferrogen.models.client import ChatCompletionClient
from ferrogen.models.middleware.failures import (
    TRANSIENT,
    FailureKind,
    is_one_of,
    kind_of,
    known_kinds,
    retry_after,
)
from ferrogen.models.middleware.middleware import Middleware
from ferrogen.models.middleware.request import Request, ResponseStream
from ferrogen.models.middleware.settings import Clock, above_zero, at_least, pause
from ferrogen.telemetry.names import ROOT_LOGGER_NAME

_LOG = logging.getLogger(f"{ROOT_LOGGER_NAME}.models")


class RetryingConfig(BaseModel):
    """The config of a `Retrying`."""

    client: ComponentModel
    attempts: int = 5
    first_delay: float = 0.5
    longest_delay: float = 30.0
    total_seconds: float | None = None
    on: Sequence[FailureKind] = TRANSIENT


class Retrying(Middleware, Component[RetryingConfig]):
    """Retries requests after transient failures.

    It waits a random time in between, of up to twice as long from one failure to the next, so
    that many clients that failed together do not come back together. If the service says how long
    to wait, it waits so long at least. Once a piece of a streamed response is yielded, a failure
    is final. Each retry is logged as a warning.

    Clients that retry by themselves, as those on the SDKs of OpenAI and Anthropic do, need
    ``max_retries=0``, or the attempts multiply.

    Args:
        client: The client that sends the requests.
        attempts: The maximum number of attempts for a request.
        first_delay: Seconds that the first wait lasts at most.
        longest_delay: Seconds that any wait lasts at most, unless the service asks for more.
        total_seconds: How long after the first attempt another may begin.
        on: The kinds of failure that may pass.
        clock: The source of time and delays.
        random: Gives a random number from 0 up to 1.

    Raises:
        ClientSetupError: A number is out of its range, or there is no such kind of failure.

    Example:
        ```python
        import asyncio

        from ferrogen.exceptions import ModelRateLimitError
        from ferrogen.models import UserMessage
        from ferrogen.models.middleware import Retrying
        from ferrogen.testing import ScriptedModel


        async def main() -> None:
            busy = ModelRateLimitError("too many requests", retry_after=0.0)
            client = Retrying(ScriptedModel([busy, "Ciao!"]), first_delay=0.001)
            result = await client.create([UserMessage(content="Hello", source="me")])
            assert result.content == "Ciao!"


        asyncio.run(main())
        ```
    """

    __module__ = "ferrogen.models.middleware"

    component_config_schema = RetryingConfig

    def __init__(
        self,
        client: ChatCompletionClient,
        *,
        attempts: int = 5,
        first_delay: float = 0.5,
        longest_delay: float = 30.0,
        total_seconds: float | None = None,
        on: Sequence[FailureKind] = TRANSIENT,
        clock: Clock | None = None,
        random: Callable[[], float] = random.random,
    ) -> None:
        super().__init__(client)
        at_least(1, attempts=attempts)
        above_zero(first_delay=first_delay, longest_delay=longest_delay)
        above_zero(total_seconds=total_seconds)
        self._attempts = attempts
        self._first_delay = first_delay
        self._longest_delay = longest_delay
        self._total_seconds = total_seconds
        self._on = known_kinds(on)
        self._clock = clock or Clock()
        self._random = random

    async def _respond(self, request: Request) -> ResponseStream:
        start = self._clock.monotonic()
        for attempt in count(1):
            handed_out = False
            try:
                async with aclosing(request.ask(self._client)) as items:
                    async for item in items:
                        handed_out = True  # M1
                        yield item
                return
            except Exception as error:
                if handed_out or attempt == self._attempts or not is_one_of(error, self._on):
                    raise
                delay = self._delay(attempt, error)
                passed = self._clock.monotonic() - start
                if self._total_seconds is not None and passed + delay > self._total_seconds:
                    raise
                # The error's own words are left out: some services put keys into them.
                _LOG.warning(
                    "attempt %d of %d failed (%s: %s); asking again in %.2f s",
                    attempt,
                    self._attempts,
                    kind_of(error),
                    type(error).__name__,
                    delay,
                )
            await pause(self._clock, delay, request.cancellation_token)

    def _delay(self, attempt: int, error: Exception) -> float:
        requested = retry_after(error, self._clock.time())
        if requested is not None:
            # Other clients got the same delay: add jitter, so that they do not retry all at once.
            return requested + self._random() * self._first_delay
        doublings = min(attempt - 1, 64)  # a float holds no more than a thousand
        return self._random() * min(self._longest_delay, self._first_delay * 2.0**doublings)

    def _to_config(self) -> RetryingConfig:
        return RetryingConfig(
            client=self._client.dump_component(),
            attempts=self._attempts,
            first_delay=self._first_delay,
            longest_delay=self._longest_delay,
            total_seconds=self._total_seconds,
            on=self._on,
        )

    @classmethod
    def _from_config(cls, config: RetryingConfig) -> Self:
        client = ChatCompletionClient.load_component(config.client)
        return cls(**{**dict(config), "client": client})
