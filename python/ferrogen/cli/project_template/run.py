"""Ask the assistant: ``python run.py "How warm is it in Turin?"``.

The model is an OpenAI model, or that of any service with the same API: set OPENAI_API_KEY, and if
need be OPENAI_BASE_URL and MODEL. ``--offline`` uses scripted responses instead of a model.
"""

import argparse
import asyncio
import os

from ferrogen.models import ChatCompletionClient
from ferrogen.testing import ScriptedModel

from project_name.assistant import ask

_QUESTION = "How warm is it in Turin?"


def _scripted_model() -> ChatCompletionClient:
    return ScriptedModel(
        [ScriptedModel.call("temperature", city="Turin"), "It is 18 degrees Celsius in Turin."]
    )


def _real_model() -> ChatCompletionClient:
    from ferrogen.models.openai import OpenAIChatCompletionClient

    return OpenAIChatCompletionClient(model=os.environ.get("MODEL", "gpt-4.1-mini"))


async def _main(model: ChatCompletionClient, question: str) -> None:
    async with model:
        for answer in await ask(model, question):
            print(answer)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("question", nargs="?", default=_QUESTION)
    parser.add_argument("--offline", action="store_true", help="use scripted responses")
    options = parser.parse_args()
    asyncio.run(_main(_scripted_model() if options.offline else _real_model(), options.question))
