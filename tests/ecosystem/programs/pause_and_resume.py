"""A team is paused and resumed from outside; then it is stopped, and then it is cancelled."""

import asyncio
from collections.abc import Sequence

from autogen_agentchat.agents import BaseChatAgent
from autogen_agentchat.base import Response
from autogen_agentchat.conditions import ExternalTermination, MaxMessageTermination
from autogen_agentchat.messages import BaseChatMessage, TextMessage
from autogen_agentchat.teams import RoundRobinGroupChat
from autogen_core import CancellationToken


class Worker(BaseChatAgent):
    """Works at each turn, and rests while it is paused."""

    def __init__(self, name: str) -> None:
        super().__init__(name, "works")
        self.awake, self.started, self.heard = asyncio.Event(), asyncio.Event(), list[str]()
        self.awake.set()
        self.turns = 0

    @property
    def produced_message_types(self) -> Sequence[type[BaseChatMessage]]:
        return (TextMessage,)

    async def on_messages(
        self, messages: Sequence[BaseChatMessage], cancellation_token: CancellationToken
    ) -> Response:
        self.started.set()
        waking = asyncio.ensure_future(self.awake.wait())
        cancellation_token.link_future(waking)
        await waking
        self.turns += 1
        return Response(chat_message=TextMessage(content=f"turn {self.turns}", source=self.name))

    async def on_pause(self, cancellation_token: CancellationToken) -> None:
        self.heard.append("pause")
        self.awake.clear()

    async def on_resume(self, cancellation_token: CancellationToken) -> None:
        self.heard.append("resume")
        self.awake.set()

    async def on_reset(self, cancellation_token: CancellationToken) -> None:
        self.turns = 0


async def main() -> None:
    one, two = Worker("one"), Worker("two")
    one.awake.clear()
    external = ExternalTermination()
    team = RoundRobinGroupChat(
        [one, two], termination_condition=external | MaxMessageTermination(5)
    )
    run = asyncio.create_task(team.run(task="Work."))
    await one.started.wait()
    await team.pause()
    print("paused:", one.heard, two.heard, "done:", run.done())
    await team.resume()
    result = await run
    print([m.to_text() for m in result.messages], result.stop_reason, one.heard, two.heard)

    await team.reset()
    one.awake.clear()
    one.started.clear()
    run = asyncio.create_task(team.run(task="Work again."))
    await one.started.wait()
    external.set()
    one.awake.set()
    result = await run
    print([m.to_text() for m in result.messages], result.stop_reason)

    await team.reset()
    one.awake.clear()
    one.started.clear()
    token = CancellationToken()
    run = asyncio.create_task(team.run(task="Work for ever.", cancellation_token=token))
    await one.started.wait()
    token.cancel()
    try:
        await run
    except (asyncio.CancelledError, RuntimeError) as error:
        print(type(error).__name__, error, one.turns)


asyncio.run(main())
