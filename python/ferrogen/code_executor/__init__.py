"""Code execution: blocks of code, and the functions that an executor offers to them."""

from .execution import CodeBlock, CodeResult
from .imports import Alias, Import, ImportFromModule
from .requirements import (
    FunctionWithRequirements,
    FunctionWithRequirementsStr,
    with_requirements,
)

__all__ = [
    "Alias",
    "CodeBlock",
    "CodeResult",
    "FunctionWithRequirements",
    "FunctionWithRequirementsStr",
    "Import",
    "ImportFromModule",
    "with_requirements",
]
