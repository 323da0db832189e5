"""Results of sandboxed runs."""

from dataclasses import dataclass, field

from ferrogen.code_executor.execution import CodeResult
from ferrogen.code_executor.sandbox.artifacts import Artifact, RefusedArtifact
from ferrogen.code_executor.sandbox.limits import LimitName
from ferrogen.code_executor.sandbox.process import Stream


@dataclass(frozen=True)
class OutputPart:
    """A part of the output, as it is written.

    Args:
        stream: ``"stdout"`` or ``"stderr"``.
        text: The part; bytes that are not UTF-8 are replaced.

    Example:
        ```python
        from ferrogen.code_executor import OutputPart

        assert OutputPart("stderr", "failed").stream == "stderr"
        ```
    """

    __module__ = "ferrogen.code_executor"

    stream: Stream
    text: str


@dataclass
class SandboxResult(CodeResult):
    """How the execution of code blocks in a sandbox ended.

    ``output`` has stdout and stderr in the order in which they arrived, and a last line that names
    the limit, if one ended the run. The exit code is 124 after the time limit, 137 after others.

    Example:
        ```python
        from ferrogen.code_executor import SandboxResult

        result = SandboxResult(exit_code=124, output="[stopped: timeout]", limit="timeout")
        assert result.limit == "timeout"
        ```
    """

    __module__ = "ferrogen.code_executor"

    stdout: str = ""
    """The output on stdout."""

    stderr: str = ""
    """The output on stderr."""

    limit: LimitName | None = None
    """The limit that ended the run, if one did."""

    artifacts: list[Artifact] = field(default_factory=list[Artifact])
    """The declared files that the code has left."""

    refused_artifacts: list[RefusedArtifact] = field(default_factory=list[RefusedArtifact])
    """Files that match a declaration and are not passed on, with the reason."""
