"""The agent that answers questions, and the runtime that it runs in."""

from ferrogen import (
    AgentId,
    MessageContext,
    RoutedAgent,
    SingleThreadedAgentRuntime,
    message_handler,
)
from ferrogen.models import (
    AssistantMessage,
    ChatCompletionClient,
    LLMMessage,
    SystemMessage,
    UserMessage,
)
from ferrogen.tool_agent import ToolAgent, tool_agent_caller_loop

from project_name.messages import Answer, Question
from project_name.tools import temperature

_INSTRUCTIONS = "Answer in one sentence. Use the tools to look up what you do not know."
_TOOLS = [temperature]


class Assistant(RoutedAgent):
    """Answers questions with a model that can call tools.

    Args:
        model: The model.
    """

    def __init__(self, model: ChatCompletionClient) -> None:
        super().__init__("Answers questions about the weather.")
        self._model = model
        self._history: list[LLMMessage] = [SystemMessage(content=_INSTRUCTIONS)]

    @message_handler
    async def answer(self, message: Question, ctx: MessageContext) -> Answer:
        """Answer a question, and remember it."""
        asked: list[LLMMessage] = [
            *self._history,
            UserMessage(content=message.text, source="user"),
        ]
        added = await tool_agent_caller_loop(
            self,
            AgentId("tools", self.id.key),
            self._model,
            asked,
            _TOOLS,
            ctx.cancellation_token,
            max_turns=5,
        )
        self._history = [*asked, *added]
        last = added[-1]
        assert isinstance(last, AssistantMessage)
        return Answer(str(last.content))


async def make_runtime(model: ChatCompletionClient) -> SingleThreadedAgentRuntime:
    """Make a runtime with all agents of the project; it still has to be started."""
    runtime = SingleThreadedAgentRuntime()
    await Assistant.register(runtime, "assistant", lambda: Assistant(model))
    await ToolAgent.register(runtime, "tools", lambda: ToolAgent("Runs tools.", [*_TOOLS]))
    return runtime


async def ask(model: ChatCompletionClient, *questions: str) -> list[str]:
    """Ask questions in one conversation; return the answers."""
    assistant = AgentId("assistant", "default")
    async with await make_runtime(model) as runtime:
        answers = [await runtime.ask(assistant, Question(text), Answer) for text in questions]
    return [answer.text for answer in answers]
