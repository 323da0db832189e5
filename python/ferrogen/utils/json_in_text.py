"""JSON objects in the text of a model."""

import json
import re
from typing import Any, Dict, List  # noqa: UP035 - upstream's spelling

from ferrogen.exceptions import SerializationError

_FENCED = re.compile(r"```(?:\s*([\w+\-]+))?\n(.*?)```", re.DOTALL)


def extract_json_from_str(content: str) -> List[Dict[str, Any]]:  # noqa: UP006 - as above
    """Read the JSON of a text: of each fenced block, or of all of it if no block is fenced.

    Args:
        content: JSON, or text with blocks between triple backticks, marked ``json`` or unmarked.

    Returns:
        Their contents, in order.

    Raises:
        json.JSONDecodeError: A block, or the text, is not JSON.
        SerializationError: A block is marked as another language.

    Example:
        ```python
        from ferrogen.utils import extract_json_from_str

        assert extract_json_from_str('{"city": "Turin"}') == [{"city": "Turin"}]
        ```
    """
    blocks = _FENCED.findall(content)
    for language, _ in blocks:
        if language.lower() not in ("", "json"):
            # AutoGen's words, which programs match on.
            raise SerializationError(f"Expected JSON object, but found language: {language}")
    return [json.loads(text) for _, text in blocks] if blocks else [json.loads(content)]
