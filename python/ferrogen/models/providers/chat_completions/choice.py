"""One choice of a response, from its pieces or as a whole."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ferrogen.models.providers._tool_calls import WireNames
from ferrogen.models.providers.chat_completions.content import calls_in, content_of
from ferrogen.models.providers.chat_completions.reasoning import ReasoningMarks, keep_reasoning
from ferrogen.models.providers.chat_completions.tool_calls import ToolCalls
from ferrogen.models.results import ChatCompletionTokenLogprob, TopLogprob

_PLAIN = frozenset({"role", "content"})


class Choice:
    """Collects one choice.

    Attributes:
        calls: The function calls.
        data: Fields of the message that the service may require back.
        finish_reason: Why it ends, in the words of the service.
        shown: The pieces of text for a reader, reasoning between its marks included.
        text: The text of the model.
        thought: The reasoning that is separate from it.
        refusal: Why the model refuses.
    """

    def __init__(self, names: WireNames, warned: set[str]) -> None:
        self._warned = warned
        self._marks = ReasoningMarks()
        self._tokens: list[ChatCompletionTokenLogprob] = []
        self._pieces: dict[str, list[str]] = {"text": [], "thought": [], "refusal": []}
        self.calls = ToolCalls(names)
        self.data: dict[str, Any] = {}
        self.finish_reason: str | None = None
        self.shown: list[str] = []

    @property
    def text(self) -> str:  # noqa: D102 - see above
        return "".join(self._pieces["text"])

    @property
    def thought(self) -> str:  # noqa: D102
        return "".join(self._pieces["thought"])

    @property
    def refusal(self) -> str:  # noqa: D102
        return "".join(self._pieces["refusal"])

    def take(self, fields: Mapping[str, Any]) -> list[str]:
        """Take a piece, or the whole; return the text that it adds for a reader.

        Raises:
            ModelResponseError: The content is neither text nor parts.
        """
        reason = fields.get("finish_reason")
        if isinstance(reason, str) and reason:
            self.finish_reason = reason
        if logprobs := fields.get("logprobs"):
            self._take_logprobs(logprobs)
        delta, message = fields.get("delta"), fields.get("message")
        if isinstance(delta, dict) and delta.keys() <= _PLAIN:
            pieces = self._plain(delta.get("content"))
        elif isinstance(delta, dict) and (delta or not isinstance(message, dict)):
            pieces = self._message(delta, whole=False)
        elif isinstance(message, dict):
            pieces = self._message(message, whole=True)
        else:
            text = fields.get("text")
            pieces = self._message({"content": text} if isinstance(text, str) else {}, whole=False)
        if self.finish_reason and (mark := self._marks.end()):
            pieces.append(mark)
        self.shown += pieces
        return pieces

    def _plain(self, content: Any) -> list[str]:
        """Take a piece that has text only, as most have."""
        if not isinstance(content, str):
            return self._message({"content": content}, whole=False)
        if not content:
            return []
        self._pieces["text"].append(content)
        mark = self._marks.end()
        return [mark, content] if mark else [content]

    def written(self) -> str:
        """Return all that the model wrote."""
        return self.thought + self.text + self.refusal + self.calls.text()

    def logprobs(self) -> list[ChatCompletionTokenLogprob] | None:
        """Return the tokens with their probabilities, if the service sent them."""
        return self._tokens or None

    def _message(self, message: Mapping[str, Any], *, whole: bool) -> list[str]:
        content = content_of(message, self._warned)._asdict()
        calls = message.get("tool_calls")
        calls = [calls] if isinstance(calls, dict) else calls if isinstance(calls, list) else []
        if isinstance(function := message.get("function_call"), dict) and not calls:
            calls = [{"function": function}]  # deprecated, and still sent
        calls = calls or calls_in(message.get("content"))
        if whole:
            # The last event of some services repeats the whole message.
            content = {name: self._rest(name, text) for name, text in content.items()}
            calls = [] if self.calls else calls
        keep_reasoning(self.data, message, repeated=whole)
        pieces: list[str] = []
        if content["thought"]:
            pieces.append(self._marks.reasoning(content["thought"]))
        if (content["text"] or content["refusal"] or calls) and (mark := self._marks.end()):
            pieces.append(mark)
        pieces += [content[name] for name in ("text", "refusal") if content[name]]
        for name, text in content.items():
            if text:
                self._pieces[name].append(text)
        if calls:
            self.calls.add(calls, whole=whole)
        return pieces

    def _rest(self, name: str, text: str) -> str:
        """Return what a whole message adds to the pieces that came before it."""
        so_far = "".join(self._pieces[name])
        if not so_far:
            return text
        return text[len(so_far) :] if text.startswith(so_far) else ""

    def _take_logprobs(self, logprobs: Any) -> None:
        tokens = logprobs.get("content") if isinstance(logprobs, dict) else None
        for token in tokens if isinstance(tokens, list) else ():
            if isinstance(token, dict) and isinstance(token.get("logprob"), (int, float)):
                self._tokens.append(_logprob(token))


def _logprob(token: Mapping[str, Any]) -> ChatCompletionTokenLogprob:
    likely = token.get("top_logprobs")
    return ChatCompletionTokenLogprob(
        token=str(token.get("token", "")),
        logprob=float(token["logprob"]),
        top_logprobs=[
            TopLogprob(logprob=float(each["logprob"]), bytes=_bytes(each))
            for each in (likely if isinstance(likely, list) else ())
            if isinstance(each, dict) and isinstance(each.get("logprob"), (int, float))
        ],
        bytes=_bytes(token),
    )


def _bytes(token: Mapping[str, Any]) -> list[int] | None:
    value = token.get("bytes")
    numbers = isinstance(value, list) and all(isinstance(each, int) for each in value)
    return value if numbers else None
