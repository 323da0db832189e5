"""Guards: allow, deny or change calls of tools, ask a person, and keep budgets and an audit log."""

import asyncio
import inspect
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from typing_extensions import Self

from ferrogen._core import CancellationToken
from ferrogen.messaging.handler_context import CONVERSATION
from ferrogen.tools.cancellation import value_of
from ferrogen.tools.context import ProgressListener
from ferrogen.tools.guarding import scopes
from ferrogen.tools.guarding.approvals import Approval, Approvals
from ferrogen.tools.guarding.budget import Budget, Costs, Spent
from ferrogen.tools.guarding.decisions import Allow, Ask, Change, Decision, Deny, Rule, ToolCall
from ferrogen.tools.guarding.errors import ApprovalRequired, AuditError, ToolDeniedError

if TYPE_CHECKING:
    from ferrogen.tools.guarding.audit_log import AuditLog

Approver = Callable[[Approval], "Decision | Awaitable[Decision]"]
Revalidate = Callable[[Mapping[str, Any]], Mapping[str, Any]]
_GuardedT = TypeVar("_GuardedT")


@dataclass
class Decided:
    """A call about which a guard has decided."""

    call: ToolCall
    changes: dict[str, Any] = field(default_factory=dict)
    """The arguments that were changed."""
    approval: str | None = None
    """The id of the approval that it needed."""
    seconds: float | None = None
    """How long it may take, when it is admitted."""
    is_admitted: bool = False


class Guard:
    """Decides about calls of tools: allows, denies or changes them, or asks a person.

    A guard is attached to what it guards, in one of four ways: ``with guard:`` to a conversation,
    `protect` to a tool or a workbench, ``SingleThreadedAgentRuntime(tool_guard=guard)`` to a
    runtime, `install` to the process. Then each call passes it, whether it comes from a
    `ToolAgent`, a workbench, an agent of AgentChat, a pipeline, or ``run_json``. A call can pass
    several guards.

    Rules are asked in their order. The first `Deny` or `Allow` decides; a `Change` or an `Ask` is
    noted, and the next rule is asked. A rule that fails denies.

    Args:
        *rules: Functions of a `ToolCall`, also asynchronous ones; None leaves it to the next rule.
        name: The name, for errors, ids of approvals and the audit log.
        default: The decision about a call for which no rule decides.
        max_calls: The most calls.
        max_seconds: The most seconds during which calls run; those that run then are ended.
        max_cost: The highest cost.
        costs: The costs of calls: by the names of tools, or a function of the call. Tools can add
            to them by ``ToolContext.charge``.
        on_ask: Whether a call that a person has to approve raises `ApprovalRequired`, or waits for
            the answer.
        approver: Is asked about such a call, which waits for its `Allow` or `Deny`. A synchronous
            function runs in a thread.
        on_pending: Is called with each `Approval` for which a call waits, or which it raised.
        approvals: A file for the approvals, so that they survive a restart.
        audit: Gets a record for each decision and outcome. Calls whose decision cannot be recorded
            are refused.
        on_progress: Gets the progress of the tools, see `tool_progress`.

    Raises:
        ValueError: A budget is negative, or an option unknown.

    Example:
        ```python
        import asyncio

        from ferrogen.tools import Ask, Deny, Guard, StaticWorkbench, tool


        @tool
        async def remove(path: str) -> str:
            '''Remove a file.'''
            return f"removed {path}"


        async def main() -> None:
            guard = Guard(
                lambda call: Deny("keep it") if call.arguments["path"] == "/" else None,
                Ask.tools("remove"),
                max_calls=10,
            )
            workbench = guard.protect(StaticWorkbench([remove]))
            result = await workbench.call_tool("remove", {"path": "/"})
            assert result.to_text() == "the call of remove was denied: keep it"
            result = await workbench.call_tool("remove", {"path": "/tmp"}, call_id="c")
            (asked,) = guard.pending
            assert asked.id in result.to_text()
            guard.approve(asked.id)
            result = await workbench.call_tool("remove", {"path": "/tmp"}, call_id="c")
            assert result.to_text() == "removed /tmp"


        asyncio.run(main())
        ```
    """

    __module__ = "ferrogen.tools"

    def __init__(
        self,
        *rules: Rule,
        name: str = "guard",
        default: Literal["allow", "deny"] = "allow",
        max_calls: int | None = None,
        max_seconds: float | None = None,
        max_cost: float | None = None,
        costs: Costs | None = None,
        on_ask: Literal["raise", "wait"] = "raise",
        approver: Approver | None = None,
        on_pending: Callable[[Approval], object] | None = None,
        approvals: str | Path | None = None,
        audit: "AuditLog | None" = None,
        on_progress: ProgressListener | None = None,
    ) -> None:
        if default not in {"allow", "deny"} or on_ask not in {"raise", "wait"}:
            raise ValueError(
                f"default is {default!r} and on_ask is {on_ask!r}; give 'allow' or 'deny', and"
                " 'raise' or 'wait'"
            )
        self._rules = rules
        self._name = name
        self._default = default
        self._budget = Budget(name, max_calls, max_seconds, max_cost, costs)
        self._on_ask = on_ask
        self._approver = approver
        self._on_pending = on_pending
        self._approvals = Approvals(name, None if approvals is None else Path(approvals))
        self._audit = audit
        self.on_progress = on_progress
        scopes.in_use = True

    # Attaching.

    def __enter__(self) -> Self:
        """Guard the calls of this conversation: of this task, and of what it starts.

        Handlers of a runtime that was started before run elsewhere. While the block is open, their
        calls pass this guard, too, unless they are in a block of their own.
        """
        scopes.enter(self, None)
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_val: BaseException | None,
        exc_tb: TracebackType | None,
    ) -> None:
        """Leave the block."""
        scopes.leave(self, None)

    @contextmanager
    def conversation(self, name: str) -> Generator[Self, None, None]:
        """Guard a conversation by its name, as ``with guard.conversation("support-17"):``.

        It is the conversation of the calls in the block. Of the handlers of a runtime that was
        started before, only those pass the guard whose conversation has this name.

        Args:
            name: The conversation; of an agent it is its key, see `ToolContext`.
        """
        token = CONVERSATION.set(name)
        scopes.enter(self, name)
        try:
            yield self
        finally:
            scopes.leave(self, name)
            CONVERSATION.reset(token)

    def protect(self, guarded: _GuardedT) -> _GuardedT:
        """Attach the guard to a tool or a workbench, for all its callers.

        Args:
            guarded: A `BaseTool` or a `Workbench`.

        Returns:
            The same object.

        Raises:
            TypeError: It is something else.
        """
        attached = getattr(guarded, "_tool_guards", None)
        if attached is None:
            raise TypeError(
                f"{guarded!r} cannot be protected: give a BaseTool or a Workbench, or attach the"
                " guard to the conversation, the runtime or the process"
            )
        if self not in attached:
            guarded._tool_guards = (*attached, self)  # type: ignore[attr-defined]
        return guarded

    def install(self) -> None:
        """Guard every call in the process, until `uninstall`."""
        if self not in scopes.everywhere:
            scopes.everywhere.append(self)

    def uninstall(self) -> None:
        """Undo `install`."""
        if self in scopes.everywhere:
            scopes.everywhere.remove(self)

    # Approvals, budgets, state.

    @property
    def name(self) -> str:
        """The name."""
        return self._name

    @property
    def pending(self) -> list[Approval]:
        """The calls that a person has still to approve."""
        return self._approvals.pending()

    def approval(self, approval_id: str) -> Approval:
        """Return an approval.

        Raises:
            ApprovalError: There is none with this id.
        """
        return self._approvals.get(approval_id)

    def approve(self, approval_id: str) -> None:
        """Let a call pass, once, from any thread: the one that waits, or its repetition.

        A call is repeated by the same tool, arguments, caller and conversation, and the same id of
        the call, or the id of the approval as the id of the call.

        Raises:
            ApprovalError: There is no approval with this id, or it was denied.
        """
        self._approvals.answer(approval_id, "approved")

    def deny(self, approval_id: str, reason: str = "a person denied it") -> None:
        """Deny a call, from any thread.

        Raises:
            ApprovalError: There is no approval with this id, or it was approved.
        """
        self._approvals.answer(approval_id, "denied", reason)

    @property
    def spent(self) -> Spent:
        """The amounts that the calls have spent of the budgets."""
        return self._budget.spent

    async def save_state(self) -> Mapping[str, Any]:
        """Return approvals and budgets in a form that JSON can hold."""
        return {
            "type": "GuardState",
            "approvals": self._approvals.save(),
            "spent": self._budget.save(),
        }

    async def load_state(self, state: Mapping[str, Any]) -> None:
        """Load a saved state, in place of the present one.

        Raises:
            ValueError: It is not a state of a guard.
        """
        if state.get("type") != "GuardState":
            raise ValueError(f"{state!r:.80} is not a state of a guard")
        self._budget.load(state["spent"])
        self._approvals.load(state["approvals"])

    # Calls.

    @asynccontextmanager
    async def decide(
        self, call: ToolCall, token: CancellationToken, revalidate: Revalidate
    ) -> AsyncGenerator[Decided, None]:
        """Decide about a call, which is admitted and made inside the block.

        Args:
            call: The call.
            token: Cancels it, also while it waits for a person.
            revalidate: Validates changed arguments, and returns all.

        Raises:
            ToolRefusedError: It does not pass.
        """
        decided = Decided(call)
        try:
            await self._decide(decided, token, revalidate)
            yield decided
        except Exception as error:
            if not decided.is_admitted:
                await self._record(
                    "refused", decided.call, error=type(error).__name__, reason=str(error)
                )
            raise
        finally:
            if decided.approval is not None:
                self._approvals.release(decided.approval)

    @asynccontextmanager
    async def admit(self, decided: Decided) -> AsyncGenerator[None, None]:
        """Count a call that runs inside the block, and note how it ends.

        Args:
            decided: The call, about which all guards have decided.

        Raises:
            ToolRefusedError: It would exceed a budget, or its approval is used up.
        """
        call = decided.call
        decided.seconds = self._budget.begin(call)
        event, error_name = "returned", None
        try:
            if decided.approval is not None and not self._approvals.use(decided.approval):
                raise self._denied(call, "its approval is used up")
            await self._record(
                "allowed",
                call,
                changed=sorted(decided.changes) or None,
                approval=decided.approval,
            )
            decided.is_admitted = True
            yield
        except Exception as error:
            event, error_name = "failed", type(error).__name__
            raise
        except BaseException:
            event = "cancelled"
            raise
        finally:
            self._budget.end()
            if decided.is_admitted:
                await self._record(event, call, error=error_name)

    async def note_invalid(self, call: ToolCall, error: Exception) -> None:
        """Record a call whose arguments are wrong; it was not run."""
        await self._record("invalid", call, error=type(error).__name__)

    def charge(self, tool: str, cost: float) -> None:
        """Add a cost that was not known before the call.

        Raises:
            ToolBudgetError: The budget is exceeded.
        """
        self._budget.charge(tool, cost)

    def out_of_time(self, tool: str) -> Exception:
        """Return the error of a call that took longer than the budget allows."""
        return self._budget.out_of_time(tool)

    async def _decide(
        self, decided: Decided, token: CancellationToken, revalidate: Revalidate
    ) -> None:
        question: str | None = None
        decision: Decision | None = None
        for rule in self._rules:
            decision = await self._ask_rule(rule, decided.call)
            if isinstance(decision, (Allow, Deny)):
                break
            if isinstance(decision, Ask):
                question = decision.question or question or ""
            elif isinstance(decision, Change):
                decided.changes.update(decision.arguments)
                arguments = revalidate(decided.changes)
                decided.call = replace(decided.call, arguments=arguments)
        if isinstance(decision, Deny):
            raise self._denied(decided.call, decision.reason)
        if not isinstance(decision, Allow) and question is None and self._default == "deny":
            raise self._denied(decided.call, "no rule allows it")
        self._budget.check(decided.call)
        if question is not None:
            await self._approve(decided, question, token)

    async def _ask_rule(self, rule: Rule, call: ToolCall) -> Decision | None:
        try:
            decided = rule(call)
            decision = await decided if inspect.isawaitable(decided) else decided
        except Exception as error:
            raise self._denied(call, f"a rule failed: {error!r}") from error
        if decision is not None and not isinstance(decision, (Allow, Deny, Change, Ask)):
            raise self._denied(call, f"a rule returned {decision!r}, which is not a decision")
        return decision

    async def _approve(self, decided: Decided, question: str, token: CancellationToken) -> None:
        call = decided.call
        approval = self._approvals.open(call, question)
        decided.approval = approval.id
        if approval.status == "pending":
            await self._record("asked", call, approval=approval.id)
            if self._on_pending is not None:
                self._on_pending(self._approvals.get(approval.id))
            if self._approver is not None:
                await self._ask_person(self._approver, approval, token)
            elif self._on_ask == "wait":
                await value_of(self._approvals.waiter(approval.id), token)
            else:
                raise ApprovalRequired(
                    f"the call of {call.tool} was not run: a person has to approve it first;"
                    f" the id of the approval is {approval.id}",
                    id=approval.id,
                    guard=self._name,
                    tool=call.tool,
                )
        answered = self._approvals.get(approval.id)
        if answered.status == "denied":
            self._approvals.forget_denial(approval.id)
            raise self._denied(call, answered.reason)

    async def _ask_person(
        self, approver: Approver, approval: Approval, token: CancellationToken
    ) -> None:
        shown = self._approvals.get(approval.id)
        if inspect.iscoroutinefunction(approver):
            asking: asyncio.Future[Any] = asyncio.ensure_future(approver(shown))
        else:
            asking = asyncio.ensure_future(asyncio.to_thread(approver, shown))
        decision = await value_of(asking, token)
        if inspect.isawaitable(decision):
            decision = await decision
        if isinstance(decision, Allow):
            self.approve(approval.id)
        elif isinstance(decision, Deny):
            self.deny(approval.id, decision.reason)
        else:
            raise TypeError(f"the approver returned {decision!r}; return Allow() or Deny(reason)")

    def _denied(self, call: ToolCall, reason: str) -> ToolDeniedError:
        return ToolDeniedError(
            f"the call of {call.tool} was denied: {reason}", guard=self._name, tool=call.tool
        )

    async def _record(self, event: str, call: ToolCall, **details: Any) -> None:
        log = self._audit
        if log is None:
            return

        def write() -> None:
            log.append(
                event,
                guard=self._name,
                tool=call.tool,
                call_id=call.call_id,
                caller=None if call.caller is None else str(call.caller),
                conversation=call.conversation,
                arguments=log.arguments_of(call),
                **details,
            )

        loop = asyncio.get_running_loop()
        try:
            writing = loop.run_in_executor(log.writer, write)
        except RuntimeError as error:
            raise AuditError(f"the audit log {log.path} is closed") from error
        await asyncio.shield(writing)  # it is written also if the caller is cancelled meanwhile
