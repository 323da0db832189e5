"""Budget middleware: rejects a call that could exceed the budget."""

from __future__ import annotations

from contextlib import aclosing
from functools import partial

from pydantic import BaseModel
from typing_extensions import Self

from ferrogen.components.component import Component
from ferrogen.components.model import ComponentModel
from ferrogen.exceptions import ClientSetupError
from ferrogen.models.client import ChatCompletionClient
from ferrogen.models.middleware.budget import Budget, Spending, estimated_usage
from ferrogen.models.middleware.middleware import Middleware
from ferrogen.models.middleware.request import Request, ResponseStream
from ferrogen.models.middleware.settings import at_least
from ferrogen.models.registry import ModelEntry, known_model
from ferrogen.models.results import CreateResult, RequestUsage
from ferrogen.models.usage import detailed


class BudgetedConfig(BaseModel):
    """The config of a `Budgeted`; clients whose budget has the same name share it."""

    client: ComponentModel
    calls: int | None = None
    tokens: int | None = None
    cost: float | None = None
    budget: str | None = None
    model: str | None = None
    answer_tokens: int = 256


class Budgeted(Middleware, Component[BudgetedConfig]):
    """Budget middleware: rejects calls that could exceed the rest of a budget.

    What a call may take is estimated before it and corrected by the usage in its response. So the
    budget holds for sure if requests limit their responses (``max_tokens`` or the like among the
    extra arguments); else a response that is longer than expected may overdraw it, once. A call
    that failed counts as a call. If it broke off during its response, its tokens count as they
    were estimated. A response from an inner cache does not count.

    Args:
        client: The client that is asked.
        budget: The budget. Give several clients the same one to have them share it; for
            a budget that is still shared after dumping and loading, use `Budget.named`. What was
            spent is not part of the config: see `Budget.save_state`.
        model: The model in the registry by whose prices costs are estimated; needed for a budget
            of money.
        answer_tokens: The tokens that a response is taken to have beforehand.

    Raises:
        ClientSetupError: The budget is one of money, and the price of the model is not known.

    Example:
        ```python
        import asyncio

        from ferrogen.exceptions import BudgetExceededError
        from ferrogen.models import UserMessage
        from ferrogen.models.middleware import Budget, Budgeted
        from ferrogen.testing import ScriptedModel


        async def main() -> None:
            client = Budgeted(ScriptedModel(["Ciao!", "Addio!"]), Budget(calls=1))
            question = [UserMessage(content="Hello", source="me")]
            await client.create(question)
            try:
                await client.create(question)
            except BudgetExceededError as error:
                print(error)


        asyncio.run(main())
        ```
    """

    __module__ = "ferrogen.models.middleware"

    component_config_schema = BudgetedConfig

    def __init__(
        self,
        client: ChatCompletionClient,
        budget: Budget,
        *,
        model: str | None = None,
        answer_tokens: int = 256,
    ) -> None:
        super().__init__(client)
        at_least(0, answer_tokens=answer_tokens)
        self._budget = budget
        self._model = model
        self._entry = _priced(model, needed=budget.cost is not None)
        self._answer_tokens = answer_tokens

    @property
    def budget(self) -> Budget:
        """The budget, with the amount spent."""
        return self._budget

    async def _respond(self, request: Request) -> ResponseStream:
        estimate = self._spending(estimated_usage(self._client, request, self._answer_tokens))
        reservation = self._budget.reserve(estimate)
        spent = Spending(calls=1)
        try:
            async with aclosing(request.ask(self._client)) as items:
                async for item in items:
                    if isinstance(item, CreateResult):
                        spent = Spending() if item.cached else self._spending(item.usage)
                    else:
                        spent = estimate  # should it break off from here on
                    yield item
        finally:
            reservation.end(spent)

    def _spending(self, usage: RequestUsage) -> Spending:
        cost = detailed(usage).cost
        if cost is None and self._entry is not None:
            cost = self._entry.cost(usage)
        tokens = usage.prompt_tokens + usage.completion_tokens
        return Spending(calls=1, tokens=tokens, cost=cost or 0.0)

    def _to_config(self) -> BudgetedConfig:
        return BudgetedConfig(
            client=self._client.dump_component(),
            calls=self._budget.calls,
            tokens=self._budget.tokens,
            cost=self._budget.cost,
            budget=self._budget.name,
            model=self._model,
            answer_tokens=self._answer_tokens,
        )

    @classmethod
    def _from_config(cls, config: BudgetedConfig) -> Self:
        client = ChatCompletionClient.load_component(config.client)
        make = Budget if config.budget is None else partial(Budget.named, config.budget)
        budget = make(calls=config.calls, tokens=config.tokens, cost=config.cost)
        return cls(client, budget, model=config.model, answer_tokens=config.answer_tokens)


def _priced(model: str | None, *, needed: bool) -> ModelEntry | None:
    entry = None if model is None else known_model(model)
    if needed and (entry is None or not entry.prices):
        what = "no model is given" if model is None else f"the price of {model!r} is not known"
        raise ClientSetupError(
            f"a budget of money needs a model with a price, but {what}; describe yours in a file "
            "for ferrogen.models.registry.register_models"
        )
    return entry
