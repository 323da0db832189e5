"""Import of Anthropic's SDK, with a clear error if it is not installed."""

from ferrogen.exceptions import MissingDependencyError

try:
    import anthropic
except ImportError as error:
    raise MissingDependencyError(
        "ferrogen.models.anthropic needs Anthropic's SDK: pip install 'ferrogen[anthropic]'"
    ) from error

__all__ = ["anthropic"]
