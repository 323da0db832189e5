"""Connections to services without an SDK."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from ferrogen.exceptions import MissingDependencyError
from ferrogen.models.providers._error_bodies import error_in, parse_error
from ferrogen.models.providers._errors import Failures
from ferrogen.models.providers._http import Response

try:
    import httpx
except ImportError as error:
    raise MissingDependencyError(
        "this model client needs an HTTP client: pip install 'ferrogen[ollama]'"
    ) from error

_CONNECT_SECONDS = 10.0


class HttpConnection:
    """Sends requests through a pool of HTTP connections.

    Args:
        base_url: The address of the service.
        headers: Headers of each request.
        timeout: Seconds to wait for the service to send something.
        failures: Makes the error for a response with an error status.
    """

    def __init__(
        self, base_url: str, headers: Mapping[str, str], timeout: float, failures: Failures
    ) -> None:
        times = httpx.Timeout(timeout, connect=min(timeout, _CONNECT_SECONDS))
        self._client = httpx.AsyncClient(base_url=base_url, headers=dict(headers), timeout=times)
        self._failures = failures

    async def post(
        self, path: str, body: Mapping[str, Any], options: Mapping[str, Any]
    ) -> Response:
        """Send a request, and return the response before its body is read.

        Raises:
            ModelStatusError: The response has an error status.
        """
        headers = {"content-type": "application/json", **options.get("headers", {})}
        request = self._client.build_request(
            "POST",
            path,
            content=msgspec.json.encode(body),
            headers=headers,
            params=options.get("params"),
        )
        response = await self._client.send(request, stream=True)
        if response.status_code < 400:
            return response
        try:
            reason = _reason(await response.aread())
        finally:
            await response.aclose()
        raise self._failures.refused(response.status_code, reason, response.headers)

    async def close(self) -> None:
        """Close the pool."""
        await self._client.aclose()


def _reason(body: bytes) -> str:
    """Return the words of an error response."""
    try:
        value = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return body.decode("utf-8", "replace")
    return (error_in(value) or parse_error(value)).reason
