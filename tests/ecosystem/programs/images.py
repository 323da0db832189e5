"""Messages with pictures go through a team, a model's context, the console and a saved state."""

import asyncio
import json
import tempfile
from pathlib import Path

from autogen_agentchat.agents import AssistantAgent
from autogen_agentchat.messages import HandoffMessage, MessageFactory, MultiModalMessage
from autogen_agentchat.teams import RoundRobinGroupChat
from autogen_agentchat.ui import Console
from autogen_core import Image
from autogen_core.models import AssistantMessage, ModelFamily, ModelInfo, UserMessage
from autogen_ext.models.replay import ReplayChatCompletionClient
from PIL import Image as Picture

SEES = ModelInfo(
    vision=True,
    function_calling=False,
    json_output=False,
    family=ModelFamily.UNKNOWN,
    structured_output=False,
)


def painter(*answers: str, sees: bool = True) -> AssistantAgent:
    client = ReplayChatCompletionClient([*answers], model_info={**SEES, "vision": sees})
    return AssistantAgent("painter" if sees else "blind", client)


async def main() -> None:
    red = Image(Picture.new("RGB", (4, 2), "red"))
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "red.png")
        red.image.save(file)
        again = Image.from_file(file)
    print(red.to_base64() == again.to_base64(), Image.from_uri(red.data_uri).image.size)
    print(json.dumps(red.to_openai_format("low"))[:60], red._repr_html_()[:40])

    task = MultiModalMessage(content=["What is this?", red], source="user")
    seer, blind = painter("It is red.", "Still red."), painter("I see nothing.", sees=False)
    team = RoundRobinGroupChat([seer, blind], max_turns=2)
    await Console(team.run_stream(task=task))

    kept = await seer.model_context.get_messages()
    print([type(part).__name__ for part in kept[0].content])
    print([type(part).__name__ for part in (await blind.model_context.get_messages())[0].content])

    text = json.dumps(await team.save_state())
    print(text.count(red.to_base64()))
    later = painter("Red as before.")
    other = RoundRobinGroupChat([later, painter("Nothing.", sees=False)], max_turns=1)
    await other.load_state(json.loads(text))
    print([each.to_text() for each in (await other.run()).messages])
    asked = later._model_client.create_calls[0]["messages"]
    print(asked[1].content[1].to_base64() == red.to_base64())

    factory = MessageFactory()
    handoff = HandoffMessage(
        content="Over to you.",
        source="a",
        target="b",
        context=[
            UserMessage(content=["Look:", red], source="user"),
            AssistantMessage(content="ok", source="a"),
        ],
    )
    for message in (task, handoff):
        copy = factory.create(json.loads(json.dumps(message.model_dump(mode="json"))))
        print(
            type(copy).__name__,
            copy.to_model_text()[:40],
            copy.model_dump_json() == message.model_dump_json(),
        )


asyncio.run(main())
