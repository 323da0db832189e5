"""The routed agent: dispatches each message to a handler method by its type."""

from collections.abc import Sequence
from typing import Any, ClassVar, cast

from ferrogen._core import Handlers
from ferrogen.agents.base import BaseAgent
from ferrogen.agents.handler_building import logger
from ferrogen.agents.handlers import MessageHandler
from ferrogen.messaging.message_context import MessageContext
from ferrogen.serialization.registry import serializers_of_handled_type
from ferrogen.serialization.serializer import MessageSerializer

HandlerTable = dict[type[Any], tuple[MessageHandler[Any, Any, Any], ...]]


class RoutedAgent(BaseAgent):
    """An agent that dispatches messages to its methods by message type.

    Decorate the methods with `message_handler`, `event`, `rpc` or `stream`. They are collected
    once per class, when it is first used.

    Example:
        ```python
        import asyncio
        from dataclasses import dataclass

        from ferrogen import AgentId, MessageContext, RoutedAgent, SingleThreadedAgentRuntime
        from ferrogen import event, rpc


        @dataclass
        class Greeting:
            name: str


        class Greeter(RoutedAgent):
            @rpc
            async def on_greeting(self, greeting: Greeting, ctx: MessageContext) -> str:
                return f"hello, {greeting.name}"

            @event
            async def on_published(self, greeting: Greeting, ctx: MessageContext) -> None:
                print(f"{greeting.name} was greeted")


        async def main() -> None:
            runtime = SingleThreadedAgentRuntime()
            await Greeter.register(runtime, "greeter", lambda: Greeter("greets people"))
            runtime.start()
            response = await runtime.send_message(Greeting("Ada"), AgentId("greeter", "door"))
            assert response == "hello, Ada"
            await runtime.stop_when_idle()


        asyncio.run(main())
        ```

    Args:
        description: A short description of the agent; part of its metadata.
    """

    # Both are set on each class itself, never inherited.
    _handler_table: ClassVar[HandlerTable | None] = None
    _native_handlers: ClassVar[Handlers]

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls._handler_table = None

    async def on_message_impl(self, message: Any, ctx: MessageContext) -> Any | None:
        """Call the first handler of the message's type that accepts the message.

        Do not override it: add handlers instead.
        """
        for handler in self._handlers_of(type(message)):
            if handler.router(message, ctx):
                return await handler(self, message, ctx)
        return await self.on_unhandled_message(message, ctx)  # type: ignore[func-returns-value]

    async def on_unhandled_message(self, message: Any, ctx: MessageContext) -> None:
        """Called with a message that no handler accepts. Override it to do more.

        By default the message is logged, and becomes a dead letter of the runtime. The first
        message of its type to this agent type is a warning in the log.

        Args:
            message: The message.
            ctx: Its context.
        """
        logger.info("Unhandled message: %s", message)
        report = getattr(getattr(self, "_runtime", None), "_report_unhandled", None)
        if report is not None:
            report(self, message, ctx)

    @classmethod
    def _handlers_of(cls, message_type: type[Any]) -> Sequence[MessageHandler[Any, Any, Any]]:
        table = cls._handler_table
        if table is None:
            table = cls._make_handler_table()
        return table.get(message_type, ())

    @classmethod
    def _make_handler_table(cls) -> HandlerTable:
        lists: dict[type[Any], list[MessageHandler[Any, Any, Any]]] = {}
        for handler in cls._discover_handlers():
            for target_type in handler.target_types:
                lists.setdefault(target_type, []).append(handler)
        table = {target_type: tuple(handlers) for target_type, handlers in lists.items()}
        cls._handler_table = table
        return table

    @classmethod
    def _discover_handlers(cls) -> Sequence[MessageHandler[Any, Any, Any]]:
        # `dir` sorts by name and follows inheritance: an override hides what it overrides.
        attributes = (getattr(cls, name, None) for name in dir(cls))
        return [
            cast(MessageHandler[Any, Any, Any], attribute)
            for attribute in attributes
            if callable(attribute) and hasattr(attribute, "is_message_handler")
        ]

    @classmethod
    def _handles_types(cls) -> list[tuple[type[Any], list[MessageSerializer[Any]]]]:
        types = list(cls.internal_extra_handles_types)
        declared = {message_type for message_type, _serializers in types}
        handled = (t for handler in cls._discover_handlers() for t in handler.target_types)
        for message_type in dict.fromkeys(handled):
            serializers = serializers_of_handled_type(message_type)
            if serializers:
                types.append((message_type, serializers))
            elif message_type not in declared:
                raise ValueError(f"No serializers found for type {message_type}.")
        return types
