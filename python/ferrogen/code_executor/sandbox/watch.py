"""The watch over a run: ends it when all its processes together exceed a limit."""

import asyncio
import math
import time
from collections.abc import Callable

from ferrogen.code_executor.sandbox.folder_usage import folder_usage
from ferrogen.code_executor.sandbox.isolation import Scratch
from ferrogen.code_executor.sandbox.limits import LimitName, SandboxLimits
from ferrogen.code_executor.sandbox.process import SandboxProcess
from ferrogen.code_executor.sandbox.socket_usage import socket_usage
from ferrogen.code_executor.sandbox.usage import TreeUsage, tree_usage

_PERIOD = 0.025
# Of the time of a processor, measuring takes this part at most.
_SHARE = 0.1


class Meter:
    """Measures a run, and compares it with its limits.

    Args:
        process: What is measured.
        scratch: The folders that the code can write to.
        limits: The limits.
        counts: Whether processor time counts from the start, or only from `begin` on.
    """

    def __init__(
        self,
        process: SandboxProcess,
        scratch: Scratch,
        limits: SandboxLimits,
        *,
        counts: bool = True,
    ) -> None:
        self._pid, self._scratch, self._limits = process.tree, scratch, limits
        self._own_network = process.own_network
        self._most_disk: int | None = None
        self._cpu_before: float | None = 0.0 if counts else math.inf

    def begin(self) -> None:
        """Count processor time from now on, and not from the start of the process."""
        self._cpu_before = None

    def exceeded(self) -> LimitName | None:
        """Return a limit that is exceeded."""
        limits = self._limits
        tree, memory = self._measure()
        if memory > limits.memory:
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

    def _measure(self) -> tuple[TreeUsage, int]:
        tree = tree_usage(self._pid, self._limits.memory, self._limits.file_size)
        sockets = socket_usage(self._pid, len(tree.sockets), own_network=self._own_network)
        return tree, tree.memory + sockets


async def watch(meter: Meter, end: Callable[[LimitName], None]) -> None:
    """Measure until a limit is exceeded, or this is cancelled.

    Args:
        meter: What is measured.
        end: Called with the limit that was exceeded.
    """
    pause = _PERIOD
    while True:
        await asyncio.sleep(pause)
        exceeded, spent = await asyncio.to_thread(_measured, meter)
        if exceeded is not None:
            end(exceeded)
            return
        pause = max(_PERIOD, spent * (1 / _SHARE - 1))


def _measured(meter: Meter) -> tuple[LimitName | None, float]:
    """Return a limit that is exceeded, and the processor time that it took to see that.

    By the clock it takes longer on a busy machine, where the next measurement must not be late.
    """
    began = time.thread_time()
    return meter.exceeded(), time.thread_time() - began
