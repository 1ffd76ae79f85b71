"""Questions to people: asked once, on terms that rules set, decided once, used once."""

from proctor.approvals._decide import decide, delegate, expire
from proctor.approvals._edits import check_edit, editable_schema
from proctor.approvals._gate import ApprovalGate, Judge, Opinion
from proctor.approvals._rules import check_patterns, check_roles, human_terms, roles_from
from proctor.approvals._sql import (
    Filter,
    any_decided,
    cancel_pending,
    consume,
    due_reminders,
    get,
    of_run,
    overdue,
    page,
    page_query,
    reminded,
    request,
)
from proctor.approvals._standing import revoke, standing_page
from proctor.approvals._tables import approvals, delegations, standing, votes
from proctor.approvals._values import EXPIRY, LINK, STANDING, Approval, Delegation, Standing, State, Vote
from proctor.approvals._who import Roles, person, roles_of

__all__ = [
    "EXPIRY",
    "LINK",
    "STANDING",
    "Approval",
    "ApprovalGate",
    "Delegation",
    "Filter",
    "Judge",
    "Opinion",
    "Roles",
    "Standing",
    "State",
    "Vote",
    "any_decided",
    "approvals",
    "cancel_pending",
    "check_edit",
    "check_patterns",
    "check_roles",
    "consume",
    "decide",
    "delegate",
    "delegations",
    "due_reminders",
    "editable_schema",
    "expire",
    "get",
    "human_terms",
    "of_run",
    "overdue",
    "page",
    "page_query",
    "person",
    "reminded",
    "request",
    "revoke",
    "roles_from",
    "roles_of",
    "standing",
    "standing_page",
    "votes",
]
