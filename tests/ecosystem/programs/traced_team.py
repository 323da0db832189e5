"""A team whose spans are recorded: agents that are made and invoked, tools, and messages."""

import asyncio
import re
from collections import Counter

from _replay import tool_calls, tool_model
from autogen_agentchat.agents import AssistantAgent
from autogen_agentchat.teams import RoundRobinGroupChat
from autogen_core import FunctionCall, SingleThreadedAgentRuntime
from autogen_core.models import CreateResult
from autogen_ext.models.replay import ReplayChatCompletionClient
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter


def double(number: int) -> int:
    """Double a number."""
    if number > 100:
        raise ValueError("too large")
    return 2 * number


def call(number: int) -> CreateResult:
    return tool_calls(FunctionCall(id="1", name="double", arguments=f'{{"number": {number}}}'))


def without_identity(text: object) -> str:
    """Drops what differs from run to run."""
    text = re.sub(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "ID", str(text))
    return re.sub(r"\d{4}-\d\d-\d\dT[\d:.]+Z", "NOW", text)


def describe(span: ReadableSpan, names: dict[int, str]) -> str:
    parent = names[span.parent.span_id] if span.parent else "none"
    attributes = sorted((span.attributes or {}).items() - {("gen_ai.provider.name", "autogen")})
    kind = f"{span.kind.name} {span.status.status_code.name}"
    return without_identity(f"{span.name} | below {parent} | {kind} | {attributes}")


async def main() -> None:
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    trace.set_tracer_provider(provider)  # where agents and tools look for it
    runtime = SingleThreadedAgentRuntime(tracer_provider=provider)
    runtime.start()
    client = tool_model(call(4), call(400))
    team = RoundRobinGroupChat(
        [
            AssistantAgent("counter", client, tools=[double]),
            AssistantAgent("talker", ReplayChatCompletionClient(["So it is."])),
        ],
        max_turns=3,
        runtime=runtime,
    )
    result = await team.run(task="Double 4.")
    print([message.to_text() for message in result.messages])
    await runtime.stop_when_idle()
    spans = exporter.get_finished_spans()
    names = {span.context.span_id: span.name for span in spans}
    # The order in which concurrent messages end is not guaranteed.
    for line, times in sorted(Counter(describe(span, names) for span in spans).items()):
        print(times, line)


asyncio.run(main())
