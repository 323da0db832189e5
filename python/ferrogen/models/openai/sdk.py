"""The SDK is imported here first, so that its absence is told in words that help."""

from ferrogen.exceptions import MissingDependencyError

try:
    import openai
except ImportError as error:
    raise MissingDependencyError(
        "ferrogen.models.openai needs the openai package: pip install 'ferrogen[openai]'"
    ) from error

__all__ = ["openai"]
