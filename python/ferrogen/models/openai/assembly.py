"""Assembly of a result from a response or from stream chunks."""

from __future__ import annotations

from typing import Any

from ferrogen.exceptions import ModelResponseError
from ferrogen.models.openai.accounting import usage_of
from ferrogen.models.openai.chunks import Chunk, Message, Token
from ferrogen.models.openai.reasoning import ReasoningMarks, without_reasoning
from ferrogen.models.openai.tool_calls import ToolCalls
from ferrogen.models.results import (
    ChatCompletionTokenLogprob,
    CreateResult,
    FinishReasons,
    TopLogprob,
)
from ferrogen.models.usage import DetailedUsage

_FINISH_REASONS: dict[str, FinishReasons] = {
    "stop": "stop",
    "eos": "stop",
    "end_turn": "stop",
    "length": "length",
    "content_filter": "content_filter",
    "function_call": "function_calls",
    "tool_calls": "function_calls",
}


class Assembly:
    """Takes what a service sends, piece by piece, until the answer is complete.

    Args:
        family: The family of the model.

    Attributes:
        begun: Whether there is anything of an answer.
        finish_reason: Why the answer ends, as the service says it.
        model: Who answers, as the service says it.
        usage: What it took, if the service told.
    """

    def __init__(self, family: str) -> None:
        self._family = family
        self._text: list[str] = []
        self._thought: list[str] = []
        self._refusal: list[str] = []
        self._calls = ToolCalls()
        self._tokens: list[Token] = []
        self._marks = ReasoningMarks()
        self.begun = False
        self.finish_reason: str | None = None
        self.model: str | None = None
        self.usage: DetailedUsage | None = None

    def add(self, chunk: Chunk) -> list[str]:
        """Take the next piece; return what it adds to the text that a reader is shown.

        Raises:
            ModelResponseError: It has a part that nothing can be made of.
        """
        self.model = chunk.model or self.model
        if chunk.usage is not None:
            self.usage = usage_of(chunk.usage)
        if not chunk.choices:
            return []  # it only tells the usage, or that the service is still there
        choice = chunk.choices[0]
        self.begun = True
        self.finish_reason = choice.finish_reason or self.finish_reason
        if choice.logprobs is not None and choice.logprobs.content:
            self._tokens.extend(choice.logprobs.content)
        message = choice.delta or choice.message
        if message is None:
            return []
        return self._shown(message, bool(choice.finish_reason), whole=choice.delta is None)

    def _shown(self, message: Message, last: bool, *, whole: bool) -> list[str]:
        if message.function_call is not None:
            raise ModelResponseError(
                "the service answers with the deprecated function_call in place of tool_calls"
            )
        shown: list[str] = []
        thought, text = _parts(message)
        if thought:
            self._thought.append(thought)
            shown.append(self._marks.reasoning(thought))
        if (text or message.refusal or message.tool_calls or last) and (mark := self._marks.end()):
            shown.append(mark)
        if text:
            self._text.append(text)
            shown.append(text)
        if message.refusal:
            self._refusal.append(message.refusal)
            shown.append(message.refusal)
        if message.tool_calls:
            self._calls.add(message.tool_calls, whole=whole)
        return shown

    def text_so_far(self) -> str:
        """Give all that the model wrote, to count its tokens."""
        calls = [call.name + call.arguments for call in self._calls.finished()]
        return "".join([*self._thought, *self._text, *self._refusal, *calls])

    def result(self, usage: DetailedUsage) -> CreateResult:
        """Make the result of what came.

        Args:
            usage: What it took.

        Raises:
            ModelResponseError: Nothing came that could be an answer.
        """
        if not self.begun:
            raise ModelResponseError("the service's answer has no choices")
        reason = _FINISH_REASONS.get((self.finish_reason or "").lower(), "unknown")
        text, thought = "".join(self._text), "".join(self._thought) or None
        content: Any = text
        if self._calls:
            content = self._calls.finished()
            thought = text or thought
            if reason not in ("length", "content_filter"):
                reason = "function_calls"
        elif self._refusal and not text:
            content, reason = "".join(self._refusal), "content_filter"
        elif thought is None:
            thought, content = without_reasoning(text, self._family)
        return CreateResult(
            finish_reason=reason,
            content=content,
            usage=usage,
            cached=False,
            logprobs=[_logprob(token) for token in self._tokens] or None,
            thought=thought,
        )


def _parts(message: Message) -> tuple[str, str]:
    """Give the reasoning and the text of a message; some services send both as a list."""
    thought = message.reasoning_content or message.reasoning or ""
    content = message.content
    if content is None or isinstance(content, str):
        return thought, content or ""
    texts: list[str] = []
    for part in content:
        kind = part.get("type") if isinstance(part, dict) else None
        if kind == "text" and isinstance(part.get("text"), str):
            texts.append(part["text"])
        elif kind == "thinking" and isinstance(part.get("thinking"), list):
            pieces = [p.get("text") for p in part["thinking"] if isinstance(p, dict)]
            thought += "".join(piece for piece in pieces if isinstance(piece, str))
        else:
            raise ModelResponseError(f"the service's answer has an unknown part: {part!r:.200}")
    return thought, "".join(texts)


def _logprob(token: Token) -> ChatCompletionTokenLogprob:
    likely = [TopLogprob(logprob=t.logprob, bytes=t.bytes) for t in token.top_logprobs or ()]
    return ChatCompletionTokenLogprob(
        token=token.token, logprob=token.logprob, top_logprobs=likely, bytes=token.bytes
    )
