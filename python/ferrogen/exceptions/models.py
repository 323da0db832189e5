"""Exceptions of model clients and model contexts."""

from __future__ import annotations

from collections.abc import Sequence

from .base import FerrogenError


class ModelInfoError(FerrogenError, ValueError):
    """The description of a model lacks a required field."""


class ModelError(FerrogenError, RuntimeError):
    """A model gave no usable response."""


class ModelConnectionError(ModelError, ConnectionError):
    """The service of a model cannot be reached, or the connection to it was lost."""


class ModelTimeoutError(ModelError, TimeoutError):
    """The service of a model did not respond within the timeout."""


class ModelStatusError(ModelError):
    """The service of a model responded with an error status.

    Args:
        message: The text of the error.
        status: The HTTP status; 0 if it is not known.
        retry_after: The seconds to wait before the next request, if the service has named them.
    """

    def __init__(self, message: str, *, status: int = 0, retry_after: float | None = None) -> None:
        # Not super(): subclasses inherit from errors of SDKs, too, whose constructors take other
        # arguments and come next where RuntimeError does not define one (CPython 3.14).
        Exception.__init__(self, message)
        self.status = status
        self.retry_after = retry_after


class ModelRateLimitError(ModelStatusError):
    """The service of a model limits the rate of requests.

    Args:
        message: The text of the error.
        status: The HTTP status.
        retry_after: The seconds to wait before the next request, if the service has named them.
    """

    def __init__(
        self, message: str, *, status: int = 429, retry_after: float | None = None
    ) -> None:
        super().__init__(message, status=status, retry_after=retry_after)


class ModelResponseError(ModelError):
    """The response of a model cannot be read: it is truncated, invalid JSON, or incomplete."""


class AllClientsFailedError(ModelError):
    """Every client of a fallback failed.

    Args:
        message: The text of the error.
        errors: The error of each client, in the order of the calls.
    """

    def __init__(self, message: str, *, errors: Sequence[Exception] = ()) -> None:
        super().__init__(message)
        self.errors = tuple(errors)


class BudgetExceededError(ModelError):
    """The next call of a model could exceed a budget, so it was not made."""


class ReplayMismatchError(ModelError):
    """A request was not recorded, so there is no response to replay."""


class CacheStoreError(FerrogenError, RuntimeError):
    """A file cannot be read or written as a cache."""


class ClientSetupError(FerrogenError, ValueError):
    """A model client, or a middleware around one, is set up wrongly."""


class ModelRequestError(FerrogenError, ValueError):
    """A request to a model has unknown or contradictory arguments."""


class UnknownArgumentError(ClientSetupError, ModelRequestError, TypeError):
    """A model client, or a request to one, has no argument of this name."""


class CassetteError(FerrogenError, ValueError):
    """A file cannot be read as a recording of requests to a model."""


class ContextLimitError(FerrogenError, ValueError):
    """The limit of a model context is not above zero."""
