"""Steps of random programs that send and publish."""

import asyncio
import contextlib
from collections.abc import Awaitable
from typing import Any

from .programs import Script
from .step_values import VARIABLE, Order, describe_error


class MessageSteps:
    """The steps that send messages, in every form, gather sends, or publish."""

    def _sending(self, here: Any, target: Any, script: Script, where: str, **options: Any) -> Any:
        """Return the awaitable of `send_message`."""
        recipient = self.core.AgentId(*target)
        order = Order(script, where)
        if here.agent is None:
            return self.runtime.send_message(order, recipient, **options)
        return here.agent.send_message(order, recipient, **options)

    async def _noted(self, work: Awaitable[Any], where: str) -> Any:
        """Await a send at once, and trace it."""
        self.accepted.append(where)
        return await work

    async def _send(self, here: Any, target: Any, script: Script, form: str, catches: bool) -> None:
        sending = self._sending(here, target, script, here.where)
        try:
            here.trace.append(
                ("response", str(await self._sent(here, sending, target, script, form)))
            )
        except BaseException as error:
            here.trace.append(("refused", describe_error(error)))
            if not catches:
                raise

    async def _sent(self, here: Any, sending: Any, target: Any, script: Script, form: str) -> Any:
        if form == "await":
            return await self._noted(sending, here.where)
        if form == "runtime":
            sending.close()
            again = self.runtime.send_message(
                Order(script, here.where),
                self.core.AgentId(*target),
                sender=here.agent and here.agent.id,
            )
            return await self._noted(again, here.where)
        if form == "task":
            return await asyncio.create_task(sending)
        if form == "named task":
            task = asyncio.create_task(sending, name="named")
            response = await task
            here.trace.append(("its name", task.get_name()))
            return response
        if form == "future":
            return await asyncio.ensure_future(sending)
        if form == "wait_for":
            return await asyncio.wait_for(sending, 60)
        if form == "shield":
            return await asyncio.shield(sending)
        if form == "gather":
            (response,) = await asyncio.gather(sending)
            return response
        if form == "generator":

            async def stream() -> Any:
                yield await self._noted(sending, here.where)

            async with contextlib.aclosing(stream()) as responses:
                async for response in responses:
                    return response
        if form == "timeout":
            async with asyncio.timeout(60):
                return await self._noted(sending, here.where)
        async with asyncio.TaskGroup() as group:
            task = group.create_task(sending)
        return task.result()

    async def _gather(self, here: Any, orders: Any, returns_errors: bool) -> None:
        sends = [
            self._sending(here, target, script, f"{here.where}.{index}")
            for index, (target, script) in enumerate(orders)
        ]
        if returns_errors:
            responses = await asyncio.gather(*sends, return_exceptions=True)
            here.trace.append(
                tuple(
                    describe_error(one) if isinstance(one, BaseException) else str(one)
                    for one in responses
                )
            )
            return
        try:
            here.trace.append(tuple(map(str, await asyncio.gather(*sends))))
        except BaseException:  # noqa: BLE001 - which of several errors is first depends on scheduling
            here.trace.append("gathering failed")

    async def _publish(self, here: Any, topic: str, script: Script) -> None:
        publisher = self.runtime if here.agent is None else here.agent
        self.accepted.append(here.where)
        await publisher.publish_message(Order(script, here.where), self.core.TopicId(topic, "x"))

    async def _spawn(self, here: Any, target: Any, script: Script, how: str) -> None:
        async def late() -> Any:
            await asyncio.sleep(0)
            here.trace_of_spawn.append(("variable", VARIABLE.get()))
            return await self._sending(here, target, script, here.where)

        work = late() if how == "late" else self._sending(here, target, script, here.where)
        task = asyncio.create_task(work)
        if how == "loose" or here.kept is None:
            self.loose.add(task)
            task.add_done_callback(self.loose.discard)
        else:
            here.kept.append(task)
