"""Code execution: executors, blocks of code, and the functions that are offered to them."""

from .execution import CodeBlock, CodeResult
from .executor import CodeExecutor
from .imports import Alias, Import, ImportFromModule
from .requirements import (
    FunctionWithRequirements,
    FunctionWithRequirementsStr,
    with_requirements,
)

__all__ = [
    "Alias",
    "CodeBlock",
    "CodeExecutor",
    "CodeResult",
    "FunctionWithRequirements",
    "FunctionWithRequirementsStr",
    "Import",
    "ImportFromModule",
    "with_requirements",
]
