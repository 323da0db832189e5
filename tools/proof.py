"""A small program for AutoGen's names: a response, a failure raised to its caller, a topic."""

import asyncio
from dataclasses import dataclass

from autogen_core import (
    AgentId,
    DefaultTopicId,
    MessageContext,
    RoutedAgent,
    SingleThreadedAgentRuntime,
    default_subscription,
    message_handler,
)


@dataclass
class Number:
    """What is sent about."""

    value: int


@default_subscription
class Doubler(RoutedAgent):
    """Responds with twice the number, rejects negative ones, and records all numbers."""

    def __init__(self) -> None:
        super().__init__("doubles numbers")
        self.seen: list[int] = []

    @message_handler
    async def double(self, message: Number, ctx: MessageContext) -> Number:
        """Handles one number."""
        self.seen.append(message.value)
        if message.value < 0:
            raise ValueError("negative")
        return Number(2 * message.value)


async def main() -> None:
    """Sends, publishes and looks at what came of it."""
    runtime = SingleThreadedAgentRuntime()
    await Doubler.register(runtime, "doubler", Doubler)
    runtime.start()
    doubler = AgentId("doubler", "default")
    response = await runtime.send_message(Number(21), doubler)
    try:
        await runtime.send_message(Number(-1), doubler)
    except ValueError as error:
        refusal = str(error)
    await runtime.publish_message(Number(7), DefaultTopicId())
    await runtime.stop_when_idle()
    agent = await runtime.try_get_underlying_agent_instance(doubler, Doubler)
    print(response, refusal, agent.seen, SingleThreadedAgentRuntime.__module__)


if __name__ == "__main__":
    asyncio.run(main())
