"""The abstract client: what it is called with, and what has to be implemented."""

import inspect

from .harness import same, submodule


def test_what_a_client_is_called_with_and_has_to_implement():
    async def scenario(core, record):
        client = submodule(core, "models").ChatCompletionClient
        record(sorted(client.__abstractmethods__))
        for name in ("create", "create_stream", "count_tokens", "remaining_tokens"):
            parameters = inspect.signature(getattr(client, name)).parameters.values()
            record(name, [(each.name, str(each.kind), repr(each.default)) for each in parameters])

    same(scenario)
