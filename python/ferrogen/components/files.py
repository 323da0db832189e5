"""File formats of components: JSON, YAML and TOML, selected by the suffix."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec.toml
import msgspec.yaml
from pydantic import SecretStr, ValidationError
from pydantic_core import to_jsonable_python

from ferrogen.components.config import ComponentToConfig
from ferrogen.components.faults import Place, replaced, spelled, values_in
from ferrogen.components.model import ComponentModel
from ferrogen.components.secrets import EnvironmentSecret
from ferrogen.exceptions import ComponentFileError, MissingDependencyError, SecretError


def read_component(path: str | Path) -> ComponentModel:
    """Read a component from a ``.json``, ``.yaml``, ``.yml`` or ``.toml`` file, without making it.

    Args:
        path: The file; YAML needs ``pip install "ferrogen[yaml]"``.

    Returns:
        The argument for `ComponentLoader.load_component`.

    Raises:
        OSError: The file cannot be read.
        ComponentFileError: It has another suffix, is not well-formed, or holds no component.
        MissingDependencyError: The package for its format is not installed.
    """
    return _component_of(read_data(path), path)


def read_data(path: str | Path) -> Any:
    """Read the contents of a component file, valid or not.

    Raises:
        OSError: The file cannot be read.
        ComponentFileError: It has another suffix than those of the formats, or is not well-formed.
        MissingDependencyError: The package for its format is not installed.
    """
    form = _format_of(path)
    written = Path(path).read_bytes()
    try:
        return form.decode(written)
    except (ValueError, msgspec.MsgspecError) as error:
        raise ComponentFileError(f"{path} cannot be read as {form.name}: {error}") from error
    except ImportError as error:
        raise form.needs() from error


def write_component(component: ComponentToConfig[Any] | ComponentModel, path: str | Path) -> None:
    """Write a component to a ``.json``, ``.yaml``, ``.yml`` or ``.toml`` file.

    Args:
        component: The component, or its dump.
        path: The file; one that is there is replaced. YAML needs ``pip install "ferrogen[yaml]"``,
            TOML ``pip install "ferrogen[toml]"``.

    Raises:
        OSError: The file cannot be written.
        ComponentFileError: It has another suffix, or its format cannot hold a value of the config.
        SecretError: The config has a secret that is not a reference; a mask would be written.
        MissingDependencyError: The package for its format is not installed.
    """
    form = _format_of(path)
    dumped = component if isinstance(component, ComponentModel) else component.dump_component()
    data = replaced(dumped.model_dump(exclude_none=True), _without_secrets, deep=True)
    try:
        written = form.encode(to_jsonable_python(data))
    except (ValueError, TypeError) as error:
        raise ComponentFileError(f"the component cannot be written to {path}: {error}") from error
    except ImportError as error:
        raise form.needs() from error
    Path(path).write_bytes(written)


@dataclass(frozen=True)
class _Format:
    name: str
    decode: Callable[[bytes], Any]
    encode: Callable[[Any], bytes]

    def needs(self) -> MissingDependencyError:
        return MissingDependencyError(
            f'components in {self.name} need: pip install "ferrogen[{self.name.lower()}]"'
        )


def _as_json(data: Any) -> bytes:
    return (json.dumps(data, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode()


def _as_toml(data: Any) -> bytes:
    for place, value in values_in(data):
        if value is None:
            raise ValueError(f"{spelled(place)} is null, which TOML has not")
    return msgspec.toml.encode(data)


_YAML = _Format("YAML", msgspec.yaml.decode, msgspec.yaml.encode)
_FORMATS = {
    ".json": _Format("JSON", json.loads, _as_json),
    ".toml": _Format("TOML", msgspec.toml.decode, _as_toml),
    ".yaml": _YAML,
    ".yml": _YAML,
}


def _format_of(path: str | Path) -> _Format:
    suffix = Path(path).suffix.lower()
    if suffix not in _FORMATS:
        raise ComponentFileError(f"{path} has none of the suffixes {', '.join(_FORMATS)}")
    return _FORMATS[suffix]


def _component_of(data: Any, path: str | Path) -> ComponentModel:
    try:
        return ComponentModel.model_validate(data)
    except ValidationError as error:
        faults = "; ".join(
            f"{spelled(one['loc'])}: {one['msg']}" if one["loc"] else one["msg"]
            for one in error.errors(include_url=False, include_input=False)
        )
        raise ComponentFileError(f"{path} holds no component: {faults}") from None


def _without_secrets(place: Place, value: Any) -> Any:
    if isinstance(value, EnvironmentSecret):
        return value.reference()
    if isinstance(value, SecretStr):
        raise SecretError(
            f"the secret at {spelled(place)} would not be in the file: give it to the "
            'component as EnvironmentSecret("NAME OF AN ENVIRONMENT VARIABLE")'
        )
    return value
