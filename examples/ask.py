"""Asks a language model by Ferrogen's own client: the response as a stream, then as an object.

    python examples/ask.py "Which rivers flow through Turin?"

OPENAI_BASE_URL, OPENAI_API_KEY and MODEL say which model it is, as in the demo.
"""

import asyncio
import os
import sys

from pydantic import BaseModel, Field

from ferrogen.exceptions import ModelError
from ferrogen.models import (
    ChatCompletionClient,
    CreateResult,
    LLMMessage,
    SystemMessage,
    UserMessage,
)
from ferrogen.models.middleware import Retrying
from ferrogen.models.openai import OpenAIChatCompletionClient
from ferrogen.models.usage import UsageLedger, conversation


class Names(BaseModel):
    names: list[str] = Field(description="The names in the answer")


async def ask(question: str, ledger: UsageLedger) -> Names:
    model = OpenAIChatCompletionClient(
        model=os.environ.get("MODEL", "gpt-4o-mini"),
        max_retries=0,  # Retrying does the retries
        ledger=ledger,
        model_info={
            "vision": False,
            "function_calling": True,
            "json_output": True,
            "structured_output": True,
            "family": "unknown",
        },
    )
    client = Retrying(model, attempts=3)
    try:
        text = await streamed_response(client, question)
        listing = UserMessage(content=f"List the names in this text: {text}", source="you")
        result = await client.create([listing], json_output=Names)
    finally:
        await client.close()
    return Names.model_validate_json(str(result.content))


async def streamed_response(client: ChatCompletionClient, question: str) -> str:
    messages: list[LLMMessage] = [
        SystemMessage(content="You answer in one short sentence."),
        UserMessage(content=question, source="you"),
    ]
    response = ""
    async for piece in client.create_stream(messages):
        if isinstance(piece, CreateResult):
            response = str(piece.content)
        else:
            print(piece, end="", flush=True)
    print()
    return response


def main() -> int:
    if len(sys.argv) != 2:
        print(f"usage: {sys.argv[0]} QUESTION", file=sys.stderr)
        return 2
    ledger = UsageLedger()
    try:
        with conversation("this one"):
            found = asyncio.run(ask(sys.argv[1], ledger))
    except ModelError as error:
        print(error, file=sys.stderr)
        return 1
    print("names:", ", ".join(found.names))
    used = ledger.of_conversation("this one")
    price = "no price is known" if used.cost is None else f"${used.cost:.6f}"
    print(f"tokens: {used.prompt_tokens} + {used.completion_tokens}, {price}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
