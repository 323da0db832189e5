"""The handle of a subscription, which adds and removes it."""

from __future__ import annotations

from collections.abc import Generator
from types import TracebackType
from typing import TYPE_CHECKING, Any

from typing_extensions import Self

from ferrogen.messaging.subscription import Subscription

if TYPE_CHECKING:
    from ferrogen._core import Routes
    from ferrogen.runtime.protocols import AgentRuntime

__all__ = ["SubscriptionHandle"]


class SubscriptionHandle:
    """A subscription of a runtime: await it to add it, or use it in a block.

    Made by `SingleThreadedAgentRuntime.subscription`. As an async context manager, it adds the
    subscription and removes it at the end of the block, in whatever way the block ends, and also
    if the runtime was stopped or closed meanwhile. A message is routed when the runtime takes it
    from its queue, not when it is published: messages that are still queued at
    the end of the block are not delivered through the subscription.

    Example:
        ```python
        import asyncio

        from ferrogen import SingleThreadedAgentRuntime, WildcardSubscription


        async def main() -> None:
            runtime = SingleThreadedAgentRuntime()
            async with runtime.subscription(WildcardSubscription("orders.>", "audit")) as handle:
                assert runtime.subscriptions() == (handle.subscription,)
            assert runtime.subscriptions() == ()

            handle = await runtime.subscription(WildcardSubscription("orders.>", "audit"))
            assert handle.is_active
            await handle.remove()
            assert not handle.is_active


        asyncio.run(main())
        ```
    """

    # The public path is what error messages and documentation name.
    __module__ = "ferrogen"

    def __init__(self, runtime: AgentRuntime, routes: Routes, subscription: Subscription) -> None:
        self._runtime = runtime
        self._routes = routes
        self._subscription = subscription

    @property
    def id(self) -> str:
        """The id of the subscription."""
        return self._subscription.id

    @property
    def subscription(self) -> Subscription:
        """The subscription."""
        return self._subscription

    @property
    def is_active(self) -> bool:
        """Whether the runtime has the subscription now."""
        return any(one is self._subscription for one in self._routes.subscriptions)

    async def add(self) -> None:
        """Add the subscription, last in the order of delivery.

        Raises:
            ValueError: The runtime has this subscription or an equal one.
        """
        await self._runtime.add_subscription(self._subscription)

    async def remove(self) -> None:
        """Remove the subscription, if the runtime still has it."""
        if self.is_active:
            await self._runtime.remove_subscription(self.id)

    def __await__(self) -> Generator[Any, Any, Self]:
        yield from self.add().__await__()
        return self

    async def __aenter__(self) -> Self:
        await self.add()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.remove()

    def __repr__(self) -> str:
        state = "active" if self.is_active else "not active"
        return f"<SubscriptionHandle of {type(self._subscription).__name__} {self.id}, {state}>"
