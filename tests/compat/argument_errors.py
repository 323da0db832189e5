"""What upstream says about wrong arguments of a tool, in the words of Ferrogen.

Both raise pydantic's ``ValidationError``; ours is a subclass whose text is another one
(tests/differences/test_tool_arguments.py).
"""

import re
from ast import literal_eval
from typing import Any

_TITLE = r"\d+ validation errors? for \w+"
_FAULT = (
    r"\n(?P<place>\S.*\n)?  (?P<words>.*) \[type=.*\](?:\n    For further information visit \S*)?"
)
_CONTENT = re.compile(r"content=(.*), name")
_WHOLE = re.compile(f"(?P<kind>ValidationError: )?{_TITLE}(?:{_FAULT})+")


def as_ours(recorded: Any) -> Any:
    """Replace class and text of upstream's error in what a scenario recorded."""
    if isinstance(recorded, str):
        if recorded == "ValidationError":
            return "ToolArgumentsError"
        inside_repr = _CONTENT.sub(
            lambda match: f"content={as_ours(literal_eval(match[1]))!r}, name", recorded
        )
        return _WHOLE.sub(_written, inside_repr)
    if isinstance(recorded, (list, tuple)):
        return type(recorded)(as_ours(each) for each in recorded)
    if isinstance(recorded, dict):
        return {key: as_ours(value) for key, value in recorded.items()}
    return recorded


def _written(match: re.Match[str]) -> str:
    faults = re.finditer(_FAULT, match[0])
    return ("ToolArgumentsError: " if match["kind"] else "") + "\n".join(
        f"{fault['place'].strip()}: {fault['words']}" if fault["place"] else fault["words"]
        for fault in faults
    )
