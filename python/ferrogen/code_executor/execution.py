"""Code blocks and results of code executors."""

from dataclasses import dataclass


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
