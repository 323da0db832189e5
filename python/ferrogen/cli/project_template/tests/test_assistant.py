"""The assistant, with a scripted model instead of a real one."""

from ferrogen.models import FunctionExecutionResultMessage
from ferrogen.testing import ScriptedModel, run

from project_name.assistant import ask


def test_the_assistant_calls_the_tool_and_answers() -> None:
    model = ScriptedModel(
        [ScriptedModel.call("temperature", city="Oslo"), "It is 4 degrees Celsius."]
    )

    assert run(ask(model, "How warm is it in Oslo?")) == ["It is 4 degrees Celsius."]

    result = model.requests[1][-1]
    assert isinstance(result, FunctionExecutionResultMessage)
    assert result.content[0].content == "4 degrees Celsius in Oslo"


def test_the_assistant_remembers_the_conversation() -> None:
    model = ScriptedModel(["Hello.", "You said hi."])

    assert run(ask(model, "Hi!", "What did I say?")) == ["Hello.", "You said hi."]

    texts = [message.content for message in model.requests[1]]
    assert texts[1:] == ["Hi!", "Hello.", "What did I say?"]
