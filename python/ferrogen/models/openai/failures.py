"""Errors of OpenAI's SDK and of services as errors of Ferrogen.

Each is one of Ferrogen's, the same for every service, and also the SDK's own, so that programs
that catch ``openai.RateLimitError`` keep catching it.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
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
from ferrogen.models.openai.sdk import openai
from ferrogen.models.waiting_time import waiting_time

_LONGEST_REASON = 500


class OpenAIConnectionError(ModelConnectionError, openai.APIConnectionError):
    """The service cannot be reached, or the connection to it was lost."""


class OpenAITimeoutError(ModelTimeoutError, openai.APITimeoutError):
    """The service took longer to answer than it was given."""


class OpenAIStatusError(ModelStatusError, openai.APIStatusError):
    """The service answered with an error status."""


class OpenAIRateLimitError(ModelRateLimitError, openai.RateLimitError):
    """The service wants to be asked less often."""


class OpenAIBadRequestError(OpenAIStatusError, openai.BadRequestError):
    """The service does not understand the request: status 400."""


class OpenAIAuthenticationError(OpenAIStatusError, openai.AuthenticationError):
    """The service does not accept the key: status 401."""


class OpenAIPermissionDeniedError(OpenAIStatusError, openai.PermissionDeniedError):
    """The key does not allow this: status 403."""


class OpenAINotFoundError(OpenAIStatusError, openai.NotFoundError):
    """The service has no such model: status 404."""


class OpenAIConflictError(OpenAIStatusError, openai.ConflictError):
    """The request contradicts another one: status 409."""


class OpenAIUnprocessableEntityError(OpenAIStatusError, openai.UnprocessableEntityError):
    """The service understands the request and cannot do it: status 422."""


class OpenAIInternalServerError(OpenAIStatusError, openai.InternalServerError):
    """The service has failed: a status from 500 on."""


_OURS: dict[type[openai.APIStatusError], type[ModelStatusError]] = {
    openai.BadRequestError: OpenAIBadRequestError,
    openai.AuthenticationError: OpenAIAuthenticationError,
    openai.PermissionDeniedError: OpenAIPermissionDeniedError,
    openai.NotFoundError: OpenAINotFoundError,
    openai.ConflictError: OpenAIConflictError,
    openai.UnprocessableEntityError: OpenAIUnprocessableEntityError,
    openai.RateLimitError: OpenAIRateLimitError,
    openai.InternalServerError: OpenAIInternalServerError,
}


@contextmanager
def typed_failures(model: str, secrets: tuple[str, ...]) -> Iterator[None]:
    """Raise our errors for those of the SDK and of HTTP, with the SDK's as their cause.

    Args:
        model: Who was asked, to be named in errors.
        secrets: What must not appear in them: services repeat what they were sent.
    """
    try:
        yield
    except ModelError as error:
        error.args = tuple(redacted(a, secrets) if isinstance(a, str) else a for a in error.args)
        raise
    except openai.APIStatusError as error:
        raise _status_error(model, error, secrets) from error
    except openai.APITimeoutError as error:
        _redact(error, secrets)
        words = f"the service of {model} did not answer in time"
        raise _detailed(OpenAITimeoutError, words, error) from error
    except openai.APIConnectionError as error:
        _redact(error, secrets)
        words = f"the service of {model} cannot be reached: {error.__cause__ or error}"
        raise _detailed(OpenAIConnectionError, redacted(words, secrets), error) from error
    except openai.OpenAIError as error:
        _redact(error, secrets)
        raise ModelError(f"the service of {model} was not asked: {error}") from error
    except Exception as error:
        ours_or_none = _from_http(model, error, secrets)
        if ours_or_none is None:
            raise
        raise ours_or_none from error


def failure_in_body(model: str, error: Any) -> ModelError:
    """Make the error for one that the service tells in place of an answer, or within one."""
    told = error if isinstance(error, dict) else {"message": error}
    reason = str(told.get("message") or error)[:_LONGEST_REASON]
    words = f"the service of {model} broke off its answer: {reason}"
    status = next((n for n in (told.get("code"), told.get("status")) if isinstance(n, int)), 0)
    if status == 429 or told.get("type") == "rate_limit_error":
        return ModelRateLimitError(words)
    if 400 <= status < 600:
        return ModelStatusError(words, status=status)
    return ModelResponseError(words)


def _status_error(
    model: str, error: openai.APIStatusError, secrets: tuple[str, ...]
) -> ModelStatusError:
    _redact(error, secrets)
    kind = next((ours for sdks, ours in _OURS.items() if isinstance(error, sdks)), None)
    words = f"the service of {model} refused: {str(error)[:_LONGEST_REASON]}"
    ours: ModelStatusError = _detailed(kind or OpenAIStatusError, words, error)
    ours.status = error.status_code
    ours.retry_after = waiting_time(error.response.headers)
    return ours


def _from_http(model: str, error: Exception, secrets: tuple[str, ...]) -> ModelError | None:
    """Make the error for one of HTTP's, which the SDK lets through while an answer is read."""
    reason = redacted(str(error) or type(error).__name__, secrets)
    # Which of the two libraries is underneath depends on the SDK's version and on the user.
    for http in (sys.modules.get("httpx2"), sys.modules.get("httpx")):
        if http is None:
            continue
        if isinstance(error, http.TimeoutException):
            return ModelTimeoutError(f"the service of {model} stopped answering: {reason}")
        if isinstance(error, http.DecodingError):
            return ModelResponseError(f"the answer of {model} cannot be unpacked: {reason}")
        if isinstance(error, (http.HTTPError, http.StreamError)):
            return ModelConnectionError(f"the connection to {model} broke off: {reason}")
    return None


def _detailed(kind: Any, words: str, sdks: openai.APIError) -> Any:
    """Make an error of ours that has what the SDK's knows: request, response, body, code.

    The SDK's constructors are not run: they ask for other things than ours.
    """
    ours = kind(words)
    vars(ours).update({**vars(sdks), **vars(ours), "message": words})
    return ours


def _redact(error: openai.OpenAIError, secrets: tuple[str, ...]) -> None:
    """Take secrets out of the SDK's error, which will be shown as the cause of ours."""
    error.args = tuple(redacted(a, secrets) if isinstance(a, str) else a for a in error.args)
    if isinstance(error, openai.APIError):
        error.message = redacted(error.message, secrets)
        if secrets and error.body is not None:
            body = json.dumps(error.body)
            if any(secret in body for secret in secrets):
                error.body = json.loads(redacted(body, secrets))


def redacted(text: str, secrets: tuple[str, ...]) -> str:
    """Give a text without the secrets in it."""
    for secret in secrets:
        text = text.replace(secret, "***")
    return text
