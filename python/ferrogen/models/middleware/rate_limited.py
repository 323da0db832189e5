"""Rate limit middleware for model clients."""

from __future__ import annotations

from contextlib import aclosing
from functools import partial

from pydantic import BaseModel
from typing_extensions import Self

from ferrogen.components.component import Component
from ferrogen.components.model import ComponentModel
from ferrogen.models.client import ChatCompletionClient
from ferrogen.models.middleware.budget import estimated_usage
from ferrogen.models.middleware.middleware import Middleware
from ferrogen.models.middleware.rate_limiter import RateLimiter
from ferrogen.models.middleware.request import Request, ResponseStream
from ferrogen.models.middleware.settings import at_least
from ferrogen.models.results import CreateResult


class RateLimitedConfig(BaseModel):
    """The config of a `RateLimited`; clients whose limiter has the same name share it."""

    client: ComponentModel
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    limiter: str | None = None
    answer_tokens: int = 256


class RateLimited(Middleware, Component[RateLimitedConfig]):
    """A client that waits until it may ask: so many requests and tokens a minute.

    Tokens are estimated before the request and corrected by the usage in its response. A request
    that failed keeps its estimate, since the service may have counted it. A hit of an
    inner cache does not count.

    Args:
        client: The client that is asked.
        limiter: Says when. Give several clients the same one if they share an account; for a
            limiter that is still shared after dumping and loading, use `RateLimiter.named`.
        answer_tokens: The tokens that a response is taken to have beforehand, unless the request
            has ``max_tokens`` or the like among its extra arguments.

    Example:
        ```python
        import asyncio

        from ferrogen.models import UserMessage
        from ferrogen.models.middleware import RateLimited, RateLimiter
        from ferrogen.testing import ScriptedModel


        async def main() -> None:
            account = RateLimiter(requests_per_minute=60, tokens_per_minute=100_000)
            large = RateLimited(ScriptedModel(["It is."]), account)
            small = RateLimited(ScriptedModel(["Yes."]), account)  # both together: 60 a minute
            question = [UserMessage(content="Is it far?", source="me")]
            assert (await large.create(question)).content == "It is."
            assert (await small.create(question)).content == "Yes."


        asyncio.run(main())
        ```
    """

    __module__ = "ferrogen.models.middleware"

    component_config_schema = RateLimitedConfig

    def __init__(
        self, client: ChatCompletionClient, limiter: RateLimiter, *, answer_tokens: int = 256
    ) -> None:
        super().__init__(client)
        at_least(0, answer_tokens=answer_tokens)
        self._limiter = limiter
        self._answer_tokens = answer_tokens

    @property
    def limiter(self) -> RateLimiter:
        """The limiter of the client."""
        return self._limiter

    async def _respond(self, request: Request) -> ResponseStream:
        tokens = 0
        if self._limiter.tokens_per_minute is not None:  # counting takes its time
            estimate = estimated_usage(self._client, request, self._answer_tokens)
            tokens = estimate.prompt_tokens + estimate.completion_tokens
        passage = await self._limiter.enter(tokens, request.cancellation_token)
        async with aclosing(request.ask(self._client)) as items:
            async for item in items:
                if isinstance(item, CreateResult):
                    if item.cached:
                        self._limiter.withdraw(passage)
                    else:
                        used = item.usage
                        self._limiter.correct(passage, used.prompt_tokens + used.completion_tokens)
                yield item

    def _to_config(self) -> RateLimitedConfig:
        return RateLimitedConfig(
            client=self._client.dump_component(),
            requests_per_minute=self._limiter.requests_per_minute,
            tokens_per_minute=self._limiter.tokens_per_minute,
            limiter=self._limiter.name,
            answer_tokens=self._answer_tokens,
        )

    @classmethod
    def _from_config(cls, config: RateLimitedConfig) -> Self:
        make = RateLimiter if config.limiter is None else partial(RateLimiter.named, config.limiter)
        limiter = make(
            requests_per_minute=config.requests_per_minute,
            tokens_per_minute=config.tokens_per_minute,
        )
        client = ChatCompletionClient.load_component(config.client)
        return cls(client, limiter, answer_tokens=config.answer_tokens)
