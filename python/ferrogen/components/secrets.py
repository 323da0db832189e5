"""References to secrets in configs, by the name of an environment variable.

In a config a reference is ``{"$env": "NAME"}``, at any place where the schema has a secret. It is
handed to the schema as a `SecretStr`, so that no error can show it and no other field takes it.
"""

from __future__ import annotations

import marshal
import os
from collections.abc import Mapping
from typing import Any

from pydantic import GetCoreSchemaHandler, SecretStr
from pydantic_core import PydanticCustomError, SchemaSerializer, core_schema

from ferrogen.components.faults import Place, replaced, spelled
from ferrogen.exceptions import SecretError

KEY = "$env"
MASK = "**********"
"""The text that pydantic writes in the place of a secret."""

_REMEMBERED = "_secret_references"


class EnvironmentSecret(SecretStr):
    """A secret that is kept in an environment variable, and read there whenever it is used.

    It can be used like pydantic's ``SecretStr``. What is written of it, in configs, pickles and
    representations, is the name of the variable and never its value.

    Args:
        variable: The name of the environment variable.

    Raises:
        SecretError: This cannot be the name of one.

    Example:
        ```python
        import os

        from ferrogen.components import EnvironmentSecret

        os.environ["EXAMPLE_API_KEY"] = "sk-1234"
        key = EnvironmentSecret("EXAMPLE_API_KEY")
        assert key.get_secret_value() == "sk-1234"
        assert repr(key) == "EnvironmentSecret('EXAMPLE_API_KEY')"
        ```
    """

    __module__ = "ferrogen.components"

    def __init__(self, variable: str) -> None:
        if not _is_name(variable):
            raise SecretError(f"{variable!r} cannot be the name of an environment variable")
        self.variable = variable
        """The name of the environment variable."""

    def get_secret_value(self) -> str:
        """Read the secret.

        Raises:
            SecretError: The environment variable is not set.
        """
        if not self.is_set():
            raise SecretError(f"the environment variable {self.variable!r} of a secret is not set")
        return os.environ[self.variable]

    def is_set(self) -> bool:
        """Return whether the environment variable is set."""
        return self.variable in os.environ

    def reference(self) -> dict[str, str]:
        """Return what a config holds in the place of the secret."""
        return {KEY: self.variable}

    def __eq__(self, other: object) -> bool:
        return isinstance(other, EnvironmentSecret) and self.variable == other.variable

    def __hash__(self) -> int:
        return hash((EnvironmentSecret, self.variable))

    def __len__(self) -> int:
        return len(self.get_secret_value())

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.variable!r})"

    def _display(self) -> str:
        return MASK

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.variable,)

    @classmethod
    def __get_pydantic_core_schema__(
        cls, source: Any, handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        """Return the pydantic schema of fields that take only references."""
        described = core_schema.typed_dict_schema(
            {KEY: core_schema.typed_dict_field(core_schema.str_schema(min_length=1))},
            extra_behavior="forbid",
        )
        return core_schema.no_info_plain_validator_function(
            cls._read, json_schema_input_schema=described, serialization=_AS_REFERENCE
        )

    @classmethod
    def _read(cls, value: Any) -> EnvironmentSecret:
        found = referred(value)
        if found is None:
            raise PydanticCustomError(
                "secret_reference", "a reference to a secret is an object with one key, '$env'"
            )
        return found


_AS_REFERENCE = core_schema.plain_serializer_function_ser_schema(
    EnvironmentSecret.reference, when_used="json-unless-none"
)
# For where it stands as Any, such as in the config of a ComponentModel.
EnvironmentSecret.__pydantic_serializer__ = SchemaSerializer(
    core_schema.any_schema(serialization=_AS_REFERENCE)
)


def referred(value: Any) -> EnvironmentSecret | None:
    """Return the secret that a value of a config refers to, if it is a reference."""
    if isinstance(value, EnvironmentSecret):
        return value
    if type(value) is dict and value.keys() == {KEY} and _is_name(value[KEY]):
        return EnvironmentSecret(value[KEY])
    return None


def _may_hold_secrets(config: dict[str, Any]) -> bool:
    """Return quickly whether a config can hold secrets: configs can be long, and few have any.

    marshal writes what JSON knows, and nothing else, far faster than Python can look through it.
    """
    try:
        return KEY.encode() in marshal.dumps(config)
    except ValueError:
        return True


def _is_name(variable: object) -> bool:
    """Return whether an environment variable can be called so."""
    return isinstance(variable, str) and variable != "" and not {"=", "\0"} & set(variable)


def take_references(
    config: dict[str, Any],
) -> tuple[dict[str, Any], dict[Place, EnvironmentSecret]]:
    """Put secrets in the places of references to them.

    Returns:
        The config, copied if there are any, and where they stand in it.
    """
    found: dict[Place, EnvironmentSecret] = {}
    if not _may_hold_secrets(config):
        return config, found

    def take(place: Place, value: Any) -> Any:
        secret = referred(value)
        if secret is None:
            return value
        found[place] = secret
        return secret

    return replaced(config, take), found


def require(secrets: Mapping[Place, EnvironmentSecret], provider: str) -> None:
    """Raise if secrets of a config are not there, naming all that are not.

    Raises:
        SecretError: An environment variable is not set.
    """
    missing = [
        f"{secret.variable!r} (at {spelled(place)})"
        for place, secret in secrets.items()
        if not secret.is_set()
    ]
    if missing:
        raise SecretError(
            f"secrets of {provider} are missing: set the environment variables {', '.join(missing)}"
        )


def remember(component: object, secrets: dict[Place, EnvironmentSecret]) -> None:
    """Let a component know from where its secrets came, as its class may keep only their values."""
    if secrets:
        vars(component)[_REMEMBERED] = secrets


def put_references(component: object, config: dict[str, Any]) -> dict[str, Any]:
    """Put references back in the places of the secrets that came from them.

    A place that is not known, as when a config was of a past version, is recognized by the value.
    """
    if not _may_hold_secrets(config):
        return config
    remembered: Mapping[Place, EnvironmentSecret] = vars(component).get(_REMEMBERED, {})
    values = {one.get_secret_value(): one for one in remembered.values() if one.is_set()}

    def put(place: Place, value: Any) -> Any:
        if not isinstance(value, SecretStr):
            return value
        if isinstance(value, EnvironmentSecret):
            return value.reference()
        secret = remembered.get(place, values.get(value.get_secret_value()))
        return value if secret is None else secret.reference()

    written: dict[str, Any] = replaced(config, put)
    return written
