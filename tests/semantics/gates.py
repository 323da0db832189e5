"""Gates: awaitables of many kinds for the handlers of random programs."""

import asyncio
from typing import Any


class Gate:
    """A condition that can be awaited in many ways."""

    def __init__(self) -> None:
        self.event = asyncio.Event()
        self.condition = asyncio.Condition()
        self.future = asyncio.get_running_loop().create_future()

    async def open(self) -> None:
        self.event.set()
        if not self.future.done():
            self.future.set_result(None)
        async with self.condition:
            self.condition.notify_all()

    async def wait(self, how: str) -> None:
        if how == "event":
            await self.event.wait()
        elif how == "future":
            await asyncio.shield(self.future)
        elif how == "condition":
            async with self.condition:
                await self.condition.wait_for(self.event.is_set)
        elif how == "custom":
            await _Custom(self.event)
        elif how == "shield":
            await asyncio.shield(self.event.wait())
        elif how == "wait_for":
            await asyncio.wait_for(self.event.wait(), 60)
        else:
            await asyncio.create_task(self.event.wait())


class _Custom:
    def __init__(self, event: asyncio.Event) -> None:
        self._event = event

    def __await__(self) -> Any:
        while not self._event.is_set():
            yield
        return (yield from self._event.wait().__await__())
