"""Import of OpenAI's SDK, with a clear error if it is not installed."""

from ferrogen.exceptions import MissingDependencyError

try:
    import openai
except ImportError as error:
    raise MissingDependencyError(
        "ferrogen.models.openai needs the openai package: pip install 'ferrogen[openai]'"
    ) from error

__all__ = ["openai"]
