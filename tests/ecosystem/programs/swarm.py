"""A swarm hands off to a human, who responds; the run continues from there."""

import asyncio

from _replay import tool_calls, tool_model
from autogen_agentchat.agents import AssistantAgent
from autogen_agentchat.base import Handoff
from autogen_agentchat.conditions import HandoffTermination, TextMentionTermination
from autogen_agentchat.messages import HandoffMessage
from autogen_agentchat.teams import Swarm
from autogen_core import FunctionCall
from autogen_core.models import CreateResult


def call(number: int, name: str, arguments: str = "{}") -> CreateResult:
    return tool_calls(FunctionCall(id=f"call-{number}", name=name, arguments=arguments))


async def refund(flight: str) -> str:
    """Refund a flight."""
    return f"{flight} refunded"


async def main() -> None:
    desk = AssistantAgent(
        "desk",
        tool_model(call(1, "transfer_to_refunds"), "All done. TERMINATE"),
        handoffs=["refunds", "user"],
    )
    refunds = AssistantAgent(
        "refunds",
        tool_model(
            call(2, "ask_the_customer"),
            call(3, "refund", '{"flight": "FR 7"}'),
            call(4, "transfer_to_desk"),
        ),
        handoffs=["desk", Handoff(target="user", name="ask_the_customer", message="Which flight?")],
        tools=[refund],
    )
    end = HandoffTermination(target="user") | TextMentionTermination("TERMINATE")
    team = Swarm([desk, refunds], termination_condition=end)

    result = await team.run(task="I want my money back.")
    print([(type(m).__name__, m.source, m.to_text()) for m in result.messages], result.stop_reason)
    question = result.messages[-1]
    assert isinstance(question, HandoffMessage)
    answer = HandoffMessage(source="user", target=question.source, content="FR 7")
    result = await team.run(task=answer)
    print([(type(m).__name__, m.source, m.to_text()) for m in result.messages], result.stop_reason)


asyncio.run(main())
