"""Secrets of model clients: detection, disclosure to the SDK, removal from errors."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import SecretStr

from ferrogen.components.secrets import MASK, EnvironmentSecret
from ferrogen.exceptions import ClientSetupError

REMOVED = "***"
"""The text in place of a secret."""

_SECRET_NAME = re.compile(
    r"authoriz|(^|[-_])auth([-_]|$)|cookie|password|passwd|secret|credential"
    r"|(^|[-_])(api[-_]?)?keys?$|api[-_]?key|(^|[-_])token$",
    re.IGNORECASE,
)
_HEADER_WITH_SECRET = re.compile(r"auth|key|token", re.IGNORECASE)
_SHORTEST_SECRET = 8
_PART = re.compile(r"[!-~]{8,}")


def is_secret_name(name: str) -> bool:
    """Return whether a value under this name is likely to be a secret, such as ``api_key``."""
    return _SECRET_NAME.search(name) is not None


def is_secret_header(name: str) -> bool:
    """Return whether a header of this name is likely to hold a secret."""
    return is_secret_name(name) or _HEADER_WITH_SECRET.search(name) is not None


def protected(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return arguments of a client whose secrets are `SecretStr`, so that nothing shows them."""
    kept = {
        name: SecretStr(value) if isinstance(value, str) and is_secret_name(name) else value
        for name, value in arguments.items()
    }
    if headers := arguments.get("default_headers"):
        kept["default_headers"] = {
            name: SecretStr(value) if isinstance(value, str) and is_secret_header(name) else value
            for name, value in headers.items()
        }
    return kept


def disclosed(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return arguments with the texts of their secrets, for the SDK alone.

    Raises:
        SecretError: The environment variable of a secret is not set.
    """
    clear = {name: _text(value) for name, value in arguments.items()}
    if headers := arguments.get("default_headers"):
        clear["default_headers"] = {name: _text(value) for name, value in headers.items()}
    return clear


def given_secrets(arguments: Mapping[str, Any]) -> list[SecretStr]:
    """Return the secrets among protected arguments."""
    values = [*arguments.values(), *(arguments.get("default_headers") or {}).values()]
    return [value for value in values if isinstance(value, SecretStr)]


def refuse_pickling(arguments: Mapping[str, Any]) -> None:
    """Raise if a pickle of protected arguments would contain a secret.

    Raises:
        ClientSetupError: A secret was given as text.
    """
    if any(not isinstance(value, EnvironmentSecret) for value in given_secrets(arguments)):
        raise ClientSetupError(
            "a client that was given its key cannot be pickled or copied, because the key would "
            "be written; let it come from the environment, or pass an EnvironmentSecret"
        )


def loaded(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments in a config, without those that were not given.

    A secret that went through JSON is a mask only. It is left out, so that the SDK looks for it
    in the environment.
    """
    arguments = {name: value for name, value in values.items() if _is_given(value)}
    if headers := arguments.get("default_headers"):
        arguments["default_headers"] = {
            name: value for name, value in headers.items() if _is_given(value)
        }
    return arguments


class Redactor:
    """Removes secrets from texts and errors.

    Words for servers that require no key, such as ``none``, are not removed.

    Args:
        secrets: The secrets as texts. Parts of them count too, because the characters in between
            are written in another form where a key is rejected because of them.
    """

    def __init__(self, secrets: Iterable[str]) -> None:
        parts = {part for text in secrets for part in (text.strip(), *_PART.findall(text))}
        long = [part for part in parts if len(part) >= _SHORTEST_SECRET]
        self._secrets = sorted(long, key=len, reverse=True)

    def __call__(self, text: str) -> str:
        """Return a text without secrets."""
        for secret in self._secrets:
            text = text.replace(secret, REMOVED)
        return text

    def is_in(self, text: str) -> bool:
        """Return whether a secret is in a text."""
        return any(secret in text for secret in self._secrets)

    def clean(self, error: BaseException) -> None:
        """Remove secrets from an error, and from the errors that it is chained to."""
        seen: set[int] = set()
        rest: list[BaseException | None] = [error]
        while rest:
            current = rest.pop()
            if current is None or id(current) in seen:
                continue
            seen.add(id(current))
            current.args = tuple(self._cleaned(value) for value in current.args)
            attributes = list(vars(current))
            if isinstance(current, UnicodeError):
                attributes += ["object", "reason"]
            for name in attributes:
                self._clean_attribute(current, name)
            rest += [current.__cause__, current.__context__]

    def _clean_attribute(self, error: BaseException, name: str) -> None:
        value = getattr(error, name, None)
        if isinstance(value, str):
            setattr(error, name, self(value))
        elif isinstance(value, (bytes, dict, list, tuple)) and self.is_in(str(value)):
            setattr(error, name, None)

    def _cleaned(self, value: Any) -> Any:
        if isinstance(value, str):
            return self(value)
        return REMOVED if self.is_in(str(value)) else value


def _text(value: Any) -> Any:
    return value.get_secret_value() if isinstance(value, SecretStr) else value


def _is_given(value: Any) -> bool:
    if isinstance(value, EnvironmentSecret):
        return True
    return value is not None and _text(value) != MASK
