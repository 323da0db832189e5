"""Lookup of registry entries by name, and the files that have them."""

from __future__ import annotations

import re
import warnings
from functools import cache
from importlib.resources import files
from os import PathLike
from pathlib import Path

import msgspec

from ferrogen.exceptions import ModelInfoError
from ferrogen.models.model_info import ModelFamily, ModelInfo
from ferrogen.models.registry.entry import ModelEntry

# What is written behind the name of a model and leaves it the same model: a date, a tag, a place.
_DECORATION = re.compile(
    r"""
    ( -\d{4}-\d{2}-\d{2}    # gpt-4o-2024-08-06
    | -\d{8}                # claude-3-5-haiku-20241022
    | -\d{4}                # mistral-large-2411
    | -\d{3}                # gemini-2.0-flash-001
    | -preview-\d{2}-\d{2}  # gemini-2.5-pro-preview-03-25
    | -latest
    | :[\w.-]+              # llama3.3:70b
    | @[\w.-]+              # claude-3-5-haiku@20241022
    )$""",
    re.VERBOSE,
)


class UnknownModelWarning(UserWarning):
    """Nothing is known of a model by its name, so that it is taken for one that can do little.

    Example:
        ```python
        import warnings

        from ferrogen.models.registry import UnknownModelWarning, model_info

        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UnknownModelWarning)
            assert not model_info("my-own-model")["vision"]
        ```
    """


class _File(msgspec.Struct, forbid_unknown_fields=True):
    """How a file of entries is laid out: a table for each model, under ``models``."""

    models: dict[str, ModelEntry]


_added: dict[str, ModelEntry] = {}
_warned: set[str] = set()


def known_model(name: str) -> ModelEntry | None:
    """Find the entry of a model.

    The name may have a path in front of it (``openai/gpt-4o``), a date, a tag or ``-latest``
    behind it, and capitals.

    Args:
        name: The model, as a service calls it.

    Returns:
        The entry, or ``None``. Registered entries precede those that come with Ferrogen.
    """
    plain = name.lower()
    while True:
        for candidate in (plain, plain.rpartition("/")[2]):
            for entries in (_added, _shipped()):
                if candidate in entries:
                    return entries[candidate]
        shorter = _DECORATION.sub("", plain)
        if shorter == plain:
            return None
        plain = shorter


def known_models() -> dict[str, ModelEntry]:
    """List the entries by the names of the models, without their aliases."""
    entries = {**_shipped(), **_added}
    return {name: entry for name, entry in entries.items() if name not in entry.aliases}


def model_info(name: str) -> ModelInfo:
    """Say what a model can do.

    Of an unknown model nothing is claimed: no pictures, functions or JSON. That is warned of
    once for each name.

    Args:
        name: The model, as a service calls it.

    Returns:
        Its abilities; a new object each time.
    """
    entry = known_model(name)
    if entry is not None:
        return entry.info
    if name not in _warned:
        _warned.add(name)
        warnings.warn(
            f"nothing is known of a model {name!r}, so it is taken for one without vision, "
            "function calling and JSON output; pass model_info to its client, or describe it in "
            "a file for register_models",
            UnknownModelWarning,
            stacklevel=2,
        )
    return ModelInfo(
        vision=False,
        function_calling=False,
        json_output=False,
        structured_output=False,
        family=ModelFamily.UNKNOWN,
    )


def register_models(path: str | PathLike[str]) -> list[str]:
    """Make the models of a TOML file known to this process.

    The file has a table for each model, with the fields of `ModelEntry`:

    ```toml
    [models."our-llama"]
    provider = "ourselves"
    family = "llama-3.3-70b"
    abilities = ["function_calling", "json_output"]
    context_length = 32768
    prices = [{ input = 0.2, output = 0.4 }]
    ```

    Args:
        path: The file. A model that is known already is described anew.

    Returns:
        The names of the models in the file.

    Raises:
        ModelInfoError: The file is not laid out like that.
        OSError: The file cannot be read.
    """
    models = _read(Path(path).read_bytes(), str(path))
    _added.update(_by_every_name(models))
    _warned.difference_update(models)
    return list(models)


@cache
def _shipped() -> dict[str, ModelEntry]:
    file = files("ferrogen.models.registry") / "registry.toml"
    return _by_every_name(_read(file.read_bytes(), file.name))


def _by_every_name(models: dict[str, ModelEntry]) -> dict[str, ModelEntry]:
    return {
        called.lower(): entry for name, entry in models.items() for called in (name, *entry.aliases)
    }


def _read(content: bytes, name: str) -> dict[str, ModelEntry]:
    try:
        return msgspec.toml.decode(content, type=_File).models
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ModelInfoError(f"{name} does not describe models: {error}") from error
