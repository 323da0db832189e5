"""Calls beyond AutoGen's: typed requests, streams, requests to all subscribers, schedules."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine
from datetime import timezone, tzinfo
from functools import partial
from types import UnionType
from typing import Any, TypeVar, overload

from ferrogen._core import AgentId, CancellationToken, Routes
from ferrogen.exceptions import NoSubscriberError
from ferrogen.messaging.topic import TopicId
from ferrogen.runtime.calls.gathering import GatheredResponses, check_limits, gather_responses
from ferrogen.runtime.calls.response_types import ResponseType
from ferrogen.runtime.calls.streaming import read_stream
from ferrogen.runtime.host import EngineHost
from ferrogen.runtime.lifecycle.lifecycle import Lifecycle
from ferrogen.runtime.protocols import AgentRuntime
from ferrogen.runtime.schedules.schedule import Schedule, Scheduler
from ferrogen.runtime.schedules.times import make_times

__all__ = ["Calls"]

T = TypeVar("T")


class Calls(AgentRuntime):
    """The calls of a runtime on top of `send_message` and `publish_message`."""

    _host: EngineHost
    _lifecycle: Lifecycle
    _routes: Routes
    _scheduler: Scheduler

    @overload
    async def ask(
        self, agent_id: AgentId, message: Any, response_type: type[T], **options: Any
    ) -> T: ...
    @overload
    async def ask(
        self, agent_id: AgentId, message: Any, response_type: None, **options: Any
    ) -> None: ...
    @overload
    async def ask(
        self, agent_id: AgentId, message: Any, response_type: UnionType | object, **options: Any
    ) -> Any: ...
    async def ask(
        self, agent_id: AgentId, message: Any, response_type: object, **options: Any
    ) -> Any:
        """Send a message to one agent, and return its response, which has the given type.

        Args:
            agent_id: The agent to send the message to.
            message: The message.
            response_type: A class, a union, None, or `Any`. Of `list[int]` the class is checked,
                and not the elements.
            **options: Further arguments of `send_message`, such as `sender`.

        Returns:
            The response. Type checkers know its type if `response_type` is a class or None; that of
            a union is `Any` to them.

        Raises:
            ResponseTypeError: The response has another type. It is a `TypeError`.
            TypeError: No response can be checked against `response_type`; nothing was sent.
            BaseException: Whatever `send_message` raises.

        Example:
            ```python
            import asyncio
            from dataclasses import dataclass

            from ferrogen import (
                AgentId,
                MessageContext,
                RoutedAgent,
                SingleThreadedAgentRuntime,
                rpc,
            )


            @dataclass
            class Number:
                value: int


            class Doubler(RoutedAgent):
                @rpc
                async def double(self, message: Number, ctx: MessageContext) -> Number:
                    return Number(message.value * 2)


            async def main() -> None:
                runtime = SingleThreadedAgentRuntime()
                await Doubler.register(runtime, "doubler", lambda: Doubler("doubles"))
                async with runtime:
                    doubled = await runtime.ask(AgentId("doubler", "one"), Number(21), Number)
                assert doubled.value == 42


            asyncio.run(main())
            ```
        """
        expected = ResponseType(response_type)
        response = await self.send_message(message, agent_id, **options)
        return expected.check(response, agent_id, message)

    def stream(self, message: Any, agent_id: AgentId, **options: Any) -> AsyncGenerator[Any, None]:
        """Send a message to one agent, and read the parts with which its handler responds.

        The handler is an async generator that is decorated with `stream`. It is advanced when the
        reader asks for the next part, and does not compute parts ahead. It is one message to the
        runtime, which is handled until the stream ends.

        When the reader leaves the loop, or its task is cancelled, the generator is closed; if it is
        computing a part, it gets a `CancelledError`. After `break`, that happens as soon as the
        iterator is freed; to wait for it, call `aclose()`, or use `contextlib.aclosing`.

        Args:
            message: The message.
            agent_id: The agent to send it to.
            **options: Further arguments of `send_message`.

        Returns:
            An async iterator of the parts. The message is sent when the first part is asked for.

        Raises:
            StreamError: The handler does not stream. Raised by the iterator, as all errors are.
            BaseException: Whatever the generator or `send_message` raises.

        Example:
            See `stream`, the decorator.
        """
        return read_stream(self, self.send_message, message, agent_id, **options)

    @overload
    async def request_all(
        self,
        message: Any,
        topic_id: TopicId,
        *,
        timeout: float | None = ...,
        quorum: int | None = ...,
        response_type: type[T],
        sender: AgentId | None = ...,
        cancellation_token: CancellationToken | None = ...,
        **options: Any,
    ) -> GatheredResponses[T]: ...
    @overload
    async def request_all(
        self,
        message: Any,
        topic_id: TopicId,
        *,
        timeout: float | None = ...,
        quorum: int | None = ...,
        response_type: object = ...,
        sender: AgentId | None = ...,
        cancellation_token: CancellationToken | None = ...,
        **options: Any,
    ) -> GatheredResponses[Any]: ...
    async def request_all(
        self,
        message: Any,
        topic_id: TopicId,
        *,
        timeout: float | None = None,
        quorum: int | None = None,
        response_type: object = Any,
        sender: AgentId | None = None,
        cancellation_token: CancellationToken | None = None,
        **options: Any,
    ) -> GatheredResponses[Any]:
        """Send a message as a request to every subscriber of a topic, and gather the responses.

        The recipients are those of `publish_message` at the time of the call; each gets the message
        once. Handlers get it as one that was sent to them, without a topic.

        The call returns when every recipient has responded or failed, when `quorum` of them have
        responded, or after `timeout` seconds, with what is there. The other requests are cancelled
        then: their `ctx.cancellation_token` is, and their responses are discarded. Handlers that do
        not use the token run to their end, and so do those of requests that are still queued.

        Args:
            message: The message.
            topic_id: The topic, whose subscribers are the recipients.
            timeout: After how many seconds to return; None for no limit.
            quorum: After how many responses to return; None for all.
            response_type: The type of the responses, as of `ask`. An agent that responds with
                another one has failed, with a `ResponseTypeError`.
            sender: The agent that sends the message, which does not get it; None from outside.
            cancellation_token: Cancels the call, and all requests.
            **options: Further arguments of `send_message`.

        Returns:
            Who responded with what, who failed, and who is missing.

        Raises:
            NoSubscriberError: No agent is subscribed to the topic, other than the sender.
            ValueError: `timeout` or `quorum` is out of range.
            TypeError: The topic is not a `TopicId`, or no response can be checked against
                `response_type`; nothing was sent.
            asyncio.CancelledError: The token was cancelled.

        Example:
            ```python
            import asyncio
            from dataclasses import dataclass

            from ferrogen import (
                MessageContext,
                RoutedAgent,
                SingleThreadedAgentRuntime,
                TopicId,
                rpc,
                type_subscription,
            )


            @dataclass
            class Proposal:
                text: str


            @type_subscription("ballot")
            class Voter(RoutedAgent):
                @rpc
                async def vote(self, message: Proposal, ctx: MessageContext) -> bool:
                    return self.id.type != "skeptic"


            async def main() -> None:
                runtime = SingleThreadedAgentRuntime()
                for name in ("believer", "skeptic", "optimist"):
                    await Voter.register(runtime, name, lambda: Voter("votes"))
                async with runtime:
                    votes = await runtime.request_all(
                        Proposal("tea"), TopicId("ballot", "2026"), timeout=10, response_type=bool
                    )
                assert votes.is_complete
                assert sum(votes.responses.values()) == 2


            asyncio.run(main())
            ```
        """
        check_limits(timeout, quorum)
        expected = ResponseType(response_type)
        if not isinstance(topic_id, TopicId):
            raise TypeError(f"request_all takes a TopicId, not {topic_id!r}")
        # Several subscriptions may lead to one agent.
        recipients = [
            one for one in dict.fromkeys(self._routes.recipients(topic_id)) if one != sender
        ]
        if not recipients:
            error = NoSubscriberError(
                f"topic {topic_id} has no subscriber for the request {type(message).__name__}: "
                "subscribe an agent type with runtime.add_subscription(...)"
            )
            message_id = options.get("message_id")
            self._host.add_dead_letter(message, sender, topic_id, message_id, error)
            raise error

        async def send(agent_id: AgentId, token: CancellationToken) -> Any:
            response = await self.send_message(
                message, agent_id, sender=sender, cancellation_token=token, **options
            )
            return expected.check(response, agent_id, message)

        return await gather_responses(
            send,
            recipients,
            timeout=timeout,
            quorum=quorum,
            cancellation_token=cancellation_token,
            await_tasks=self._await_tasks,
        )

    def _check_open(self) -> None:
        """Raise an error if messages are not accepted, before an agent is built for one."""
        _ = self._lifecycle.enter()

    def _await_tasks(self, tasks: list[asyncio.Task[Any]]) -> None:
        """The caller awaits these tasks next: deadlocks through them are found."""
        self._lifecycle.engine.await_tasks(tasks)

    def schedule(
        self,
        message: Any,
        to: AgentId | TopicId,
        *,
        every: float | None = None,
        cron: str | None = None,
        delay: float | None = None,
        count: int | None = None,
        zone: tzinfo = timezone.utc,
        **options: Any,
    ) -> Schedule:
        """Send or publish a message again and again.

        With `every`, the times are at a constant distance: a message that is late does not shift
        the ones after it. With `cron`, they are those that match a cron expression: minute, hour,
        day of the month, month, day of the week, as Vixie cron reads them.

        A message that is sent is handled before the next one is sent: times that pass meanwhile are
        skipped, and counted by `Schedule.skipped`. A message that is published does not wait for
        its handlers. Errors are logged, and the schedule continues. It ends with the runtime, when
        that is drained, stopped or closed, or halts; waiting for the next time does not keep a
        runtime from being idle.

        Args:
            message: The message, the same object each time.
            to: The agent to send it to, or the topic to publish it to.
            every: The seconds from one message to the next.
            cron: Five fields, or a nickname such as `@daily`.
            delay: The seconds until the first message; by default `every`. With `cron`, the seconds
                during which no time counts.
            count: After how many messages to end; None for no limit.
            zone: The time zone of `cron`.
            **options: Further arguments of `send_message` or `publish_message`.

        Returns:
            A handle, which cancels the schedule.

        Raises:
            ValueError: An option is out of range or contradicts another, or the cron expression is
                invalid.
            TypeError: `to` is neither an `AgentId` nor a `TopicId`, or an option is unknown.
            RuntimeError: No event loop is running.
            RuntimeStoppedError: The runtime is closed or has halted.
            WrongLoopError: The runtime runs on another event loop.

        Example:
            See `Schedule`.
        """
        self._lifecycle.enter()
        send: Callable[[], Coroutine[Any, Any, Any]]
        if isinstance(to, AgentId):
            send = partial(self.send_message, message, to, **options)
        elif isinstance(to, TopicId):
            send = partial(self.publish_message, message, to, **options)
        else:
            raise TypeError(f"a schedule takes an AgentId or a TopicId, not {to!r}")
        times = make_times(every, cron, delay, zone)
        send().close()  # raises if an option is unknown
        return self._scheduler.add(f"{type(message).__name__} to {to}", send, times, count)
