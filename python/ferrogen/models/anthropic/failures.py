"""Errors of Anthropic's SDK and API as errors of Ferrogen.

Each is one of Ferrogen's, and also of the SDK's kind that it stands for, so that programs that
catch ``anthropic.RateLimitError`` keep catching it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from ferrogen.exceptions import (
    ModelConnectionError,
    ModelError,
    ModelRateLimitError,
    ModelResponseError,
    ModelStatusError,
    ModelTimeoutError,
)
from ferrogen.models.anthropic.events import Fault
from ferrogen.models.anthropic.sdk import anthropic, httpx2
from ferrogen.models.waiting_time import waiting_time

# In a stream the status was sent before the error happened; these are what it would have been.
_STATUS_OF_FAULT = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "api_error": 500,
    "timeout_error": 504,
    "overloaded_error": 529,
}
_LONGEST_REASON = 500
_PART = re.compile(r"[!-~]{8,}")


class Failures:
    """Turns errors of the SDK and of HTTP into ours.

    Args:
        address: The service, to be named in errors.
        secrets: What must not appear in them, for services repeat what they were sent.
    """

    def __init__(self, address: str, secrets: Iterable[str]) -> None:
        self._address = address
        # In parts, for what stands between them is written in another way where a key is refused
        # because of it, such as a line's end.
        self._secrets = [part for secret in secrets for part in _PART.findall(secret)]

    @contextmanager
    def typed(self) -> Iterator[None]:
        """Raise our errors in the place of others.

        None has the SDK's as its cause, whose text may hold secrets.
        """
        try:
            yield
        except anthropic.APIStatusError as error:
            words = self._words(f"refused with status {error.status_code}", error)
            raise self._of_both_kinds(
                ModelRateLimitError if error.status_code == 429 else ModelStatusError,
                words,
                error,
                status=error.status_code,
                retry_after=waiting_time(error.response.headers),
            ) from None
        except anthropic.APITimeoutError as error:
            words = self._words("did not answer in time")
            raise self._of_both_kinds(ModelTimeoutError, words, error) from None
        except anthropic.APIConnectionError as error:
            words = self._words("cannot be reached", error.__cause__ or error)
            raise self._of_both_kinds(ModelConnectionError, words, error) from None
        except httpx2.TimeoutException:
            raise ModelTimeoutError(self._words("stopped answering")) from None
        except httpx2.DecodingError as error:
            raise ModelResponseError(self._words("sent what cannot be unpacked", error)) from None
        except (httpx2.HTTPError, httpx2.StreamError) as error:
            raise ModelConnectionError(self._words("broke the connection off", error)) from None
        except anthropic.AnthropicError as error:
            raise ModelError(self._words("was not asked", error)) from None

    def in_stream(self, fault: Fault) -> ModelStatusError:
        """Make the error for one that the service tells in the middle of a stream."""
        status = _STATUS_OF_FAULT.get(fault.type, 500)
        words = self._words(f"broke its answer off ({fault.type})", fault.message)
        kind = ModelRateLimitError if status == 429 else ModelStatusError
        return kind(words, status=status)

    def _words(self, what: str, reason: object = "") -> str:
        told = " ".join(str(reason).split())[:_LONGEST_REASON]
        return self._redacted(f"the model's service at {self._address} {what}{told and ': '}{told}")

    def _redacted(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return text

    def _of_both_kinds(
        self, ours: type[ModelError], words: str, error: anthropic.APIError, **details: Any
    ) -> ModelError:
        details = {**vars(error), **details, "message": words, "api_message": None}
        if self._redacted(str(error.body)) != str(error.body):
            details["body"] = None
        return _made(ours, type(error), words, details)


def _made(
    ours: type[ModelError], sdks: type[Exception], words: str, details: dict[str, Any]
) -> ModelError:
    """Make an error of two kinds."""
    kind = _KINDS.get((ours, sdks)) or _both(ours, sdks)
    error = kind(words)
    vars(error).update(details)
    return error


# Each kind is made once, so that two errors of it are of one class.
_KINDS: dict[tuple[type[Exception], type[Exception]], type[ModelError]] = {}


def _both(ours: type[ModelError], sdks: type[Exception]) -> type[ModelError]:
    # The constructors of the two ask for incompatible things, so neither is called.
    def init(error: ModelError, words: str) -> None:
        BaseException.__init__(error, words)

    def reduce(error: ModelError) -> tuple[Any, ...]:
        details = {name: vars(error).get(name) for name in ("status", "retry_after", "message")}
        return _made, (ours, sdks, str(error), details)

    names = {"__module__": ours.__module__, "__doc__": ours.__doc__}
    methods = {"__init__": init, "__reduce__": reduce}
    _KINDS[ours, sdks] = type(ours.__name__, (ours, sdks), {**names, **methods})
    return _KINDS[ours, sdks]
