"""The watch over a run: ends it when all its processes together exceed a limit."""

import asyncio
import time
from collections.abc import Callable

from ferrogen.code_executor.sandbox.isolation import Scratch
from ferrogen.code_executor.sandbox.limits import LimitName, SandboxLimits
from ferrogen.code_executor.sandbox.usage import folder_usage, tree_usage

_PERIOD = 0.025
# Of the time, measuring takes this part at most.
_SHARE = 0.1


async def watch(
    pid: int,
    scratch: Scratch,
    limits: SandboxLimits,
    end: Callable[[LimitName], None],
    *,
    relative: bool = False,
) -> None:
    """Measure until a limit is exceeded, or this is cancelled.

    Args:
        pid: The outermost process.
        scratch: The folders that the code can write to.
        limits: The limits.
        end: Called with the limit that was exceeded.
        relative: Whether processor time counts from now on, and not from the start of the process.
    """
    meter, pause = _Meter(pid, scratch, limits, relative), _PERIOD
    while True:
        await asyncio.sleep(pause)
        began = time.perf_counter()
        exceeded = await asyncio.to_thread(meter.exceeded)
        if exceeded is not None:
            end(exceeded)
            return
        pause = max(_PERIOD, (time.perf_counter() - began) * (1 / _SHARE - 1))


class _Meter:
    def __init__(self, pid: int, scratch: Scratch, limits: SandboxLimits, relative: bool) -> None:
        self._pid, self._scratch, self._limits = pid, scratch, limits
        self._most_disk: int | None = None
        self._cpu_before = None if relative else 0.0

    def exceeded(self) -> LimitName | None:
        limits = self._limits
        tree = tree_usage(self._pid, limits.memory)
        if tree.memory > limits.memory:
            return "memory"
        if self._cpu_before is None:
            self._cpu_before = tree.cpu_time
        if tree.cpu_time - self._cpu_before > limits.cpu_time:
            return "cpu_time"
        folders = folder_usage(self._scratch.writable, limits.files)
        size = folders.size + sum(tree.hidden.values())
        if self._most_disk is None:
            # Code that finds the disk full can delete files, and must not add any.
            self._most_disk = max(limits.disk, size)
        if size > self._most_disk or folders.files > limits.files or folders.too_deep:
            return "disk"
        return None
