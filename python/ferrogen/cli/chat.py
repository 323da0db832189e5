"""``ferrogen chat``: a small conversation with a model, to try an endpoint.

Responses go to standard output, everything else to standard error, so that a response can be piped.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from enum import Enum
from importlib import import_module
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from ferrogen.models import ChatCompletionClient, LLMMessage

_INTERRUPTED = 128 + signal.SIGINT


class Provider(str, Enum):
    """Whose API a service speaks."""

    openai = "openai"
    anthropic = "anthropic"


# Where its client is, and the variable in which its SDK looks for a key.
_CLIENTS = {
    Provider.openai: ("ferrogen.models.openai", "OpenAIChatCompletionClient", "OPENAI_API_KEY"),
    Provider.anthropic: (
        "ferrogen.models.anthropic",
        "AnthropicChatCompletionClient",
        "ANTHROPIC_API_KEY",
    ),
}


def chat(
    model: Annotated[str, typer.Option(help="The model, by the service's name for it.")],
    base_url: Annotated[
        str | None, typer.Option(help="Where the service is; the maker's own if not given.")
    ] = None,
    provider: Annotated[Provider, typer.Option(help="Whose API it speaks.")] = Provider.openai,
    system: Annotated[str | None, typer.Option(help="The system message.")] = None,
    max_tokens: Annotated[
        int | None, typer.Option(min=1, help="The maximum number of tokens of a response.")
    ] = None,
    message: Annotated[str | None, typer.Option(help="Ask only this, and leave.")] = None,
) -> None:
    """Talk to a model: a line is a question, Ctrl+C ends a response, Ctrl+D the conversation.

    The key comes from the environment: OPENAI_API_KEY or ANTHROPIC_API_KEY.
    """
    from ferrogen.exceptions import FerrogenError

    try:
        client = _client(provider, model, base_url)
    except (FerrogenError, ImportError) as error:
        typer.echo(f"ferrogen chat: {error}", err=True)
        raise typer.Exit(2) from None
    with closing(asyncio.new_event_loop()) as loop:
        conversation = Conversation(client, system, max_tokens)
        try:
            for question in _questions() if message is None else [message]:
                status = loop.run_until_complete(conversation.ask(question))
                if status and not (message is None and sys.stdin.isatty()):
                    raise typer.Exit(status)
        except KeyboardInterrupt:  # while no response was in progress
            typer.echo(err=True)
        finally:
            loop.run_until_complete(client.close())
            typer.echo(conversation.usage(), err=True)


class Conversation:
    """The conversation so far.

    Args:
        client: The client of the model.
        system: The system message.
        max_tokens: The maximum number of tokens of a response, if limited.
    """

    def __init__(
        self, client: ChatCompletionClient, system: str | None, max_tokens: int | None
    ) -> None:
        from ferrogen.models import SystemMessage

        self._client = client
        self._arguments = {} if max_tokens is None else {"max_tokens": max_tokens}
        self._messages: list[LLMMessage] = [SystemMessage(content=system)] if system else []

    async def ask(self, question: str) -> int:
        """Ask, and show the response as it is written; return the exit status of the turn."""
        from ferrogen import CancellationToken
        from ferrogen.exceptions import FerrogenError
        from ferrogen.models import AssistantMessage, UserMessage

        asked = [*self._messages, UserMessage(content=question, source="user")]
        token = CancellationToken()
        said = ""
        status = 0
        try:
            # Ctrl+C is for the response, not for the program, as long as there is one.
            with _called_by_interrupts(token.cancel):
                response = self._client.create_stream(
                    asked, extra_create_args=self._arguments, cancellation_token=token
                )
                async for piece in response:
                    if isinstance(piece, str):
                        said += piece
                        typer.echo(piece, nl=False)
        except asyncio.CancelledError:
            if not token.is_cancelled():
                raise
            status = _INTERRUPTED
        except FerrogenError as error:
            failure = error
            status = 1
        if said:
            typer.echo()
            self._messages = [*asked, AssistantMessage(content=said, source="model")]
        if status == 1:
            typer.echo(f"ferrogen chat: {failure}", err=True)
        return status

    def usage(self) -> str:
        """Describe the tokens and the cost of the conversation."""
        from ferrogen.models.usage import detailed

        used = detailed(self._client.total_usage())
        cached = f" ({used.cached_tokens} cached)" if used.cached_tokens else ""
        cost = "unknown" if used.cost is None else f"${used.cost:.6f}"
        return (
            f"prompt tokens: {used.prompt_tokens}{cached}, "
            f"completion tokens: {used.completion_tokens}, cost: {cost}"
        )


@contextmanager
def _called_by_interrupts(callback: Callable[[], object]) -> Iterator[None]:
    loop = asyncio.get_running_loop()
    if sys.platform == "win32":  # its event loops have no signal handlers
        before = signal.signal(signal.SIGINT, lambda *_: loop.call_soon_threadsafe(callback))
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)
    else:
        loop.add_signal_handler(signal.SIGINT, callback)
        try:
            yield
        finally:
            loop.remove_signal_handler(signal.SIGINT)


def _client(provider: Provider, model: str, base_url: str | None) -> ChatCompletionClient:
    module, name, variable = _CLIENTS[provider]
    arguments: dict[str, Any] = {"model": model}
    if base_url is not None:
        arguments["base_url"] = base_url
        if not os.environ.get(variable):
            arguments["api_key"] = "none"  # services of one's own want no key, the SDK does
    client_class = getattr(import_module(module), name)
    from ferrogen.models.registry import UnknownModelWarning

    with warnings.catch_warnings():
        # It is about abilities that a chat has no use for.
        warnings.simplefilter("ignore", UnknownModelWarning)
        client: ChatCompletionClient = client_class(**arguments)
    return client


def _questions() -> Iterator[str]:
    for line in iter(_prompted, "") if sys.stdin.isatty() else sys.stdin:
        if question := line.strip():
            yield question


def _prompted() -> str:
    """Ask for a line at the terminal, which can then be edited; nothing at the end."""
    try:
        return f"{input('> ')}\n"
    except EOFError:
        typer.echo(err=True)
        return ""
