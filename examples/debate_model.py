"""What the agents of the debate think with, and the terminal that shows what they say.

OPENAI_BASE_URL, OPENAI_API_KEY and MODEL say which language model it is.
"""

import asyncio
import os
import re
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from autogen_core import AgentId
from openai import AsyncOpenAI
from openai.types.chat import ChatCompletionMessageParam

# A small model learns from an example what "short" means.
MANNERS: list[ChatCompletionMessageParam] = [
    {"role": "system", "content": "You answer questions in one short sentence."},
    {"role": "user", "content": "What is 2 plus 3?"},
    {"role": "assistant", "content": "2 plus 3 is 5."},
]


class Screen:
    """The terminal: the words of one speaker a line, and below them how far the debate is."""

    def __init__(self, expected: int) -> None:
        self.coloured = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
        self.expected, self.received = expected, 0

    @contextmanager
    def speaking(self, speaker: str) -> Iterator[Callable[[str], None]]:
        number = int(re.findall(r"\d+", speaker)[0])
        name = f"\033[{31 + number % 6}m{speaker}\033[0m" if self.coloured else speaker
        self.progress(shown=False)
        print(name, end=": ", flush=True)
        try:
            yield lambda words: print(re.sub(r"\s+", " ", words), end="", flush=True)
            self.received += 1
        finally:
            print(flush=True)
            self.progress()

    def line(self, text: str) -> None:
        self.progress(shown=False)
        print(text, flush=True)

    def progress(self, shown: bool = True) -> None:
        if sys.stderr.isatty():
            text = f"... {self.received} of {self.expected} responses" if shown else ""
            print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)


class ModelError(Exception):
    """The model sent no response, or only a part of one; the text says which model and why."""


class Model:
    """The language model: shows on the screen what it says, and keeps it for the replay."""

    def __init__(self, screen: Screen, max_tokens: int) -> None:
        self.name = os.environ.get("MODEL", "gpt-4o-mini")
        self.client = AsyncOpenAI(api_key=os.environ.get("OPENAI_API_KEY") or "none")
        self.address = str(self.client.base_url).rstrip("/")
        self.screen, self.max_tokens = screen, max_tokens
        self.said: dict[tuple[AgentId, int], str] = {}
        self.floor = asyncio.Lock()
        self.calls: set[asyncio.Task[str]] = set()
        self.closed = False
        self.busy = self.busy_since = 0.0

    async def ask(self, agent: AgentId, round: int, prompt: str) -> str:
        if self.closed:
            raise ModelError("the model was closed")
        if not self.calls:
            self.busy_since = time.perf_counter()
        call = asyncio.create_task(self.complete(f"{agent.type}, round {round}", prompt))
        self.calls.add(call)
        try:
            self.said[agent, round] = await call
        except asyncio.CancelledError:
            if self.closed:
                raise ModelError("the model was closed") from None
            raise
        finally:
            self.calls.discard(call)
            if not self.calls:
                self.busy += time.perf_counter() - self.busy_since
        return self.said[agent, round]

    def close(self) -> None:
        """Ends the calls in progress with a ModelError."""
        self.closed = True
        for call in self.calls:
            call.cancel()

    async def complete(self, speaker: str, prompt: str) -> str:
        words, ending = "", ""
        try:
            stream = await self.client.chat.completions.create(
                model=self.name,
                messages=[*MANNERS, {"role": "user", "content": prompt}],
                max_tokens=self.max_tokens,
                stream=True,
            )
            # One at a time on the screen; what the others say meanwhile waits in their streams.
            async with self.floor:
                with self.screen.speaking(speaker) as say:
                    async for chunk in stream:
                        for choice in chunk.choices:
                            say(choice.delta.content or "")
                            words += choice.delta.content or ""
                            ending = choice.finish_reason or ending
            if not ending:  # the SDK takes a closed connection for the end of the response
                raise ModelError("the connection was closed")
        except Exception as error:  # SDK versions differ in what they raise when a server dies
            fault = "broke off in the middle of a response" if words else "sent no response"
            # A web page that explains the error is not a sentence.
            reason = " ".join(str(error).partition("<")[0].split()).rstrip(".")[:200]
            reason = reason or type(error).__name__
            raise ModelError(f"the model at {self.address} {fault}: {reason}") from error
        return words.strip()


class Replay:
    """Says at once what a model has said before: this is how the runtime's time is measured.

    In the live debate the runtime delivers to some agents while the model works for others, and no
    clock can separate the two. From the recorded words, the same messages go between the same
    agents with nothing to wait for.
    """

    def __init__(self, said: dict[tuple[AgentId, int], str]) -> None:
        self.said = said

    async def ask(self, agent: AgentId, round: int, prompt: str) -> str:
        await asyncio.sleep(0)  # the handler waits here, if not for long, as it does for a model
        return self.said[agent, round]

    def close(self) -> None:
        pass
