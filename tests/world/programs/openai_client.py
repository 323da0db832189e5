"""The client of OpenAI's interface in autogen-ext, with a server that answers, and one refusal."""

import asyncio
import json
import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from autogen_agentchat.agents import AssistantAgent
from autogen_agentchat.messages import StructuredMessage
from autogen_agentchat.teams import RoundRobinGroupChat
from autogen_agentchat.ui import Console
from autogen_core import EVENT_LOGGER_NAME
from autogen_core.logging import LLMCallEvent, LLMStreamEndEvent, LLMStreamStartEvent
from autogen_core.models import ModelFamily, ModelInfo, SystemMessage, UserMessage
from autogen_ext.models.openai import OpenAIChatCompletionClient
from pydantic import BaseModel

ABLE = ModelInfo(
    vision=False,
    function_calling=True,
    json_output=True,
    family=ModelFamily.UNKNOWN,
    structured_output=True,
)
USAGE = {"prompt_tokens": 12, "completion_tokens": 3, "total_tokens": 15}


class Size(BaseModel):
    """How long a text is."""

    letters: int


def letters(text: str) -> int:
    """Count the letters of a text."""
    return len(text)


def answer(asked: dict[str, object]) -> dict[str, object]:
    """What the server's model says."""
    messages = asked["messages"]
    assert isinstance(messages, list)
    last = messages[-1]
    if last["role"] == "user" and asked.get("tools"):
        function = {"name": "letters", "arguments": json.dumps({"text": last["content"]})}
        return {"tool_calls": [{"id": "call-1", "type": "function", "function": function}]}
    if asked.get("response_format"):
        return {"content": '{"letters": 4}'}
    return {"content": f"{len(messages)} messages, the last from a {last['role']}"}


class Server(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if asked["model"] == "none":
            return self.reply(404, "application/json", '{"error": {"message": "no such model"}}')
        said = answer(asked)
        reason = "tool_calls" if "tool_calls" in said else "stop"
        common = {"id": "1", "created": 1, "model": asked["model"]}
        if not asked.get("stream"):
            choice = {"index": 0, "finish_reason": reason}
            choice["message"] = {"role": "assistant", "content": None, **said}
            whole = {**common, "object": "chat.completion", "choices": [choice], "usage": USAGE}
            return self.reply(200, "application/json", json.dumps(whole))
        pieces = [*str(said["content"]).partition(" ")]
        choices = [{"index": 0, "delta": {"content": piece}} for piece in pieces]
        choices.append({"index": 0, "delta": {}, "finish_reason": reason})
        chunks = [{**common, "object": "chat.completion.chunk", "choices": [c]} for c in choices]
        lines = [f"data: {json.dumps(chunk)}\n\n" for chunk in chunks]
        return self.reply(200, "text/event-stream", "".join(lines) + "data: [DONE]\n\n")

    def reply(self, status: int, kind: str, text: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(text.encode())))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def serving() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Server)
    threading.Thread(target=server.serve_forever, args=(0.01,)).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1"
    finally:
        server.shutdown()
        server.server_close()


class Calls(logging.Handler):
    """Keeps what is logged of calls of the model."""

    def __init__(self) -> None:
        super().__init__()
        self.said: list[object] = []

    def emit(self, record: logging.LogRecord) -> None:
        event = record.msg
        if isinstance(event, LLMCallEvent | LLMStreamStartEvent | LLMStreamEndEvent):
            said = json.loads(str(event))
            usage = (event.prompt_tokens, event.completion_tokens) if "response" in said else ()
            self.said.append((said["type"], len(said.get("messages", [])), *usage, sorted(said)))


async def main(address: str) -> None:
    def client(model: str = "some-model") -> OpenAIChatCompletionClient:
        return OpenAIChatCompletionClient(
            model=model, base_url=address, api_key="none", model_info=ABLE, max_retries=0
        )

    calls = Calls()
    logging.getLogger(EVENT_LOGGER_NAME).addHandler(calls)
    logging.getLogger(EVENT_LOGGER_NAME).setLevel(logging.INFO)
    asked = [SystemMessage(content="Be brief."), UserMessage(content="Hello", source="user")]
    model = client()
    print(await model.create(asked))
    async for piece in model.create_stream(asked):
        print(repr(piece))
    print(model.total_usage(), model.model_info["family"])

    helper = AssistantAgent("helper", client(), tools=[letters], reflect_on_tool_use=True)
    talker = AssistantAgent("talker", client(), model_client_stream=True)
    await Console(RoundRobinGroupChat([helper, talker], max_turns=2).run_stream(task="Frog"))

    sizer = AssistantAgent("sizer", client(), output_content_type=Size)
    said = (await sizer.run(task="Frog")).messages[-1]
    print(isinstance(said, StructuredMessage), said.to_text())

    dumped = model.dump_component()
    print({**dumped.model_dump(), "config": sorted(dumped.config)})
    loaded = OpenAIChatCompletionClient.load_component(dumped)
    print((await loaded.create(asked)).content)
    try:
        await client("none").create(asked)
    except Exception as error:  # noqa: BLE001  # it is the SDK's, and only its name is looked at
        print(type(error).__name__, error)
    print(*calls.said, sep="\n")


with serving() as where:
    asyncio.run(main(where))
