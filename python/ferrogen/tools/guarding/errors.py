"""Errors of guards.

The tree::

    FerrogenError
    ├── ToolRefusedError        (PermissionError)  a guard did not let a call pass
    │   ├── ToolDeniedError     a rule or a person denied it
    │   ├── ApprovalRequired    a person has to approve it first
    │   └── ToolBudgetError     it would exceed a budget
    ├── ApprovalError           (LookupError)      there is no such approval, or it is answered
    └── AuditError              (RuntimeError)     an audit log cannot be written, or was changed
"""

from ferrogen.exceptions import FerrogenError


class ToolRefusedError(FerrogenError, PermissionError):
    """A guard did not let a call pass: the tool was not run, unless a limit ended it.

    Args:
        message: The text for the model.
        guard: The name of the guard.
        tool: The name of the tool.
    """

    __module__ = "ferrogen.tools"

    def __init__(self, message: str, *, guard: str = "", tool: str = "") -> None:
        super().__init__(message)
        self.guard, self.tool = guard, tool


class ToolDeniedError(ToolRefusedError):
    """A rule of a guard, or a person, denied a call.

    Example:
        ```python
        import asyncio

        from ferrogen.tools import Deny, Guard, ToolDeniedError, tool


        @tool
        async def remove(path: str) -> None:
            '''Remove a file.'''


        guard = Guard(Deny.tools("remove", reason="files are never removed"))
        try:
            with guard:
                asyncio.run(remove.run_json({"path": "notes.txt"}))
        except ToolDeniedError as error:
            assert str(error) == "the call of remove was denied: files are never removed"
        ```
    """

    __module__ = "ferrogen.tools"


class ApprovalRequired(ToolRefusedError):
    """A call needs the approval of a person, and was not run.

    `Guard.approve` or `Guard.deny` answer it by its id. Then the same call passes, once, or is
    denied.

    Args:
        message: The text for the model.
        id: The id of the approval: the same whenever the call is repeated, another one for every
            other call.
        guard: The name of the guard.
        tool: The name of the tool.

    Example:
        ```python
        import asyncio

        from ferrogen.tools import ApprovalRequired, Ask, Guard, tool


        @tool
        async def pay(amount: float) -> str:
            '''Pay an amount.'''
            return f"paid {amount}"


        async def main() -> None:
            guard = Guard(Ask.tools("pay", question="Really?"))
            with guard:
                try:
                    await pay.run_json({"amount": 5}, call_id="call-1")
                except ApprovalRequired as error:
                    guard.approve(error.id)
                assert await pay.run_json({"amount": 5}, call_id="call-1") == "paid 5.0"


        asyncio.run(main())
        ```
    """

    __module__ = "ferrogen.tools"

    def __init__(self, message: str, *, id: str = "", guard: str = "", tool: str = "") -> None:
        super().__init__(message, guard=guard, tool=tool)
        self.id = id


class ToolBudgetError(ToolRefusedError):
    """A call would exceed a budget of a guard, or was ended because time ran out.

    Args:
        message: The text for the model.
        budget: ``"calls"``, ``"seconds"`` or ``"cost"``.
        guard: The name of the guard.
        tool: The name of the tool.
    """

    __module__ = "ferrogen.tools"

    def __init__(self, message: str, *, budget: str = "", guard: str = "", tool: str = "") -> None:
        super().__init__(message, guard=guard, tool=tool)
        self.budget = budget


class ApprovalError(FerrogenError, LookupError):
    """There is no approval with this id, or it is answered already."""

    __module__ = "ferrogen.tools"


class AuditError(FerrogenError, RuntimeError):
    """An audit log cannot be written, is in use, or was changed."""

    __module__ = "ferrogen.tools"
