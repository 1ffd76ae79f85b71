"""Questions to people: asked once, decided once, used once."""

from proctor.approvals._gate import ApprovalGate
from proctor.approvals._sql import (
    Approval,
    State,
    any_decided,
    cancel_pending,
    consume,
    decide,
    get,
    of_run,
    page,
    request,
)

__all__ = [
    "Approval",
    "ApprovalGate",
    "State",
    "any_decided",
    "cancel_pending",
    "consume",
    "decide",
    "get",
    "of_run",
    "page",
    "request",
]
