"""The class decorators that subscribe."""

import pytest

from ferrogen.agents.class_decorators import (
    default_subscription,
    type_subscription,
    wildcard_subscription,
)
from ferrogen.agents.routed import RoutedAgent
from ferrogen.messaging.subscriptions import TypeSubscription, WildcardSubscription


@pytest.mark.parametrize(
    ("decorate", "subscription"),
    [
        (default_subscription, TypeSubscription("default", "listener")),
        (default_subscription(), TypeSubscription("default", "listener")),
        (type_subscription("orders"), TypeSubscription("orders", "listener")),
        (wildcard_subscription("orders.*"), WildcardSubscription("orders.*", "listener")),
    ],
)
async def test_the_decorator_subscribes_the_class_and_returns_it(decorate, subscription, runtime):
    class Listener(RoutedAgent):
        pass

    assert decorate(Listener) is Listener
    await Listener.register(
        runtime, "listener", lambda: Listener("d"), skip_direct_message_subscription=True
    )
    assert runtime.subscriptions == [subscription]


def test_an_invalid_pattern_is_refused_where_the_class_is_decorated():
    with pytest.raises(ValueError, match=r'invalid pattern "orders\.\*created"'):
        wildcard_subscription("orders.*created")
