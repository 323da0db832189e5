"""Guards of tools: rules, approvals, budgets and audit logs."""

from .approvals import Approval
from .audit_chain import AuditReport, verify_audit_log
from .audit_log import AuditLog
from .budget import Spent
from .decisions import Allow, Ask, Change, Decision, Deny, Rule, ToolCall
from .errors import (
    ApprovalError,
    ApprovalRequired,
    AuditError,
    ToolBudgetError,
    ToolDeniedError,
    ToolRefusedError,
)
from .guard import Guard

__all__ = [
    "Allow",
    "Approval",
    "ApprovalError",
    "ApprovalRequired",
    "Ask",
    "AuditError",
    "AuditLog",
    "AuditReport",
    "Change",
    "Decision",
    "Deny",
    "Guard",
    "Rule",
    "Spent",
    "ToolBudgetError",
    "ToolCall",
    "ToolDeniedError",
    "ToolRefusedError",
    "verify_audit_log",
]
