"""What the outbox tells of approvals and of alerts: the one place where the rooms meet."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Protocol

from sqlalchemy import Connection

from proctor import alerts, approvals
from proctor.alerts import Telling
from proctor.app._settings import Settings
from proctor.approvals import Approval
from proctor.core import Clock, Decision, RoleSettings, SystemClock
from proctor.notices import Alarm, Audience, DecisionPage, Due, Kind, LinkKey, Matter, Notices, told
from proctor.store import Database

NOTICE_LOOK = timedelta(seconds=2)
"""Between looks for something to tell."""


class Desk(Protocol):
    """What the decision page needs of a running Proctor."""

    settings: Settings
    database: Database

    async def decide(
        self,
        approval_id: str,
        decision: Decision,
        *,
        also: Callable[[Connection], None] | None = None,
        link_of: str = "",
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
        find_alarm=find_alarm,
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


def find_alarm(connection: Connection, telling_id: str) -> Alarm:
    """What is told of alerts under an id.

    Raises:
        NotFound: nothing is.
    """
    return _alarm(alerts.telling(connection, telling_id))


def _alarm(telling: Telling) -> Alarm:
    return Alarm(id=telling.id, lines=telling.lines, runs=telling.runs, roles=telling.roles)


def _audience(name: str, role: RoleSettings) -> Audience:
    urls = tuple(url.get_secret_value() for url in role.notify)
    return Audience(role=name, members=role.members, urls=urls, language=role.language)


def _look(connection: Connection, at: datetime) -> bool:
    return approvals.any_to_tell(connection, told, at) or bool(alerts.untold(connection, told, at))


def _due(connection: Connection, at: datetime) -> Sequence[Due]:
    alarms = [
        Due(matter=_alarm(one), kind=one.kind, round=alerts.ROUND)
        for one in alerts.untold(connection, told, at)
    ]
    return [*_requests(connection), *_outcomes(connection, at), *_reminders(connection, at), *alarms]


def _requests(connection: Connection) -> Iterator[Due]:
    for approval, occasion in approvals.unasked(connection, told):
        kind: Kind = "escalated" if approval.escalations else "requested"
        yield Due(matter=_matter(approval), kind=kind, round=occasion)


def _outcomes(connection: Connection, at: datetime) -> Iterator[Due]:
    for approval, occasion in approvals.expired(connection, told, at):
        yield Due(matter=_matter(approval), kind="expired", round=occasion)


def _reminders(connection: Connection, at: datetime) -> Iterator[Due]:
    for approval in approvals.due_reminders(connection, at):
        assert approval.remind_at is not None
        if approvals.reminded(connection, approval, at):
            yield Due(matter=_matter(approval), kind="reminder", round=approval.remind_at.isoformat())


def _matter(approval: Approval) -> Matter:
    question, decision = approval.question, approval.decision
    is_answer = question.kind == "output"
    arguments = approval.action.get("arguments")
    return Matter(
        id=approval.id,
        run_id=approval.run_id,
        team=approval.team,
        agent=approval.agent,
        waits=approval.state == "pending",
        needs_names=approval.needs_names,
        text=question.text,
        why=tuple(_why(approval)),
        action=approval.action,
        digest=approval.digest,
        roles=approval.roles or ((question.role,) if question.role else ()),
        expires_at=approval.expires_at,
        outcome=f"{decision.kind}. {decision.comment}".strip() if decision else "",
        answer=str(arguments["answer"]) if is_answer and isinstance(arguments, Mapping) else None,
        task=str(approval.conversation[0]["text"]) if is_answer and approval.conversation else "",
        found=question.terms.labels if is_answer else (),
    )


def _why(approval: Approval) -> Iterator[str]:
    terms = approval.question.terms
    labels = () if approval.question.kind == "output" else terms.labels  # told as what was found
    for name, value in (("rule", terms.rule), ("risk", terms.risk), ("labels", ", ".join(labels))):
        if value:
            yield f"{name}: {value}"
    if approval.quorum > 1:
        yield f"votes: {approval.approvals} of {approval.quorum}"
    if approval.stage > 1:
        yield "a second person decides"
