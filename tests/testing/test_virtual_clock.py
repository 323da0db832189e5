"""Simulated time: timers take no real time, and what is outside of the loop keeps its own."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
import threading
import time
from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest

from ferrogen import testing
from ferrogen.testing import VirtualClock, VirtualTimeLoop

DAY = 86_400.0


def now() -> float:
    return asyncio.get_running_loop().time()


def test_a_sleep_takes_its_time_and_no_real_one() -> None:
    async def main() -> float:
        await asyncio.sleep(365 * DAY)
        return now()

    before = time.monotonic()
    assert testing.run(main()) == 365 * DAY
    assert time.monotonic() - before < 50


def test_timers_fire_in_order_and_at_their_times() -> None:
    fired: list[tuple[str, float]] = []

    async def main() -> None:
        loop = asyncio.get_running_loop()
        for name, delay in (("c", 3.0), ("a", 0.5), ("b", 0.5), ("d", 3.25)):
            loop.call_later(delay, lambda name=name: fired.append((name, now())))
        loop.call_later(1, fired.append, ("never", 1)).cancel()
        await asyncio.sleep(4)

    testing.run(main())
    assert fired == [("a", 0.5), ("b", 0.5), ("c", 3.0), ("d", 3.25)]


def test_what_is_ready_goes_before_any_jump() -> None:
    steps: list[str] = []

    async def busy() -> None:
        for number in range(1000):
            steps.append(f"{number} at {now()}")
            await asyncio.sleep(0)

    async def main() -> None:
        task = asyncio.ensure_future(busy())
        await asyncio.sleep(0.001)
        steps.append("timer")
        await task

    testing.run(main())
    assert steps[-1] == "timer"
    assert {step.split(" at ")[1] for step in steps[:-1]} == {"0.0"}


def test_a_timeout_ends_what_takes_longer() -> None:
    async def main() -> float:
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(asyncio.sleep(DAY), 60)
        assert await asyncio.wait_for(asyncio.sleep(5, "slept"), 60) == "slept"
        return now()

    assert testing.run(main()) == 65


def test_two_runs_of_a_program_see_the_same_times() -> None:
    async def worker(times: list[float], pause: float) -> None:
        for _ in range(20):
            await asyncio.sleep(pause)
            times.append(now())

    async def main() -> list[float]:
        times: list[float] = []
        await asyncio.gather(*(worker(times, 0.1 * number) for number in range(1, 7)))
        return times

    assert testing.run(main()) == testing.run(main())


def test_time_goes_on_from_one_run_to_the_next() -> None:
    clock = VirtualClock()
    clock.run(asyncio.sleep(10))
    clock.run(asyncio.sleep(20))
    assert clock.time() == 30


def test_a_with_block_has_one_loop_which_it_closes() -> None:
    async def loop_and_task() -> tuple[asyncio.AbstractEventLoop, asyncio.Task[None]]:
        return asyncio.get_running_loop(), asyncio.ensure_future(asyncio.sleep(DAY))

    with VirtualClock() as clock:
        loop, task = clock.run(loop_and_task())
        assert clock.run(loop_and_task())[0] is loop
        assert not loop.is_closed()
    assert loop.is_closed()
    assert task.cancelled()


def test_the_date_follows_the_time() -> None:
    start = datetime(2024, 2, 28, 23, 0, tzinfo=timezone.utc)
    clock = VirtualClock(start)
    clock.run(asyncio.sleep(2 * DAY))
    assert clock.now() == start + timedelta(days=2)
    tokyo = clock.now(ZoneInfo("Asia/Tokyo"))
    assert (tokyo.day, tokyo.hour) == (2, 8)


def test_a_start_without_time_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="time zone"):
        VirtualClock(datetime(2024, 1, 1))


def test_a_clock_does_not_run_inside_a_running_loop() -> None:
    async def main() -> None:
        with pytest.raises(RuntimeError, match="running event loop"):
            testing.run(asyncio.sleep(1))

    asyncio.run(main())


def test_the_fixture_is_a_clock(virtual_clock: VirtualClock) -> None:
    virtual_clock.run(asyncio.sleep(DAY))
    assert virtual_clock.time() == DAY


def test_a_loop_is_a_loop_factory() -> None:
    loop = VirtualTimeLoop()
    try:
        loop.run_until_complete(asyncio.sleep(DAY))
        assert loop.time() == DAY
    finally:
        loop.close()


# Outside of the loop.


def test_no_timer_is_reached_before_a_thread_of_an_executor_has_ended() -> None:
    entered, release = threading.Event(), threading.Event()

    def work() -> str:
        entered.set()
        release.wait(30)
        return "done"

    async def main() -> str:
        job = asyncio.get_running_loop().run_in_executor(None, work)
        while not entered.is_set():  # noqa: ASYNC110 - a thread sets it
            await asyncio.sleep(0)
        asyncio.get_running_loop().call_soon(release.set)
        # In real time the thread needs far less than this.
        return await asyncio.wait_for(job, 3600)

    clock = VirtualClock()
    assert clock.run(main()) == "done"
    assert clock.time() < 60


def test_a_timeout_of_a_thread_fires_in_real_time() -> None:
    release = threading.Event()

    async def main() -> None:
        job = asyncio.get_running_loop().run_in_executor(None, release.wait, 30)
        done, _ = await asyncio.wait({job}, timeout=0.05)
        assert not done
        release.set()
        await job

    clock = VirtualClock()
    before = time.monotonic()
    clock.run(main())
    assert time.monotonic() - before >= 0.05
    assert clock.time() >= 0.05


def test_waiting_for_the_outside_does_not_spin() -> None:
    release = threading.Event()
    loop = VirtualTimeLoop()
    turns = 0
    select = loop._selector.select

    def counted(timeout: float | None) -> object:
        nonlocal turns
        turns += 1
        return select(timeout)

    loop._selector.select = counted

    async def main() -> None:
        await asyncio.wait({loop.run_in_executor(None, release.wait, 0.1)}, timeout=3600)

    try:
        loop.run_until_complete(main())
        loop.run_until_complete(loop.shutdown_default_executor())
    finally:
        loop.close()
    assert turns < 30


def test_a_thread_of_the_program_wakes_the_loop() -> None:
    async def main(clock: VirtualClock) -> None:
        loop, arrived = asyncio.get_running_loop(), asyncio.Event()
        thread = threading.Thread(target=loop.call_soon_threadsafe, args=(arrived.set,))
        with clock.real_time():
            thread.start()
            await asyncio.wait_for(arrived.wait(), 3600)
        thread.join()
        await asyncio.sleep(DAY)

    clock = VirtualClock()
    clock.run(main(clock))
    assert DAY <= clock.time() < DAY + 60


def test_a_thread_wakes_a_loop_without_timers() -> None:
    async def main() -> None:
        loop, arrived = asyncio.get_running_loop(), asyncio.Event()
        thread = threading.Thread(target=loop.call_soon_threadsafe, args=(arrived.set,))
        thread.start()
        await arrived.wait()
        thread.join()

    clock = VirtualClock()
    clock.run(main())
    assert clock.time() == 0


def test_sockets_work_and_no_timeout_overtakes_them() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write((await reader.readline()).upper())
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    async def main() -> bytes:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        reader, writer = await asyncio.wait_for(
            asyncio.open_connection("127.0.0.1", port, family=socket.AF_INET), 3600
        )
        writer.write(b"hello\n")
        line = await asyncio.wait_for(reader.readline(), 3600)
        writer.close()
        await writer.wait_closed()
        server.close()
        await server.wait_closed()
        await asyncio.sleep(DAY)  # jumps again, as nothing is open
        return line

    clock = VirtualClock()
    assert clock.run(main()) == b"HELLO\n"
    assert DAY <= clock.time() < DAY + 60


@pytest.mark.parametrize("pipe", [None, subprocess.PIPE], ids=["plain", "pipe"])
def test_subprocesses_work_and_no_timeout_overtakes_them(pipe: int | None) -> None:
    async def main() -> int:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-S", "-c", "print('hello')", stdout=pipe or subprocess.DEVNULL
        )
        output, _ = await asyncio.wait_for(process.communicate(), 3600)
        assert output == (None if pipe is None else b"hello\n")
        assert process.returncode is not None
        await asyncio.sleep(DAY)
        return process.returncode

    clock = VirtualClock()
    assert clock.run(main()) == 0
    assert DAY <= clock.time() < DAY + 60
