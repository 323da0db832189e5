"""Middleware returns results only, and exposes its inner client."""

import pytest

from ferrogen.exceptions import ModelResponseError
from ferrogen.models.middleware import Retrying
from ferrogen.models.scripted import ScriptedClient

from .fakes import QUESTION


class Mute(ScriptedClient):
    async def _respond(self, request):
        yield "le"


async def test_a_response_that_ends_without_a_result_is_an_error():
    with pytest.raises(ModelResponseError, match="ends without a result"):
        await Mute([]).create(QUESTION)


def test_the_client_within_can_be_had():
    inner = ScriptedClient([])
    assert Retrying(inner).client is inner
