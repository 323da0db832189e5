"""Code blocks and results of code executors."""

import re
from dataclasses import dataclass

_NAMED = re.compile(r"(?:#|//|<!--|/\*)\s*filename:\s*(\S+)", re.IGNORECASE)


def file_name_in(code: str) -> str | None:
    """Return the name in a first line such as ``# filename: plot.py``, or None."""
    first = code.lstrip().partition("\n")[0].strip()
    match = _NAMED.match(first)
    return match[1] if match else None


@dataclass
class CodeBlock:
    """A piece of code that a model wrote.

    Example:
        ```python
        from ferrogen.code_executor import CodeBlock

        block = CodeBlock(code="print(6 * 7)", language="python")
        assert block.language == "python"
        ```
    """

    __module__ = "ferrogen.code_executor"

    code: str
    """The code itself."""

    language: str
    """The language, as the fence of a Markdown block names it."""


@dataclass
class CodeResult:
    """How the execution of code blocks ended.

    Example:
        ```python
        from ferrogen.code_executor import CodeResult

        result = CodeResult(exit_code=0, output="42")
        assert result.exit_code == 0
        ```
    """

    __module__ = "ferrogen.code_executor"

    exit_code: int
    """0 if all went well."""

    output: str
    """The output of the code."""
