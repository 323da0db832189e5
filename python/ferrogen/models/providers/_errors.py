"""Errors of model services, of their SDKs and of HTTP as errors of Ferrogen.

An error of an SDK is raised as an error of Ferrogen that is also of the SDK's class, so that
programs that catch ``openai.RateLimitError`` continue to work. Its cause is the SDK's error.
Secrets are removed from both.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

from ferrogen.exceptions import (
    ModelConnectionError,
    ModelError,
    ModelRateLimitError,
    ModelResponseError,
    ModelStatusError,
    ModelTimeoutError,
)
from ferrogen.models.providers._error_bodies import ReportedError
from ferrogen.models.providers._secrets import Redactor
from ferrogen.models.waiting_time import waiting_time

_LONGEST_REASON = 500


class Failures:
    """Raises errors of Ferrogen in place of others.

    Args:
        service: The service, as errors name it.
        secrets: Texts that must not be in errors, because services repeat what they were sent.
        sdk: The SDK that sends the requests, if one does. OpenAI's and Anthropic's have the same
            names for their errors.
    """

    def __init__(
        self, service: str, secrets: Iterable[str] = (), sdk: ModuleType | None = None
    ) -> None:
        self._service = service
        self.redact = Redactor(secrets)
        self._sdk: Any = sdk
        self._base: Any = () if sdk is None else sdk.APIError.__base__

    @contextmanager
    def typed(self) -> Iterator[None]:
        """Raise errors of Ferrogen for those of the SDK and of HTTP."""
        try:
            yield
        except ModelError as error:
            self.redact.clean(error)
            raise
        except Exception as error:
            self.redact.clean(error)
            ours = self._of_sdk(error) or self._of_http(error)
            if ours is None:
                raise
            raise ours from error

    def convert(self, reported: ReportedError) -> ModelError:
        """Convert an error in a response with status 200, or at the end of a stream."""
        status = f" (status {reported.status})" if reported.status else ""
        words = self._words(f"broke off its response: {reported.reason[:_LONGEST_REASON]}{status}")
        if reported.status == 429:
            return ModelRateLimitError(words)
        return (
            ModelStatusError(words, status=reported.status)
            if reported.status
            else ModelResponseError(words)
        )

    def refused(self, status: int, reason: str, headers: Any) -> ModelStatusError:
        """Make the error for a response with an error status."""
        words = self._words(f"refused with status {status}: {_short(reason)}")
        wait = waiting_time(headers)
        if status == 429:
            return ModelRateLimitError(words, retry_after=wait)
        return ModelStatusError(words, status=status, retry_after=wait)

    def _of_sdk(self, error: Exception) -> ModelError | None:
        if not isinstance(error, self._base):
            return None
        if isinstance(error, self._sdk.APIStatusError):
            status = error.status_code
            kind = ModelRateLimitError if status == 429 else ModelStatusError
            wait = waiting_time(error.response.headers)
            words = self._words(f"refused: {_short(error)}")
            return _of_both_kinds(kind, words, error, status=status, retry_after=wait)
        if isinstance(error, self._sdk.APITimeoutError):
            return _of_both_kinds(ModelTimeoutError, self._words("did not respond in time"), error)
        if isinstance(error, self._sdk.APIConnectionError):
            words = self._words(f"cannot be reached: {_short(error.__cause__ or error)}")
            return _of_both_kinds(ModelConnectionError, words, error)
        return ModelError(self._words(f"was not asked: {_short(error)}"))

    def _of_http(self, error: Exception) -> ModelError | None:
        """Make the error for one of HTTP's, which SDKs let through while a response is read."""
        reason = _short(error) or type(error).__name__
        # Which of the two libraries is underneath depends on the SDK's version and on the user.
        for http in (sys.modules.get("httpx2"), sys.modules.get("httpx")):
            if http is None:
                continue
            if isinstance(error, http.ConnectTimeout):
                return ModelTimeoutError(self._words(f"did not respond in time: {reason}"))
            if isinstance(error, http.TimeoutException):
                return ModelTimeoutError(self._words(f"stopped responding: {reason}"))
            if isinstance(error, http.ConnectError):
                return ModelConnectionError(self._words(f"cannot be reached: {reason}"))
            if isinstance(error, http.DecodingError):
                return ModelResponseError(
                    self._words(f"sent a response that cannot be unpacked: {reason}")
                )
            if isinstance(error, (http.HTTPError, http.StreamError)):
                return ModelConnectionError(self._words(f"broke off the connection: {reason}"))
        return None

    def _words(self, what: str) -> str:
        return self.redact(f"{self._service} {what}")


def _short(reason: object) -> str:
    return " ".join(str(reason).split())[:_LONGEST_REASON]


def _of_both_kinds(ours: type[ModelError], words: str, error: Any, **details: Any) -> ModelError:
    """Make an error of ours that has what the SDK's has: request, response, body, code."""
    # `api_message` is the text of the service in Anthropic's errors.
    return _made(ours, type(error), words, {**vars(error), **details, "message": words})


def _made(
    ours: type[ModelError], sdks: type[Exception], words: str, details: dict[str, Any]
) -> ModelError:
    """Make an error of two classes."""
    kind = _KINDS.get((ours, sdks)) or _both(ours, sdks)
    error = kind(words)
    vars(error).update(details)
    return error


# Each class is made once, so that two errors of a kind are of one class.
_KINDS: dict[tuple[type[Exception], type[Exception]], type[ModelError]] = {}


def _both(ours: type[ModelError], sdks: type[Exception]) -> type[ModelError]:
    # The constructors of the two require incompatible arguments, so neither is called.
    def init(error: ModelError, words: str) -> None:
        BaseException.__init__(error, words)

    def reduce(error: ModelError) -> tuple[Any, ...]:
        kept = ("status", "status_code", "retry_after", "message")
        details = {name: vars(error)[name] for name in kept if name in vars(error)}
        return _made, (ours, sdks, str(error), details)

    names = {"__module__": ours.__module__, "__doc__": ours.__doc__}
    methods = {"__init__": init, "__reduce__": reduce}
    _KINDS[ours, sdks] = type(ours.__name__, (ours, sdks), {**names, **methods})
    return _KINDS[ours, sdks]
