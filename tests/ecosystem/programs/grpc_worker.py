"""Two worker runtimes in two processes exchange messages through a host."""

import asyncio
import multiprocessing
import os
import socket
import sys
from dataclasses import dataclass

from autogen_core import (
    AgentId,
    DefaultTopicId,
    MessageContext,
    RoutedAgent,
    TypeSubscription,
    default_subscription,
    event,
    rpc,
    try_get_known_serializers_for_type,
)
from autogen_ext.runtimes.grpc import GrpcWorkerAgentRuntime, GrpcWorkerAgentRuntimeHost
from pydantic import BaseModel

PACKAGE = AgentId.__module__.partition(".")[0]


@dataclass
class Question:
    text: str
    number: int = 0


class Answer(BaseModel):
    words: list[str]
    process: int
    package: str


@dataclass
class News:
    text: str


class Scholar(RoutedAgent):
    """Lives in the other process."""

    @rpc
    async def on_question(self, message: Question, ctx: MessageContext) -> Answer:
        if message.text == "impossible":
            raise ValueError("unknown")
        await self.publish_message(
            News(f"{ctx.sender.type if ctx.sender else 'an unknown agent'} asked"),
            DefaultTopicId("news"),
        )
        words = message.text.split() * message.number
        return Answer(words=words, process=os.getpid(), package=PACKAGE)


@default_subscription
class Student(RoutedAgent):
    """Lives in this process."""

    def __init__(self) -> None:
        super().__init__("asks")
        self.received: asyncio.Queue[str] = asyncio.Queue()

    @rpc
    async def on_question(self, message: Question, ctx: MessageContext) -> Answer:
        return await self.send_message(message, AgentId("scholar", "one"))

    @event
    async def on_news(self, message: News, ctx: MessageContext) -> None:
        await self.received.put(message.text)


async def start(address: str) -> GrpcWorkerAgentRuntime:
    runtime = GrpcWorkerAgentRuntime(address)
    for kind in (Question, Answer, News):
        runtime.add_message_serializer(try_get_known_serializers_for_type(kind))
    await runtime.start()
    return runtime


async def work(address: str, ready: object, end: object) -> None:
    runtime = await start(address)
    await Scholar.register(runtime, "scholar", lambda: Scholar("answers"))
    ready.set()  # type: ignore[attr-defined]
    await asyncio.to_thread(end.wait)  # type: ignore[attr-defined]
    await runtime.stop()


def other_process(address: str, ready: object, end: object) -> None:
    asyncio.run(work(address, ready, end))


async def main() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    host = GrpcWorkerAgentRuntimeHost(address)
    host.start()
    spawn = multiprocessing.get_context("spawn")
    ready, end = spawn.Event(), spawn.Event()
    child = spawn.Process(target=other_process, args=(address, ready, end))
    if "--child-on-upstream" in sys.argv:
        del os.environ["FERROGEN_INSTALL"]
    child.start()
    await asyncio.to_thread(ready.wait)

    runtime = await start(address)
    student = Student()
    await runtime.register_agent_instance(student, AgentId("student", "one"))
    await runtime.add_subscription(TypeSubscription("news", "student"))
    answer = await student.send_message(Question("what is it", 2), AgentId("scholar", "one"))
    if answer.package != PACKAGE:
        print(PACKAGE, "and", answer.package)
    print(answer.words, answer.process == child.pid != os.getpid())
    print(await student.received.get())
    try:
        await student.send_message(Question("impossible"), AgentId("scholar", "one"))
    except Exception as error:  # noqa: BLE001  # this is what the worker runtime raises
        print("failed:", error)
    await runtime.stop()
    end.set()
    await asyncio.to_thread(child.join)
    await host.stop()
    print("exit status", child.exitcode)


if __name__ == "__main__":
    asyncio.run(main())
