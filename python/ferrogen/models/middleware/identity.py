"""The identity of the model behind a client, for cache keys."""

from __future__ import annotations

from typing import Any

from pydantic_core import to_jsonable_python

from ferrogen.exceptions import ClientSetupError
from ferrogen.models.client import ChatCompletionClient
from ferrogen.models.middleware.middleware import Middleware
from ferrogen.models.providers._secrets import is_secret_name


def identity(client: ChatCompletionClient) -> Any:
    """Return the model and its settings as JSON values.

    For middleware it is that of the client within. For a client it is its config; a new key for
    the service leaves it the same.

    Raises:
        ClientSetupError: The client cannot be dumped.
    """
    if isinstance(client, Middleware):
        models = [identity(each) for each in client.within()]
        return models[0] if len(models) == 1 else models
    try:
        dumped = client.dump_component()
        config = to_jsonable_python(dumped.config)
    except Exception as error:  # whatever a client of a user raises
        raise ClientSetupError(
            f"{type(client).__name__} cannot say which model it asks, since it cannot be dumped: "
            "give its name as the model argument"
        ) from error
    return [dumped.provider, {name: config[name] for name in config if not is_secret_name(name)}]
