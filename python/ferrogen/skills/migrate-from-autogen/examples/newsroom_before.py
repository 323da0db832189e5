"""A newsroom: published drafts, an intervention handler, saved state. Written for AutoGen."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from autogen_core import (
    AgentId,
    DefaultInterventionHandler,
    DropMessage,
    MessageContext,
    RoutedAgent,
    SingleThreadedAgentRuntime,
    TopicId,
    TypeSubscription,
    event,
    message_handler,
)


@dataclass
class Draft:
    text: str


@dataclass
class Count:
    pass


class Editor(RoutedAgent):
    def __init__(self) -> None:
        super().__init__("Collects drafts.")
        self.drafts: list[str] = []

    @event
    async def collect(self, message: Draft, ctx: MessageContext) -> None:
        ctx.received = message.text  # type: ignore[attr-defined]
        self.remember(ctx)

    def remember(self, ctx: MessageContext) -> None:
        self.drafts.append(ctx.received)  # type: ignore[attr-defined]

    @message_handler
    async def count(self, message: Count, ctx: MessageContext) -> int:
        return len(self.drafts)

    async def save_state(self) -> Mapping[str, Any]:
        return {"drafts": self.drafts}

    async def load_state(self, state: Mapping[str, Any]) -> None:
        self.drafts = list(state["drafts"])


class Censor(DefaultInterventionHandler):
    async def on_publish(self, message: Any, *, message_context: MessageContext) -> Any:
        if isinstance(message, Draft) and "secret" in message.text:
            return DropMessage
        return message


async def make_runtime() -> SingleThreadedAgentRuntime:
    runtime = SingleThreadedAgentRuntime(intervention_handlers=[Censor()])
    await Editor.register(runtime, "editor", Editor)
    await runtime.add_subscription(TypeSubscription("drafts", "editor"))
    return runtime


async def main() -> None:
    editor = AgentId("editor", "today")
    runtime = await make_runtime()
    runtime.start()
    for text in ("frogs leap", "a secret", "toads walk"):
        await runtime.publish_message(Draft(text), TopicId("drafts", "today"))
    # A dropped message was never counted as done, so stop_when_idle() would hang: poll instead.
    while await runtime.send_message(Count(), editor) < 2:
        await asyncio.sleep(0)
    await runtime.stop()
    state = dict(await runtime.save_state())
    # Written by an earlier version of the program, which had one more agent.
    state["archivist/today"] = {"pages": 3}

    restored = await make_runtime()
    await restored.load_state(state)
    restored.start()
    print("drafts:", await restored.send_message(Count(), editor))
    await restored.stop()


asyncio.run(main())
