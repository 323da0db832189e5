"""The parameters of a run, for every kind of isolation."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ferrogen.code_executor.sandbox.limits import SandboxLimits
from ferrogen.code_executor.sandbox.process import OnData, SandboxProcess, ignore
from ferrogen.code_executor.sandbox.user import Identity, Reach
from ferrogen.code_executor.sandbox.view import SystemView


@dataclass(frozen=True)
class Scratch:
    """The folders of an executor on the host.

    Args:
        root: The folder that has the others.
        work: The work folder of the code, which it can write to.
    """

    root: Path
    work: Path

    @property
    def temporary(self) -> Path:
        """The folder that has a folder for the temporary files of each run."""
        return self.root / "tmp"

    @property
    def shared_memory(self) -> Path:
        """The ``/dev/shm`` of the code."""
        return self.root / "shm"

    @property
    def code(self) -> Path:
        """The blocks of code, which the code can read."""
        return self.root / "code"

    @property
    def etc(self) -> Path:
        """The ``/etc`` of the code, which it can read."""
        return self.root / "etc"

    @property
    def empty(self) -> Path:
        """An empty folder, in place of what the code does not see."""
        return self.root / "empty"

    @property
    def writable(self) -> tuple[Path, ...]:
        """The folders that the code can write to."""
        return (self.work, self.temporary, self.shared_memory)


@dataclass(frozen=True)
class Paths:
    """The folders of an executor as the code sees them.

    Args:
        work: Where it starts.
        code: The blocks of code, and the functions that it can import.
        temporary: For temporary files.
    """

    work: str
    code: str
    temporary: str

    def variables(self) -> dict[str, str]:
        """Return the environment variables that name them."""
        return {
            "HOME": self.work,
            "TMPDIR": self.temporary,
            "MPLCONFIGDIR": f"{self.temporary}/matplotlib",
            "PYTHONPATH": f"{self.code}:{self.work}",
        }


@dataclass(frozen=True)
class Launch:
    """One run.

    Args:
        command: The program and its arguments, as the code sees them.
        variables: The environment of the program, without the variables that name folders.
        scratch: The folders of the executor.
        view: The visible part of the host.
        identity: The host's user that runs it.
        reach: Starts programs of that user.
        limits: Its limits.
        temporary: The folder for temporary files of this run.
        on_data: Called with output.
        descriptors: Descriptors that the program inherits.
    """

    command: Sequence[str]
    variables: Mapping[str, str]
    scratch: Scratch
    view: SystemView
    identity: Identity
    reach: Reach
    limits: SandboxLimits
    temporary: Path
    on_data: OnData = field(default=ignore)
    descriptors: Sequence[int] = ()


class Isolation(ABC):
    """A way to isolate code."""

    name: str

    @abstractmethod
    async def start(self, launch: Launch) -> SandboxProcess:
        """Start a run.

        Raises:
            SandboxError: It could not be started.
        """

    @abstractmethod
    def paths(self, scratch: Scratch, temporary: Path) -> Paths:
        """Return the folders as the code sees them."""
