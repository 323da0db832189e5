"""The saved form of a sandbox executor."""

import re

from pydantic import BaseModel

from ferrogen.code_executor.sandbox.artifacts import ArtifactRules
from ferrogen.code_executor.sandbox.environments import Requirements
from ferrogen.code_executor.sandbox.limits import SandboxLimits, parse_size

_IPYTHON = re.compile(r"\s*ipython(?![\w.-])", re.IGNORECASE)


class SandboxCodeExecutorConfig(BaseModel):
    """The arguments of `SandboxCodeExecutor`, as data.

    Example:
        ```python
        from ferrogen.code_executor import SandboxCodeExecutorConfig

        assert SandboxCodeExecutorConfig(timeout=5).memory == "512MiB"
        ```
    """

    __module__ = "ferrogen.code_executor"

    timeout: float = 60
    memory: int | str = "512MiB"
    cpu_time: float | None = None
    processes: int = 64
    file_size: int | str = "64MiB"
    open_files: int = 256
    output: int | str = "1MiB"
    disk: int | str = "256MiB"
    files: int = 10_000
    work_dir: str | None = None
    interpreters: dict[str, list[str]] = {}
    environment: dict[str, str] = {}
    read_only: list[str] = []
    artifacts: list[str] = []
    artifact_size: int | str = "16MiB"
    isolation: str = "auto"
    session: bool = False
    functions_module: str = "functions"
    functions_source: str = ""
    packages: list[str] = []
    indexes: list[str] = []
    require_hashes: bool = False

    def limits(self) -> SandboxLimits:
        """Return the limits.

        Raises:
            SandboxOptionError: One is invalid.
        """
        return SandboxLimits.of(
            timeout=self.timeout,
            memory=self.memory,
            cpu_time=self.timeout if self.cpu_time is None else self.cpu_time,
            processes=self.processes,
            file_size=self.file_size,
            open_files=self.open_files,
            output=self.output,
            disk=self.disk,
            files=self.files,
        )

    def requirements(self) -> Requirements:
        """Return the packages that the code can import.

        Raises:
            SandboxOptionError: One is not a requirement by name, or lacks a hash.
        """
        packages = [*self.packages]
        if self.session and packages and not any(map(_IPYTHON.match, packages)):
            packages.append("ipython")
        return Requirements(tuple(packages), tuple(self.indexes), self.require_hashes)

    def rules(self) -> ArtifactRules:
        """Return the rules of artifacts.

        Raises:
            SandboxOptionError: A path leads outside.
        """
        size = parse_size("artifact_size", self.artifact_size)
        return ArtifactRules(tuple(self.artifacts), most_bytes=size)
