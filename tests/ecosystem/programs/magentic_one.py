"""Magentic-One plans, watches the progress, plans again when stuck, and responds."""

import asyncio
import json

from autogen_agentchat.agents import AssistantAgent
from autogen_agentchat.teams import MagenticOneGroupChat
from autogen_ext.models.replay import ReplayChatCompletionClient


def ledger(done: bool, progress: bool, speaker: str, instruction: str) -> str:
    answers = {
        "is_request_satisfied": done,
        "is_in_loop": False,
        "is_progress_being_made": progress,
        "next_speaker": speaker,
        "instruction_or_question": instruction,
    }
    return json.dumps(
        {key: {"reason": "it is so", "answer": answer} for key, answer in answers.items()}
    )


async def main() -> None:
    orchestrator = ReplayChatCompletionClient(
        [
            "Facts: none.",
            "Plan: ask the reader.",
            ledger(False, True, "reader", "Read page 1."),
            ledger(False, False, "reader", "Read page 2."),
            "Facts: page 1 is empty.",
            "Plan: read page 3.",
            ledger(False, True, "reader", "Read page 3."),
            ledger(True, True, "reader", "Nothing more."),
            "The answer is on page 3.",
        ]
    )
    reader = AssistantAgent(
        "reader",
        ReplayChatCompletionClient(["Page 1 is empty.", "Page 3 says 42."]),
        description="Reads pages.",
    )
    team = MagenticOneGroupChat([reader], orchestrator, max_stalls=1)
    result = await team.run(task="Where is the answer?")
    for message in result.messages:
        print(type(message).__name__, message.source, "|", message.to_text())
    print(result.stop_reason)


asyncio.run(main())
