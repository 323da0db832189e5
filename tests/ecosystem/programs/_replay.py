"""A replayed model that calls tools, for the programs of this folder."""

from autogen_core import FunctionCall
from autogen_core.models import CreateResult, ModelFamily, ModelInfo, RequestUsage
from autogen_ext.models.replay import ReplayChatCompletionClient

_CALLS_TOOLS = ModelInfo(
    vision=False,
    function_calling=True,
    json_output=False,
    family=ModelFamily.UNKNOWN,
    structured_output=False,
)


def tool_model(*responses: str | CreateResult) -> ReplayChatCompletionClient:
    """A model that gives these responses, one by one, and may call tools."""
    return ReplayChatCompletionClient([*responses], model_info=_CALLS_TOOLS)


def tool_calls(
    *calls: FunctionCall, prompt_tokens: int = 10, completion_tokens: int = 5
) -> CreateResult:
    """A response that calls tools."""
    return CreateResult(
        finish_reason="function_calls",
        content=list(calls),
        usage=RequestUsage(prompt_tokens=prompt_tokens, completion_tokens=completion_tokens),
        cached=False,
    )
