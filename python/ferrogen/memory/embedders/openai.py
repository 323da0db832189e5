"""Embedder for services with OpenAI's embeddings API."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from pydantic import BaseModel, SecretStr
from typing_extensions import Self

from ferrogen._core import CancellationToken
from ferrogen.components.component import Component
from ferrogen.exceptions import EmbedderError, ModelResponseError
from ferrogen.memory.embedders.embedder import Embedder

_MOST_IN_A_REQUEST = 2048


class OpenAIEmbedderConfig(BaseModel):
    """The config of an `OpenAIEmbedder`."""

    model: str
    base_url: str | None = None
    api_key: SecretStr | None = None
    dimensions: int | None = None
    timeout: float | None = None
    max_retries: int | None = None
    default_headers: dict[str, str | SecretStr] | None = None
    batch_size: int = 256


class _Vector(msgspec.Struct):
    index: int
    embedding: list[float]


class _Response(msgspec.Struct):
    data: list[_Vector]


class OpenAIEmbedder(Embedder, Component[OpenAIEmbedderConfig]):
    """Asks OpenAI, or another service with a ``/v1/embeddings`` endpoint.

    It needs the ``openai`` extra. Errors are those of the model clients.

    Args:
        model: The name of the model.
        base_url: The address of the service, up to ``/v1``.
        api_key: The key; by default that of the environment variable ``OPENAI_API_KEY``.
        dimensions: The length of the vectors, for models that can shorten them.
        timeout: Seconds to wait for a response.
        max_retries: How often the SDK repeats a request.
        default_headers: Headers of each request.
        batch_size: How many texts are sent in one request.

    Raises:
        MissingDependencyError: The ``openai`` package is not installed.
        EmbedderError: The batch size or the dimensions are out of range.

    Example:
        ```python
        from ferrogen.memory import OpenAIEmbedder

        local = OpenAIEmbedder(
            "all-minilm", base_url="http://127.0.0.1:11434/v1", api_key="none", dimensions=384
        )
        assert local.id == "openai/all-minilm/384"
        ```
    """

    __module__ = "ferrogen.memory"

    component_config_schema = OpenAIEmbedderConfig
    component_provider_override = "ferrogen.memory.OpenAIEmbedder"

    def __init__(
        self,
        model: str,
        *,
        base_url: str | None = None,
        api_key: str | SecretStr | None = None,
        dimensions: int | None = None,
        timeout: float | None = None,
        max_retries: int | None = None,
        default_headers: Mapping[str, str | SecretStr] | None = None,
        batch_size: int = 256,
    ) -> None:
        from ferrogen.models.providers._connections import Connections, SdkConnection
        from ferrogen.models.providers._errors import Failures
        from ferrogen.models.providers._secrets import disclosed, given_secrets, protected
        from ferrogen.models.providers.openai.sdk import openai

        if not model or not isinstance(model, str):
            raise EmbedderError(f"the model of an embedder is its name, not {model!r}")
        if not 1 <= batch_size <= _MOST_IN_A_REQUEST:
            raise EmbedderError(f"batch_size is from 1 to {_MOST_IN_A_REQUEST}, not {batch_size}")
        if dimensions is not None and dimensions < 1:
            raise EmbedderError(f"dimensions are at least 1, not {dimensions}")
        given = {
            "base_url": base_url,
            "api_key": api_key,
            "timeout": timeout,
            "max_retries": max_retries,
            "default_headers": default_headers,
        }
        self._arguments = protected({name: one for name, one in given.items() if one is not None})
        self._model, self._dimensions, self._batch_size = model, dimensions, batch_size
        self.id = f"openai/{model}" + ("" if dimensions is None else f"/{dimensions}")
        try:
            first = [openai.AsyncOpenAI(**disclosed(self._arguments))]
        except openai.OpenAIError as error:
            raise EmbedderError(f"the embedder for {model} cannot be set up: {error}") from None
        secrets = [str(one.get_secret_value()) for one in given_secrets(self._arguments)]

        def connection() -> SdkConnection:
            client = first.pop() if first else openai.AsyncOpenAI(**disclosed(self._arguments))
            return SdkConnection(client, openai.AsyncStream)

        self._failures = Failures(
            f"the service of {model}", [*secrets, str(first[0].api_key or "")], openai
        )
        self._connections = Connections(connection)

    async def embed(
        self, texts: Sequence[str], cancellation_token: CancellationToken | None = None
    ) -> list[list[float]]:
        """Return the vectors of texts, in as many requests as it takes.

        Raises:
            ModelError: The service gave no response; its subclasses say why.
            EmbedderError: The response has other vectors than were asked for.
        """
        vectors: list[list[float]] = []
        for start in range(0, len(texts), self._batch_size):
            some = texts[start : start + self._batch_size]
            vectors += await self._request(some, cancellation_token)
        return vectors

    async def _request(
        self, texts: Sequence[str], token: CancellationToken | None
    ) -> list[list[float]]:
        from ferrogen.models.providers._http import exchange

        # A service refuses an empty text. One that is blank has no meaning either.
        body: dict[str, Any] = {"model": self._model, "input": [text or " " for text in texts]}
        body["encoding_format"] = "float"
        if self._dimensions is not None:
            body["dimensions"] = self._dimensions
        connection = await self._connections.here()
        async with exchange(
            connection, "/embeddings", body, {}, token, self._failures
        ) as exchanged:
            async for event in exchanged.events():
                return self._vectors(event.data, len(texts))
        raise ModelResponseError(f"the service of {self._model} sent an empty response")

    def _vectors(self, data: bytes, count: int) -> list[list[float]]:
        from ferrogen.models.providers._error_bodies import error_in

        try:
            found = msgspec.json.decode(data, type=_Response).data
        except msgspec.MsgspecError as error:
            try:
                reported = error_in(msgspec.json.decode(data))
            except msgspec.MsgspecError:
                reported = None
            if reported is not None:
                raise self._failures.convert(reported) from None
            raise ModelResponseError(
                f"the response of the service of {self._model} is not one with vectors: {error}"
            ) from error
        by_index = {each.index: each.embedding for each in found}
        if sorted(by_index) != list(range(count)) or len(found) != count:
            raise EmbedderError(
                f"the service of {self._model} returned {len(found)} vectors for {count} texts"
            )
        lengths = {len(vector) for vector in by_index.values()}
        if self._dimensions is not None and lengths != {self._dimensions}:
            raise EmbedderError(
                f"{self._model} returned vectors of length {max(lengths)}, not "
                f"{self._dimensions}: it cannot shorten them, so leave dimensions out"
            )
        if not all(map(math.isfinite, (value for one in by_index.values() for value in one))):
            raise EmbedderError(f"{self._model} returned a vector that is not finite")
        return [by_index[number] for number in range(count)]

    async def close(self) -> None:
        """Close the connections."""
        await self._connections.close()

    def __repr__(self) -> str:
        return f"OpenAIEmbedder({self._model!r})"

    def _to_config(self) -> OpenAIEmbedderConfig:
        return OpenAIEmbedderConfig(
            model=self._model,
            dimensions=self._dimensions,
            batch_size=self._batch_size,
            **self._arguments,
        )

    @classmethod
    def _from_config(cls, config: OpenAIEmbedderConfig) -> Self:
        from ferrogen.models.providers._secrets import loaded

        given = loaded(dict(config))
        return cls(given.pop("model"), **given)
