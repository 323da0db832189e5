"""JSON form of a result, usage included."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from ferrogen.models.results import CreateResult, RequestUsage
from ferrogen.models.usage import DetailedUsage


def written_result(result: CreateResult) -> dict[str, Any]:
    """Write a result as JSON values, without the defaults."""
    # The field is declared as RequestUsage, so pydantic would leave out the details.
    form = result.model_dump(mode="json", exclude={"usage"}, exclude_none=True)
    usage = result.usage
    if isinstance(usage, DetailedUsage):
        return {**form, "usage": asdict(usage)}
    tokens = {"prompt_tokens": usage.prompt_tokens, "completion_tokens": usage.completion_tokens}
    return {**form, "usage": tokens}


def read_result(form: Mapping[str, Any]) -> CreateResult:
    """Read what `written_result` wrote.

    Raises:
        KeyError: There is no usage.
        TypeError: The usage has other fields.
        pydantic.ValidationError: The rest is not a result.
    """
    usage = form["usage"]
    kind = RequestUsage if len(usage) == 2 else DetailedUsage
    return CreateResult.model_validate({**form, "usage": kind(**usage)})
