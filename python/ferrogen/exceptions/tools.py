"""Exceptions of tools and code executors."""

from __future__ import annotations

from .base import FerrogenError


class ToolSchemaError(FerrogenError, ValueError, KeyError, NameError):
    """A function or a tool cannot be described to a model."""

    def __str__(self) -> str:
        return ValueError.__str__(self)  # a KeyError would show its words as a quoted key


class ToolCancelledError(FerrogenError, RuntimeError):
    """The call of a tool was cancelled, while its caller was not."""


class ToolTimeoutError(FerrogenError, TimeoutError):
    """The call of a tool took longer than its timeout."""


class ToolNameError(FerrogenError, ValueError):
    """A workbench would have two tools under one name."""


class ToolProcessError(FerrogenError, RuntimeError):
    """A killable tool cannot run in a process, or its process ended without a result."""


class ToolStreamError(FerrogenError, AssertionError, TypeError):
    """The stream of a tool ended without a result, or with one of an undeclared type."""


class FunctionSourceError(FerrogenError, ValueError):
    """Source text does not run, or does not define exactly one function."""


class SandboxError(FerrogenError, RuntimeError):
    """A sandbox could not run a program."""


class SandboxUnavailableError(SandboxError):
    """Nothing can isolate code on this machine, so none is run."""


class SandboxOptionError(FerrogenError, ValueError):
    """An option of a code executor is invalid."""


class PackageInstallError(FerrogenError, RuntimeError):
    """The packages that a code executor is to offer cannot be installed."""


class ArtifactError(FerrogenError, OSError):
    """A file cannot be taken out of a sandbox, or put into it."""
