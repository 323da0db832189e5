"""The command line: rounds until enough messages have run, and the report."""

from __future__ import annotations

import argparse
import faulthandler
import gc
import json
import os
import signal
import sys
import time
import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

from .observing import install_log_handlers, set_log_level
from .plans import PROFILES, plan_of
from .processes import RESULT, run_processes
from .rounds import Round
from .virtual_loop import StuckError

__all__ = ["main"]

_SUMMARY_EVERY = 20_000
_SECONDS_OF_A_ROUND = 300
_PAGE = os.sysconf("SC_PAGE_SIZE")


def main(arguments: list[str] | None = None) -> int:
    """Run the soak program; 0 only if everything balances."""
    options = _options(arguments)
    if options.processes > 1:
        return 0 if all(run_processes(options)) else 1
    used: Counter[str] = Counter()
    lost: list[str] = []
    install_log_handlers(used, lost)
    warnings.simplefilter("ignore")
    sys.unraisablehook = lambda error: lost.append(f"{error.err_msg}: {error.exc_value!r}")
    print(f"soak: profile {options.profile}, seed {options.seed}, {options.messages} messages")
    sys.stdout.flush()
    watch = _MemoryWatch(options.messages)
    began = time.perf_counter()
    done, digest, number, last = 0, 0, options.round or 0, 0
    while done < options.messages:
        set_log_level(is_informing=False)
        plan = plan_of(options.profile, options.seed, number)
        one = Round(plan, used)
        with _time_limit(number):
            one.run()
        done += one.ledger.messages
        used["mode: messages"] += one.ledger.messages
        digest = hash((digest, one.ledger.digest))
        if one.ledger.violations or lost:
            _print_failure(one, number, options, lost)
            sys.stdout.flush()
            os._exit(1)  # what is left of the round would complain
        if done // _SUMMARY_EVERY > last // _SUMMARY_EVERY:
            rate = done / (time.perf_counter() - began)
            print(
                f"{done:>9} messages, round {number}, {rate:.0f} per second, "
                f"RSS {watch.resident():.1f} MiB, 0 violations",
                flush=True,
            )
            last = done
        del one
        watch.look(done)
        number += 1
        if options.round is not None:
            break
    seconds = time.perf_counter() - began
    _print_table(used)
    print(f"{done} messages in {seconds:.0f} s, digest {digest & 0xFFFFFFFF:08x}")
    print(RESULT + json.dumps({"messages": done, "seconds": seconds, "used": used}))
    return watch.verdict(options.growth)


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="soak", description=__doc__)
    parser.add_argument("--messages", type=int, default=2_000_000, help="how many to run")
    parser.add_argument("--seed", type=int, default=time.time_ns() % 1_000_000, help="the choices")
    parser.add_argument("--profile", choices=PROFILES, default="mixed", help="what is exercised")
    parser.add_argument("--round", type=int, help="run only this round of the seed")
    parser.add_argument("--processes", type=int, default=1, help="with one seed each")
    parser.add_argument("--growth", type=float, default=16.0, help="MiB that RSS may grow by")
    return parser.parse_args(arguments)


@contextmanager
def _time_limit(number: int) -> Iterator[None]:
    """End a round that takes too long in real time, even where no Python code runs."""

    def interrupt(*_: object) -> NoReturn:
        raise StuckError(f"round {number} takes more than {_SECONDS_OF_A_ROUND} seconds")

    signal.signal(signal.SIGALRM, interrupt)
    signal.alarm(_SECONDS_OF_A_ROUND)
    faulthandler.dump_traceback_later(_SECONDS_OF_A_ROUND + 10, exit=True)
    try:
        yield
    finally:
        signal.alarm(0)
        faulthandler.cancel_dump_traceback_later()


class _MemoryWatch:
    """Compares the resident memory after a warm-up with that at the end."""

    def __init__(self, messages: int) -> None:
        self._warm_up = min(messages // 4, 400_000)
        self._first: float | None = None
        self._last = 0.0

    @staticmethod
    def resident() -> float:
        """The resident memory now, in MiB."""
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
        return pages * _PAGE / 2**20

    def look(self, done: int) -> None:
        """Measure, if the warm-up is over."""
        if done < self._warm_up:
            return
        if self._first is None:
            gc.collect()
            self._first = self.resident()

    def verdict(self, growth: float) -> int:
        """Print the growth; 1 if it is too much."""
        gc.collect()
        first, last = self._first or self.resident(), self.resident()
        is_flat = last - first <= growth
        print(
            f"RSS {first:.1f} MiB after {self._warm_up} messages, {last:.1f} MiB at the end, "
            f"bound {growth:.0f} MiB: {'flat' if is_flat else 'GROWS'}"
        )
        return 0 if is_flat else 1


def _print_table(used: Counter[str]) -> None:
    print("\nexercised:")
    for name, count in sorted(used.items()):
        print(f"  {name:<52}{count:>10}")
    print()


def _print_failure(one: Round, number: int, options: argparse.Namespace, lost: list[str]) -> None:
    print(f"\nFAILED in round {number}: {one.plan}")
    for event in one.ledger.trace:
        print("   {:.4f} {:<12} #{} {}".format(*event))
    for violation in [*one.ledger.violations[:5], *lost[:5]]:
        print(f"VIOLATION {violation}")
    print(f"run it again: --profile {options.profile} --seed {options.seed} --round {number}")
