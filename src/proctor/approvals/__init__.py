"""Questions to people: asked once, on terms that rules set, decided once, used once."""

from proctor.approvals._backlog import Undecided, undecided
from proctor.approvals._decide import decide, delegate, expire
from proctor.approvals._edits import check_edit, editable_schema
from proctor.approvals._gate import ApprovalGate, Judge, Opinion
from proctor.approvals._reviewers import Agreement, Reviewer, Sign, Spread, reviewers
from proctor.approvals._rules import (
    ActionRules,
    check_humans,
    check_licensed,
    check_patterns,
    check_role,
    check_roles,
    elicit_terms,
    human_terms,
    names_tool,
    roles_from,
)
from proctor.approvals._sql import (
    Filter,
    any_decided,
    cancel_pending,
    consume,
    decided_between,
    get,
    of_run,
    overdue,
    page,
    page_query,
    request,
)
from proctor.approvals._standing import revoke, standing_page
from proctor.approvals._telling import any_to_tell, due_reminders, expired, reminded, unasked
from proctor.approvals._values import STANDING, Approval, Standing, State, key_of
from proctor.approvals._who import Roles

__all__ = [
    "STANDING",
    "ActionRules",
    "Agreement",
    "Approval",
    "ApprovalGate",
    "Filter",
    "Judge",
    "Opinion",
    "Reviewer",
    "Roles",
    "Sign",
    "Spread",
    "Standing",
    "State",
    "Undecided",
    "any_decided",
    "any_to_tell",
    "cancel_pending",
    "check_edit",
    "check_humans",
    "check_licensed",
    "check_patterns",
    "check_role",
    "check_roles",
    "consume",
    "decide",
    "decided_between",
    "delegate",
    "due_reminders",
    "editable_schema",
    "elicit_terms",
    "expire",
    "expired",
    "get",
    "human_terms",
    "key_of",
    "names_tool",
    "of_run",
    "overdue",
    "page",
    "page_query",
    "reminded",
    "request",
    "reviewers",
    "revoke",
    "roles_from",
    "standing_page",
    "unasked",
    "undecided",
]
