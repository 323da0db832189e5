"""The default intervention handler: everything passes."""

from ferrogen._core import AgentId, CancellationToken
from ferrogen.messaging.intervention import DefaultInterventionHandler
from ferrogen.messaging.message_context import MessageContext


async def test_the_default_handler_hands_on_the_very_object():
    handler, message, clerk = DefaultInterventionHandler(), object(), AgentId("clerk", "1")
    ctx = MessageContext(None, None, False, CancellationToken(), "1")
    assert await handler.on_send(message, message_context=ctx, recipient=clerk) is message
    assert await handler.on_publish(message, message_context=ctx) is message
    assert await handler.on_response(message, sender=clerk, recipient=None) is message
