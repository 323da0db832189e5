"""A team that is paused and resumed, then stopped, then cancelled."""

import asyncio
from collections.abc import Sequence

from autogen_agentchat.agents import BaseChatAgent
from autogen_agentchat.base import Response
from autogen_agentchat.conditions import ExternalTermination, MaxMessageTermination
from autogen_agentchat.messages import BaseChatMessage, TextMessage
from autogen_agentchat.teams import RoundRobinGroupChat
from autogen_core import CancellationToken


class Worker(BaseChatAgent):
    """Responds to each message, and waits while it is paused."""

    def __init__(self, name: str) -> None:
        super().__init__(name, "responds unless paused")
        self.running, self.started, self.calls = asyncio.Event(), asyncio.Event(), list[str]()
        self.running.set()
        self.responses = 0

    @property
    def produced_message_types(self) -> Sequence[type[BaseChatMessage]]:
        return (TextMessage,)

    async def on_messages(
        self, messages: Sequence[BaseChatMessage], cancellation_token: CancellationToken
    ) -> Response:
        self.started.set()
        running = asyncio.ensure_future(self.running.wait())
        cancellation_token.link_future(running)
        await running
        self.responses += 1
        text = f"response {self.responses}"
        return Response(chat_message=TextMessage(content=text, source=self.name))

    async def on_pause(self, cancellation_token: CancellationToken) -> None:
        self.calls.append("pause")
        self.running.clear()

    async def on_resume(self, cancellation_token: CancellationToken) -> None:
        self.calls.append("resume")
        self.running.set()

    async def on_reset(self, cancellation_token: CancellationToken) -> None:
        self.responses = 0


async def main() -> None:
    one, two = Worker("one"), Worker("two")
    one.running.clear()
    external = ExternalTermination()
    team = RoundRobinGroupChat(
        [one, two], termination_condition=external | MaxMessageTermination(5)
    )
    run = asyncio.create_task(team.run(task="Work."))
    await one.started.wait()
    await team.pause()
    print("paused:", one.calls, two.calls, "done:", run.done())
    await team.resume()
    result = await run
    print([m.to_text() for m in result.messages], result.stop_reason, one.calls, two.calls)

    await team.reset()
    one.running.clear()
    one.started.clear()
    run = asyncio.create_task(team.run(task="Work again."))
    await one.started.wait()
    external.set()
    one.running.set()
    result = await run
    print([m.to_text() for m in result.messages], result.stop_reason)

    await team.reset()
    one.running.clear()
    one.started.clear()
    token = CancellationToken()
    run = asyncio.create_task(team.run(task="Work forever.", cancellation_token=token))
    await one.started.wait()
    token.cancel()
    try:
        await run
    except (asyncio.CancelledError, RuntimeError) as error:
        print(type(error).__name__, error, one.responses)


asyncio.run(main())
