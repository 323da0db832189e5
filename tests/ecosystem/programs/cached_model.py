"""Responses of a model are stored on disk, and found by another client."""

import asyncio
import tempfile

import diskcache
from autogen_core import InMemoryStore
from autogen_core.models import CreateResult, SystemMessage, UserMessage
from autogen_ext.cache_store.diskcache import DiskCacheStore
from autogen_ext.models.cache import CHAT_CACHE_VALUE_TYPE, ChatCompletionCache
from autogen_ext.models.replay import ReplayChatCompletionClient

ASKED = [SystemMessage(content="Be brief."), UserMessage(content="Why?", source="user")]


async def streamed(client: ChatCompletionCache) -> list[str | CreateResult]:
    return [piece async for piece in client.create_stream(ASKED)]


async def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        for words in ("Because it is.", "Never said."):
            with diskcache.Cache(folder) as cache:
                store = DiskCacheStore[CHAT_CACHE_VALUE_TYPE](cache)
                client = ChatCompletionCache(ReplayChatCompletionClient([words] * 3), store)
                for _ in range(2):
                    result = await client.create(ASKED)
                    print(result.content, result.cached, result.finish_reason, result.usage)
                for _ in range(2):
                    print(await streamed(client))
                print(client.total_usage())

    client = ChatCompletionCache(ReplayChatCompletionClient(["one", "two"]), InMemoryStore())
    print((await client.create(ASKED)).content, (await client.create(ASKED)).content)
    print((await client.create(ASKED[1:])).content)


asyncio.run(main())
