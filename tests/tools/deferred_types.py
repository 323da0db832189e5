"""Functions whose annotations are strings that name local types, and one that names nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import BaseModel

from ferrogen.tools import FunctionTool

if TYPE_CHECKING:
    from ferrogen import CancellationToken

    Unseen = int


class Basket(BaseModel):
    coins: int


def of_the_module(basket: Basket) -> int:
    return basket.coins


def in_the_closure():
    class Purse(BaseModel):
        coins: int

    def count(purse: Purse) -> int:
        return Purse(coins=purse.coins + 1).coins

    return count


def tool_beside_the_type() -> FunctionTool:
    class Purse(BaseModel):
        coins: int

    class Counter:
        def count(self, purse: Purse) -> int:
            return purse.coins

    return FunctionTool(Counter().count, "Counts.")


def out_of_sight():
    class Purse(BaseModel):
        coins: int

    def count(purse: Purse) -> int:
        return purse.coins

    return count


def while_type_checking(unseen: Unseen) -> int:
    return unseen


def result_while_type_checking(n: int) -> Unseen:
    return n


async def with_an_unseen_token(n: int, cancellation_token: CancellationToken) -> bool:
    return cancellation_token.is_cancelled()
