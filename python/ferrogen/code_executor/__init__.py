"""Code execution: executors, blocks of code, and the functions that are offered to them."""

from typing import TYPE_CHECKING

from .execution import CodeBlock, CodeResult
from .executor import CodeExecutor
from .requirements import (
    Alias,
    FunctionWithRequirements,
    FunctionWithRequirementsStr,
    Import,
    ImportFromModule,
    with_requirements,
)

if TYPE_CHECKING:
    from .local import (
        CommandLineCodeResult,
        LocalCommandLineCodeExecutor,
        LocalCommandLineCodeExecutorConfig,
        UnprotectedExecutionWarning,
    )
    from .sandbox.artifacts import Artifact, RefusedArtifact
    from .sandbox.executor import SandboxCodeExecutor
    from .sandbox.options import SandboxCodeExecutorConfig
    from .sandbox.result import OutputPart, SandboxResult
else:  # a __getattr__ that type checkers see would let every name through
    from .lazy_imports import lazy_attribute as __getattr__  # noqa: F401 - Python calls it

__all__ = [
    "Alias",
    "Artifact",
    "CodeBlock",
    "CodeExecutor",
    "CodeResult",
    "CommandLineCodeResult",
    "FunctionWithRequirements",
    "FunctionWithRequirementsStr",
    "Import",
    "ImportFromModule",
    "LocalCommandLineCodeExecutor",
    "LocalCommandLineCodeExecutorConfig",
    "OutputPart",
    "RefusedArtifact",
    "SandboxCodeExecutor",
    "SandboxCodeExecutorConfig",
    "SandboxResult",
    "UnprotectedExecutionWarning",
    "with_requirements",
]
