"""Fallback middleware: uses the next client when one failed."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from contextlib import AsyncExitStack, aclosing
from typing import Any

from pydantic import BaseModel
from typing_extensions import Self

from ferrogen.components.component import Component
from ferrogen.components.model import ComponentModel
from ferrogen.exceptions import AllClientsFailedError, ClientSetupError
from ferrogen.models.client import ChatCompletionClient
from ferrogen.models.messages import LLMMessage
from ferrogen.models.middleware.failures import (
    TRANSIENT,
    FailureKind,
    is_one_of,
    kind_of,
    known_kinds,
)
from ferrogen.models.middleware.middleware import Middleware
from ferrogen.models.middleware.request import Request, ResponseStream
from ferrogen.models.model_info import ModelInfo
from ferrogen.models.results import RequestUsage
from ferrogen.models.usage import DetailedUsage, detailed
from ferrogen.telemetry.names import ROOT_LOGGER_NAME
from ferrogen.tools.protocol import Tool
from ferrogen.tools.schema import ToolSchema

_LOG = logging.getLogger(f"{ROOT_LOGGER_NAME}.models")
_ELSEWHERE: tuple[FailureKind, ...] = (*TRANSIENT, "response")


class FallbackConfig(BaseModel):
    """The config of a `Fallback`."""

    clients: list[ComponentModel]
    on: Sequence[FailureKind] = _ELSEWHERE


class Fallback(Middleware, Component[FallbackConfig]):
    """Uses the next client when one failed.

    Each request begins with the first client. Once a piece of a streamed response is yielded, a
    failure is final. What it says of its model is what holds for all of them: an ability that
    each has, the most tokens that any counts, the least room that any has left. Its family is
    that of the first.

    Args:
        clients: The clients, in the order in which they are asked.
        on: The kinds of failure after which the next one is asked. Any other error is raised as
            it is: by default so is a refusal, such as status 401.

    Raises:
        ClientSetupError: There are no clients, or there is no such kind of failure.

    Example:
        ```python
        import asyncio

        from ferrogen.models import UserMessage
        from ferrogen.models.middleware import Fallback
        from ferrogen.testing import ScriptedModel


        async def main() -> None:
            large = ScriptedModel([TimeoutError("too busy")])
            client = Fallback([large, ScriptedModel(["Ciao!"])])
            result = await client.create([UserMessage(content="Hello", source="me")])
            assert result.content == "Ciao!"


        asyncio.run(main())
        ```
    """

    __module__ = "ferrogen.models.middleware"

    component_config_schema = FallbackConfig

    def __init__(
        self, clients: Sequence[ChatCompletionClient], *, on: Sequence[FailureKind] = _ELSEWHERE
    ) -> None:
        if not clients:
            raise ClientSetupError("a fallback needs at least one client")
        super().__init__(clients[0])
        self._clients = list(clients)
        self._on = known_kinds(on)

    def within(self) -> Sequence[ChatCompletionClient]:
        """Return all clients, in the order in which they are asked."""
        return self._clients

    async def _respond(self, request: Request) -> ResponseStream:
        errors: list[Exception] = []
        for client in self._clients:
            handed_out = False
            try:
                async with aclosing(request.ask(client)) as items:
                    async for item in items:
                        handed_out = True  # M1
                        yield item
                return
            except Exception as error:
                if handed_out or not is_one_of(error, self._on):
                    raise
                errors.append(error)
                # The error's own words are left out: some services put keys into them.
                _LOG.warning(
                    "client %d of %d failed (%s: %s)",
                    len(errors),
                    len(self._clients),
                    kind_of(error),
                    type(error).__name__,
                )
        raise AllClientsFailedError(
            f"all {len(errors)} clients failed: {'; '.join(map(_told, errors))}", errors=errors
        ) from errors[-1]

    async def close(self) -> None:
        """Close all clients, also if one of them fails to."""
        async with AsyncExitStack() as stack:
            for client in reversed(self._clients):
                stack.push_async_callback(client.close)

    def actual_usage(self) -> RequestUsage:
        """Return the tokens that all clients were paid for."""
        return _sum(each.actual_usage() for each in self._clients)

    def total_usage(self) -> RequestUsage:
        """Return the tokens of all requests to all clients."""
        return _sum(each.total_usage() for each in self._clients)

    def count_tokens(
        self, messages: Sequence[LLMMessage], *, tools: Sequence[Tool | ToolSchema] = ()
    ) -> int:
        """Count the tokens, as the client does that counts most."""
        return max(each.count_tokens(messages, tools=tools) for each in self._clients)

    def remaining_tokens(
        self, messages: Sequence[LLMMessage], *, tools: Sequence[Tool | ToolSchema] = ()
    ) -> int:
        """Return how many tokens are left in any case; below zero, they are too many for one."""
        return min(each.remaining_tokens(messages, tools=tools) for each in self._clients)

    @property
    def model_info(self) -> ModelInfo:
        """The abilities that all of the models have."""
        infos: list[dict[str, Any]] = [dict(client.model_info) for client in self._clients]
        shared = {name: all(info.get(name) for info in infos) for name in infos[0]}
        return ModelInfo(**{**shared, "family": infos[0]["family"]})  # type: ignore[typeddict-item]

    @property
    def capabilities(self) -> ModelInfo:
        """The abilities that all of the models have, under the older name."""
        return self.model_info

    def _to_config(self) -> FallbackConfig:
        return FallbackConfig(
            clients=[client.dump_component() for client in self._clients], on=self._on
        )

    @classmethod
    def _from_config(cls, config: FallbackConfig) -> Self:
        clients = [ChatCompletionClient.load_component(each) for each in config.clients]
        return cls(clients, on=config.on)


def _sum(usages: Iterable[RequestUsage]) -> RequestUsage:
    return sum(map(detailed, usages), DetailedUsage(0, 0, cost=0.0))


def _told(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
