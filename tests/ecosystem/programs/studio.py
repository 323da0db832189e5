"""AutoGen Studio keeps a team in its database, runs it, asks its human, and keeps the outcome."""

import asyncio
import tempfile
from pathlib import Path

from autogen_agentchat.agents import AssistantAgent, UserProxyAgent
from autogen_agentchat.conditions import TextMentionTermination
from autogen_agentchat.messages import BaseAgentEvent, BaseChatMessage
from autogen_agentchat.teams import RoundRobinGroupChat
from autogen_core import CancellationToken
from autogen_ext.models.replay import ReplayChatCompletionClient
from autogenstudio.database import DatabaseManager
from autogenstudio.datamodel import Run, RunStatus, Session, Team
from autogenstudio.datamodel.types import MessageConfig, TeamResult
from autogenstudio.teammanager import TeamManager
from loguru import logger

USER = "ann"


def poets() -> RoundRobinGroupChat:
    poet = AssistantAgent("poet", ReplayChatCompletionClient(["A long poem.", "A poem."]))
    return RoundRobinGroupChat(
        [poet, UserProxyAgent("reader")], termination_condition=TextMentionTermination("APPROVE")
    )


async def talk(component: dict[str, object]) -> TeamResult:
    answers = iter(["Shorter.", "APPROVE"])

    async def ask(prompt: str, cancellation_token: CancellationToken | None = None) -> str:
        return next(answers)

    async for item in TeamManager().run_stream("A poem, please.", component, input_func=ask):
        if isinstance(item, TeamResult):
            return item
        if isinstance(item, BaseChatMessage | BaseAgentEvent):
            print(type(item).__name__, item.source, item.to_text())
    raise AssertionError


async def main() -> None:
    logger.disable("autogenstudio")
    with tempfile.TemporaryDirectory() as folder:
        database = DatabaseManager(f"sqlite:///{folder}/studio.db", base_dir=folder)
        print(database.initialize_database().message)

        file = Path(folder, "poets.json")
        file.write_text(poets().dump_component().model_dump_json())  # noqa: ASYNC240
        imported = await database.import_team(file, USER)
        again = await database.import_team(file, USER, check_exists=True)
        print(imported.message, imported.data["id"], "|", again.message, again.data)

        (team,) = database.get(Team, {"user_id": USER}).data
        session = Session(user_id=USER, team_id=team.id, name="evening")
        session_id = database.upsert(session).data["id"]
        outcome = await talk(team.component)
        run = Run(
            user_id=USER,
            session_id=session_id,
            status=RunStatus.COMPLETE,
            task=MessageConfig(source="user", content="A poem, please.").model_dump(),
            team_result=outcome.model_dump(mode="json"),
        )
        print(database.upsert(run).message)

        (kept,) = database.get(Run, {"session_id": session_id}).data
        result = kept.team_result["task_result"]
        print(kept.status, result["stop_reason"], [said["content"] for said in result["messages"]])
        # Loaded again from what the database holds, it is the same team.
        copy = RoundRobinGroupChat.load_component(team.component)
        print(copy.dump_component() == poets().dump_component())
        print(database.delete(Team, {"id": team.id}).message, database.get(Team).data)
        await database.close()


asyncio.run(main())
