"""Exceptions of components."""

from __future__ import annotations

from .base import FerrogenError


class ComponentError(FerrogenError):
    """A component cannot be dumped or loaded."""


class ProviderError(ComponentError, ValueError):
    """A provider string is not a dotted path, or is not trusted."""


class UntrustedProviderError(ProviderError):
    """A provider string names something outside the trusted namespaces; it was not imported."""


class ComponentTypeError(ComponentError, TypeError):
    """A provider does not name a component class of the expected type, or names a local one."""


class ComponentDefinitionError(ComponentError, AttributeError):
    """A component class lacks a required class variable."""


class ComponentVersionError(ComponentError, NotImplementedError):
    """A config is of a past version that its class cannot read."""


class FunctionDumpError(ComponentError, TypeError, OSError):
    """A function cannot be written into a config as source text."""


class SourceTextRefusedError(ComponentError, PermissionError):
    """A config holds source text, and the caller did not allow it to be run."""


class SourceImportError(ComponentError, ModuleNotFoundError, RuntimeError):
    """Something that a function in source text needs cannot be imported."""


class ComponentFileError(ComponentError, ValueError):
    """A file does not hold a component, or is of a format that cannot hold one."""


class SecretError(ComponentError, ValueError):
    """A secret cannot be found, or would have to be written into a config."""
