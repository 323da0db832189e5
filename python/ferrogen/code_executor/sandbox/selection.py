"""The choice of an isolation that works on this machine."""

from collections.abc import Callable
from dataclasses import replace

from ferrogen._core import CancellationToken
from ferrogen.code_executor.sandbox.bubblewrap import BubblewrapIsolation
from ferrogen.code_executor.sandbox.isolation import Isolation, Launch
from ferrogen.code_executor.sandbox.landlock import LandlockIsolation
from ferrogen.code_executor.sandbox.run import run
from ferrogen.exceptions import SandboxError, SandboxOptionError, SandboxUnavailableError

_TRIAL = ("/bin/sh", "-c", "exit 7")
_TRIAL_TIMEOUT = 20


KINDS: dict[str, Callable[[], Isolation]] = {
    "bubblewrap": BubblewrapIsolation,
    "landlock": LandlockIsolation,
}


def check_isolation(name: str) -> None:
    """Check the name of an isolation.

    Raises:
        SandboxOptionError: There is no isolation of this name.
    """
    if name != "auto" and name not in KINDS:
        raise SandboxOptionError(
            f"isolation is {name!r}; it must be one of 'auto', {', '.join(map(repr, KINDS))}"
        )


async def choose_isolation(name: str, launch: Launch) -> Isolation:
    """Return the first isolation that runs a program.

    Args:
        name: ``"auto"``, or the only one to try.
        launch: The user, the limits and the folders to try it with.

    Raises:
        SandboxUnavailableError: None works.
    """
    reasons = []
    for kind in KINDS if name == "auto" else (name,):
        try:
            isolation = KINDS[kind]()
            await _try(isolation, launch)
        except (SandboxError, OSError) as error:  # noqa: PERF203 - there are two
            reasons.append(f"{kind}: {error}")
        else:
            return isolation
    raise SandboxUnavailableError(
        "no isolation works on this machine, so no code is run; `ferrogen doctor` says what to do"
        f" ({'; '.join(reasons)})"
    )


async def _try(isolation: Isolation, launch: Launch) -> None:
    output = bytearray()

    def add_output(_: str, data: bytes) -> bool:
        output.extend(data)
        return True

    trial = replace(launch, command=_TRIAL, limits=replace(launch.limits, timeout=_TRIAL_TIMEOUT))
    end = await run(isolation, trial, CancellationToken(), add_output, lambda kill: lambda: None)
    if end.exit_code != 7:
        words = output.decode(errors="replace").strip()
        raise SandboxError(f"a trial run ended with exit code {end.exit_code} {words}")
