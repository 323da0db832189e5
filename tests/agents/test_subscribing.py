"""The class decorators that subscribe."""

import pytest

from ferrogen._agents.routed import RoutedAgent
from ferrogen._agents.subscribing import default_subscription, type_subscription
from ferrogen._messaging.type_subscription import TypeSubscription


@pytest.mark.parametrize(
    ("decorate", "topic_type"),
    [
        (default_subscription, "default"),
        (default_subscription(), "default"),
        (type_subscription("orders"), "orders"),
    ],
)
async def test_the_decorator_subscribes_the_class_and_returns_it(decorate, topic_type, runtime):
    class Listener(RoutedAgent):
        pass

    assert decorate(Listener) is Listener
    await Listener.register(
        runtime, "listener", lambda: Listener("d"), skip_direct_message_subscription=True
    )
    assert runtime.subscriptions == [TypeSubscription(topic_type, "listener")]
