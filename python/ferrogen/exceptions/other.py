"""Exceptions of serialization, schemas, images and imports."""

from __future__ import annotations

from .base import FerrogenError


class SerializationError(FerrogenError, ValueError):
    """A message cannot be turned into bytes, or bytes cannot be turned into a message."""


class MessageVersionError(SerializationError):
    """A message is of a version that its class cannot read, or versions are declared wrongly."""


class SchemaConversionError(FerrogenError):
    """A JSON Schema cannot be turned into a pydantic model."""


class FormatNotSupportedError(SchemaConversionError):
    """A property of a JSON Schema has a format that is not known.

    Upstream raises it; here such a format is an annotation.
    """


class ReferenceNotFoundError(SchemaConversionError):
    """A reference in a JSON Schema cannot be resolved."""


class UnsupportedKeywordError(SchemaConversionError):
    """A part of a JSON Schema has an unknown type, or contradicts another part."""


class ImageError(FerrogenError, ValueError):
    """An image cannot be read."""


class MissingDependencyError(FerrogenError, ImportError):
    """A feature needs an optional package that is not installed."""


class WrongLoopError(FerrogenError, RuntimeError):
    """The runtime is bound to one event loop and was used from another."""


class AlreadyImportedError(FerrogenError, RuntimeError):
    """The real ``autogen_core`` is imported already, so Ferrogen cannot take its place."""


class NotProvidedError(FerrogenError, ModuleNotFoundError):
    """A name of ``autogen_core`` that Ferrogen does not provide."""
