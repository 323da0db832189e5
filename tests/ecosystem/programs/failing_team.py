"""Errors of a team reach its caller, and the team can be used again."""

import asyncio
import logging
from collections.abc import Awaitable, Sequence

from autogen_agentchat.agents import AssistantAgent, BaseChatAgent
from autogen_agentchat.base import Response
from autogen_agentchat.conditions import MaxMessageTermination, TextMentionTermination
from autogen_agentchat.messages import BaseChatMessage, StopMessage, TextMessage
from autogen_agentchat.teams import RoundRobinGroupChat, SelectorGroupChat
from autogen_core import CancellationToken, SingleThreadedAgentRuntime
from autogen_ext.models.replay import ReplayChatCompletionClient

logging.getLogger("autogen_core").setLevel(logging.CRITICAL)


class Moody(BaseChatAgent):
    """Fails if `fails` is set; otherwise works until `go_on` is set."""

    def __init__(self, name: str) -> None:
        super().__init__(name, "has moods")
        self.working, self.go_on = asyncio.Event(), asyncio.Event()
        self.fails, self.cancelled = False, False

    @property
    def produced_message_types(self) -> Sequence[type[BaseChatMessage]]:
        return (TextMessage,)

    async def on_messages(
        self, messages: Sequence[BaseChatMessage], cancellation_token: CancellationToken
    ) -> Response:
        self.working.set()
        if self.fails:
            raise ZeroDivisionError("a bad mood")
        work = asyncio.ensure_future(self.go_on.wait())
        cancellation_token.link_future(work)
        try:
            await work
        except asyncio.CancelledError:
            self.cancelled = True
            raise
        return Response(
            chat_message=TextMessage(content=f"received {len(messages)}", source=self.name)
        )

    async def on_reset(self, cancellation_token: CancellationToken) -> None:
        self.working.clear()
        self.fails = False


def first_line(error: BaseException) -> str:
    return f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"


async def see_it_fail(attempt: Awaitable[object]) -> None:
    try:
        print("no error:", await attempt)
    except Exception as error:  # noqa: BLE001  # which one it is, is what is looked at
        print(first_line(error))


async def fail_and_run_again(runtime: SingleThreadedAgentRuntime | None) -> None:
    moody = Moody("moody")
    moody.go_on.set()
    steady = AssistantAgent("steady", ReplayChatCompletionClient(["one", "two", "three"]))
    team = RoundRobinGroupChat([steady, moody], max_turns=2, runtime=runtime)
    print([each.to_text() for each in (await team.run(task="Go.")).messages])
    moody.fails = True
    try:
        async for item in team.run_stream(task="Go on."):
            print("streamed:", getattr(item, "content", item))
    except Exception as error:  # noqa: BLE001  # which one it is, is what is looked at
        print(first_line(error), "|", "ZeroDivisionError" in str(error))
    if runtime is None:  # on a runtime of its own, AgentChat waits here for the speaker that failed
        await team.reset()
        print([each.to_text() for each in (await team.run(task="Again.")).messages])


async def run_out_of_words() -> None:
    poor = AssistantAgent("poor", ReplayChatCompletionClient(["only this"]))
    team = RoundRobinGroupChat([poor], termination_condition=MaxMessageTermination(9))
    await see_it_fail(team.run(task="Talk."))


async def be_used_wrongly() -> None:
    moody = Moody("moody")
    team = RoundRobinGroupChat([moody], max_turns=1)
    run = asyncio.create_task(team.run(task="Wait."))
    await moody.working.wait()
    await see_it_fail(team.run(task="Meanwhile."))
    await see_it_fail(team.reset())
    await see_it_fail(team.load_state({}))
    moody.go_on.set()
    print((await run).stop_reason)
    await see_it_fail(team.run(task=[]))
    await see_it_fail(team.run(task=7))  # type: ignore[arg-type]
    await see_it_fail(team.run(task=[StopMessage(content="x", source="user"), "text"]))  # type: ignore[list-item]


async def be_cancelled_and_run_again() -> None:
    moody = Moody("moody")
    team = RoundRobinGroupChat([moody], max_turns=1)
    token = CancellationToken()
    run = asyncio.create_task(team.run(task="Wait.", cancellation_token=token))
    await moody.working.wait()
    token.cancel()
    try:
        await run
    except (asyncio.CancelledError, RuntimeError) as error:
        print(first_line(error), moody.cancelled)
    moody.go_on.set()
    await team.reset()
    print([each.to_text() for each in (await team.run(task="Again.")).messages])


async def be_left_in_the_middle() -> None:
    talker = AssistantAgent("talker", ReplayChatCompletionClient(["a", "b", "STOP", "c", "STOP"]))
    team = RoundRobinGroupChat([talker], termination_condition=TextMentionTermination("STOP"))
    stream = team.run_stream(task="Talk.")
    async for item in stream:
        if isinstance(item, TextMessage) and item.content == "a":
            break
    await stream.aclose()
    # The run continued to its end, without a consumer.
    print([each.content for each in await talker.model_context.get_messages()])
    result = await team.run(task="Once more.")
    print([each.to_text() for each in result.messages], result.stop_reason)


async def select_an_unknown_member() -> None:
    chooser = ReplayChatCompletionClient(["unknown"] * 4)
    team = SelectorGroupChat(
        [Moody("one"), Moody("two")], chooser, max_turns=1, max_selector_attempts=2
    )
    for member in team._participants:
        member.go_on.set()
    result = await team.run(task="Choose.")
    print([(each.source, each.to_text()) for each in result.messages], len(chooser.create_calls))


async def main() -> None:
    await fail_and_run_again(None)
    runtime = SingleThreadedAgentRuntime()
    runtime.start()
    await fail_and_run_again(runtime)
    await runtime.stop_when_idle()
    await run_out_of_words()
    await be_used_wrongly()
    await be_cancelled_and_run_again()
    await be_left_in_the_middle()
    await select_an_unknown_member()


asyncio.run(main())
