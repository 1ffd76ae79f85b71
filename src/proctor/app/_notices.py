"""What the outbox tells of approvals: the one place where the two rooms meet."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Protocol

from sqlalchemy import Connection, Select, String, cast, literal, select

from proctor import approvals
from proctor.app._settings import Settings
from proctor.approvals import Approval
from proctor.core import Clock, Decision, RoleSettings, SystemClock
from proctor.notices import Audience, DecisionPage, Due, Kind, LinkKey, Matter, Notices, told
from proctor.store import Database

NOTICE_LOOK = timedelta(seconds=2)
"""Between looks for something to tell."""
PAGE = 200
"""Approvals that are looked at in one transaction."""
STALE = timedelta(days=1)
"""What expired longer ago than this isn't told any more: nobody looked meanwhile."""
EXPIRED = "expired"

_asked = approvals.approvals
_round = (
    cast(_asked.c.stage, String)
    + literal(".")
    + cast(_asked.c.escalations, String)
    + literal(".")
    + _asked.c.digest
)
"""Changes when other people are to be asked, or when the action is another one."""


class Desk(Protocol):
    """What the decision page needs of a running Proctor."""

    settings: Settings
    database: Database

    async def decide(
        self, approval_id: str, decision: Decision, *, also: Callable[[Connection], None] | None = None
    ) -> Approval:
        """An approval after a person's answer."""


def make_notices(
    settings: Settings, database: Database, *, clock: Clock, environ: Mapping[str, str], signs: bool
) -> Notices:
    """The outbox as configured; only who `signs` links needs their key.

    Raises:
        MissingSetting: the environment doesn't hold the key of the links.
    """
    return Notices(
        database,
        clock=clock,
        settings=settings.notices,
        key=LinkKey.load(settings.notices, environ) if signs else None,
        audiences={name: _audience(name, role) for name, role in settings.roles.items()},
        find=find,
        look=_look,
        due=_due,
    )


def decision_page(
    proctor: Desk, *, environ: Mapping[str, str] = os.environ, clock: Clock | None = None
) -> DecisionPage | None:
    """The page behind decision links, where links are configured.

    Raises:
        MissingSetting: the environment doesn't hold their key.
    """
    key = LinkKey.load(proctor.settings.notices, environ)
    if key is None:
        return None
    return DecisionPage(
        proctor.database,
        clock=clock or SystemClock(),
        key=key,
        find=find,
        decide=proctor.decide,
        languages={name: role.language for name, role in proctor.settings.roles.items()},
    )


def find(connection: Connection, approval_id: str) -> Matter:
    """The question of an approval.

    Raises:
        NotFound: there is no such approval.
    """
    return _matter(approvals.get(connection, approval_id))


def _audience(name: str, role: RoleSettings) -> Audience:
    urls = tuple(url.get_secret_value() for url in role.notify)
    return Audience(role=name, members=role.members, urls=urls, language=role.language)


def _look(connection: Connection, at: datetime) -> bool:
    queries = (_untold(), _expired(at), _reminders(at))
    return any(connection.execute(query.limit(1)).first() is not None for query in queries)


def _due(connection: Connection, at: datetime) -> Sequence[Due]:
    return [*_requests(connection), *_outcomes(connection, at), *_reminded(connection, at)]


def _requests(connection: Connection) -> Iterator[Due]:
    for row in connection.execute(_untold().limit(PAGE)).all():
        approval = approvals.get(connection, row.id)
        kind: Kind = "escalated" if approval.escalations else "requested"
        yield Due(matter=_matter(approval), kind=kind, round=row.round)


def _outcomes(connection: Connection, at: datetime) -> Iterator[Due]:
    for row in connection.execute(_expired(at).limit(PAGE)).all():
        yield Due(matter=find(connection, row.id), kind="expired", round=EXPIRED)


def _reminded(connection: Connection, at: datetime) -> Iterator[Due]:
    for approval in approvals.due_reminders(connection, at):
        assert approval.remind_at is not None
        if approvals.reminded(connection, approval, at):
            yield Due(matter=_matter(approval), kind="reminder", round=approval.remind_at.isoformat())


def _untold() -> Select[Any]:
    """Pending approvals of which those who are asked now weren't told."""
    return (
        select(_asked.c.id, _round.label("round"))
        .where(_asked.c.state == "pending", ~told(_asked.c.id, _round))
        .order_by(_asked.c.id)
    )


def _expired(at: datetime) -> Select[Any]:
    """Approvals that expired lately, and of which nobody was told."""
    return (
        select(_asked.c.id)
        .where(
            _asked.c.state.in_(("decided", "consumed")),
            _asked.c.expires_at.between(at - STALE, at),
            _asked.c.decided_by == approvals.EXPIRY,
            ~told(_asked.c.id, EXPIRED),
        )
        .order_by(_asked.c.id)
    )


def _reminders(at: datetime) -> Select[Any]:
    return select(_asked.c.id).where(_asked.c.state == "pending", _asked.c.remind_at <= at)


def _matter(approval: Approval) -> Matter:
    question, decision = approval.question, approval.decision
    return Matter(
        id=approval.id,
        run_id=approval.run_id,
        team=approval.team,
        agent=approval.agent,
        waits=approval.state == "pending",
        text=question.text,
        why=tuple(_why(approval)),
        action=approval.action,
        digest=approval.digest,
        roles=approval.roles or ((question.role,) if question.role else ()),
        expires_at=approval.expires_at,
        outcome=f"{decision.kind}. {decision.comment}".strip() if decision else "",
    )


def _why(approval: Approval) -> Iterator[str]:
    terms = approval.question.terms
    for name, value in (("rule", terms.rule), ("risk", terms.risk), ("labels", ", ".join(terms.labels))):
        if value:
            yield f"{name}: {value}"
    if approval.quorum > 1:
        yield f"votes: {approval.approvals} of {approval.quorum}"
    if approval.stage > 1:
        yield "a second person decides"
