"""The statements of consents, one function each. Rows are added and never changed, erasure aside."""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import Any, cast

from sqlalchemy import Connection, Row, delete, func, insert, select, update

from proctor.core import PurposeSettings
from proctor.privacy._tables import consents
from proctor.privacy._values import Act, Consent, Standing, Subject
from proctor.runs import runs


def add(
    connection: Connection,
    subject: Subject,
    *,
    purpose: str,
    act: Act,
    version: str,
    channel: str,
    by: str,
    at: datetime,
) -> Consent:
    """Adds what a subject says."""
    row = {
        "tenant": subject.tenant,
        "subject": subject.name,
        "purpose": purpose,
        "act": act,
        "version": version,
        "channel": channel,
        "recorded_by": by,
        "at": at,
    }
    return _consent(connection.execute(insert(consents).values(row).returning(*consents.c)).one())


def history(
    connection: Connection,
    *,
    tenant: str,
    names: Iterable[str] | None,
    purpose: str | None,
    after: int = 0,
    limit: int | None = None,
) -> tuple[Consent, ...]:
    """What was said, in its order: by some subjects, or by all; on one purpose, or on all."""
    query = select(consents).where(consents.c.tenant == tenant, consents.c.number > after)
    if names is not None:
        query = query.where(consents.c.subject.in_(list(names)))
    if purpose is not None:
        query = query.where(consents.c.purpose == purpose)
    return tuple(_consent(row) for row in connection.execute(query.order_by(consents.c.number).limit(limit)))


def standings(
    connection: Connection, subject: Subject, purposes: Mapping[str, PurposeSettings]
) -> dict[str, Standing]:
    """How a subject stands to each purpose on which something was said."""
    said = history(connection, tenant=subject.tenant, names=[subject.name], purpose=None)
    return {last.purpose: Standing(last=last, lives=lives(last, purposes)) for last in said}


def lives(last: Consent, purposes: Mapping[str, PurposeSettings]) -> bool:
    """Whether what was said last lets the purpose be processed for: to just the text that it demands."""
    purpose = purposes.get(last.purpose)
    if purpose is None or last.act != "give":
        return False
    return purpose.text_version in ("", last.version)


def running(connection: Connection, subject: Subject, purposes: Collection[str]) -> list[str]:
    """Runs of the subject that are executed for one of the purposes."""
    query = select(runs.c.id).where(
        runs.c.subject == subject.name,
        runs.c.tenant == subject.tenant,
        runs.c.purpose.in_(list(purposes)),
        runs.c.state == "running",
    )
    return list(connection.scalars(query))


def rename(connection: Connection, subject: Subject, mark: str) -> int:
    """How many records bear the mark in the place of the name now: that there was a consent can be shown."""
    mine = (consents.c.tenant == subject.tenant, consents.c.subject == subject.name)
    renamed = connection.execute(update(consents).where(*mine).values(subject=mark)).rowcount
    own = (consents.c.tenant == subject.tenant, consents.c.recorded_by == subject.name)
    connection.execute(update(consents).where(*own, consents.c.subject == mark).values(recorded_by=mark))
    return renamed


def prune(
    connection: Connection,
    before: datetime,
    purposes: Mapping[str, PurposeSettings],
    held: Iterable[tuple[str, str]],
    *,
    after: int,
    limit: int,
) -> tuple[int, int | None]:
    """How many old records that don't live any more are gone, and the last that was looked at.

    Nothing was looked at where there are no more. Of those that are held none goes.
    """
    query = select(consents).where(consents.c.at < before, consents.c.number > after)
    page = [_consent(row) for row in connection.execute(query.order_by(consents.c.number).limit(limit))]
    keep = set(held)
    gone = [
        each.number
        for each in page
        if (each.tenant, each.subject) not in keep
        and not (_is_last(connection, each) and lives(each, purposes))
    ]
    if gone:
        connection.execute(delete(consents).where(consents.c.number.in_(gone)))
    return len(gone), page[-1].number if page else None


def _is_last(connection: Connection, consent: Consent) -> bool:
    mine = (
        consents.c.tenant == consent.tenant,
        consents.c.subject == consent.subject,
        consents.c.purpose == consent.purpose,
    )
    last = connection.scalar(select(func.max(consents.c.number)).where(*mine))
    return bool(last == consent.number)


def _consent(row: Row[Any]) -> Consent:
    return Consent(
        number=row.number,
        subject=row.subject,
        tenant=row.tenant,
        purpose=row.purpose,
        act=cast("Act", row.act),
        version=row.version,
        channel=row.channel,
        recorded_by=row.recorded_by,
        at=row.at,
    )
