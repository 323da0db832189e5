"""Executors, imported when they are first used: `ferrogen.tools` needs none of them."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any

_LOCAL = "ferrogen.code_executor.local"
_SANDBOX = "ferrogen.code_executor.sandbox"

LAZY_IMPORTS = {
    "Artifact": f"{_SANDBOX}.artifacts",
    "CommandLineCodeResult": _LOCAL,
    "LocalCommandLineCodeExecutor": _LOCAL,
    "LocalCommandLineCodeExecutorConfig": _LOCAL,
    "OutputPart": f"{_SANDBOX}.result",
    "RefusedArtifact": f"{_SANDBOX}.artifacts",
    "SandboxCodeExecutor": f"{_SANDBOX}.executor",
    "SandboxCodeExecutorConfig": f"{_SANDBOX}.options",
    "SandboxResult": f"{_SANDBOX}.result",
    "UnprotectedExecutionWarning": _LOCAL,
}


def lazy_attribute(name: str) -> Any:
    """Serve as the module-level ``__getattr__`` of ``ferrogen.code_executor``.

    Raises:
        AttributeError: There is nothing of that name.
    """
    if name not in LAZY_IMPORTS:
        raise AttributeError(f"module 'ferrogen.code_executor' has no attribute {name!r}")
    value = getattr(import_module(LAZY_IMPORTS[name]), name)
    setattr(sys.modules["ferrogen.code_executor"], name, value)
    return value
