"""Failures are classified, independent of the client that raised them."""

import anthropic
import httpx
import httpx2
import openai
import pytest

from ferrogen import exceptions
from ferrogen.models.middleware.failures import is_one_of, kind_of, known_kinds, retry_after

NOW = 1_700_000_000.0  # Tue, 14 Nov 2023 22:13:20 GMT


def status_error(status, **headers):
    """What OpenAI's SDK raises for a status."""
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    response = httpx2.Response(
        status, headers=names, request=httpx2.Request("POST", "http://localhost")
    )
    return openai.APIStatusError("no", response=response, body=None)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (exceptions.ModelRateLimitError("x"), "rate_limit"),
        (exceptions.ModelStatusError("x", status=500), "server"),
        (exceptions.ModelStatusError("x", status=404), "refused"),
        (exceptions.ModelStatusError("x"), "other"),
        (exceptions.ModelTimeoutError("x"), "timeout"),
        (exceptions.ModelConnectionError("x"), "connection"),
        (exceptions.ModelResponseError("x"), "response"),
        (exceptions.BudgetExceededError("x"), "budget"),
        (exceptions.ModelError("x"), "other"),
        (status_error(429), "rate_limit"),
        (status_error(408), "timeout"),
        (status_error(409), "server"),
        (status_error(529), "server"),
        (status_error(403), "refused"),
        (openai.APITimeoutError(httpx2.Request("POST", "http://localhost")), "timeout"),
        (
            openai.APIConnectionError(request=httpx2.Request("POST", "http://localhost")),
            "connection",
        ),
        (anthropic.APITimeoutError(httpx2.Request("POST", "http://localhost")), "timeout"),
        (httpx.ReadTimeout("x"), "timeout"),
        (httpx.RemoteProtocolError("x"), "connection"),
        (BrokenPipeError(), "connection"),
        (ValueError("x"), "other"),
    ],
    ids=repr,
)
def test_an_error_is_of_its_kind(error, kind):
    assert kind_of(error) == kind
    assert is_one_of(error, [kind])


@pytest.mark.parametrize(
    ("error", "seconds"),
    [
        (status_error(429), None),
        (status_error(429, retry_after="12"), 12.0),
        (status_error(429, retry_after="1", retry_after_ms="800"), 0.8),
        (status_error(503, retry_after="Tue, 14 Nov 2023 22:14:00 GMT"), 40.0),
        (status_error(503, retry_after="soon"), None),
        (exceptions.ModelRateLimitError("x", retry_after=3.0), 3.0),
        (exceptions.ModelRateLimitError("x"), None),
        (ConnectionError(), None),
    ],
    ids=repr,
)
def test_the_waiting_time_is_read_from_every_source(error, seconds):
    assert retry_after(error, NOW) == seconds


def test_a_kind_that_does_not_exist_is_refused():
    with pytest.raises(exceptions.ClientSetupError, match="no kind of failure 'ratelimit'; there"):
        known_kinds(["rate_limit", "ratelimit"])
