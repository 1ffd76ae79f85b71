"""What belongs to a subject: whose runs, conversations and documents those are."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, and_, or_, select

from proctor.privacy._values import Subject
from proctor.runs import runs


@dataclass(frozen=True, slots=True, kw_only=True)
class Whose:
    """A subject and the mark that stands for them; after an erasure the mark alone."""

    tenant: str
    name: str
    """Empty, where nobody knows it any more."""
    mark: str

    @classmethod
    def of(cls, subject: Subject, mark: str) -> "Whose":
        """A subject whose name is known."""
        return cls(tenant=subject.tenant, name=subject.name, mark=mark)

    @property
    def names(self) -> tuple[str, ...]:
        """By what they are found."""
        return (self.name, self.mark) if self.name else (self.mark,)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reached:
    """A run that belongs to a subject."""

    id: str
    state: str
    subject: str
    requester: str
    thread_id: str | None
    ended_at: datetime | None
    """Since when its data is old; nothing while it goes on."""


def own(whose: Whose) -> ColumnElement[bool]:
    """Whether a run is about the subject. One that names nobody is about who asked for it."""
    asked = and_(runs.c.subject == "", runs.c.requester == whose.name, runs.c.requester != "")
    return and_(runs.c.tenant == whose.tenant, or_(runs.c.subject.in_(whose.names), asked))


def told(whose: Whose) -> ColumnElement[bool]:
    """Whether a run's data is the subject's to see: theirs, and what names nobody in their conversations."""
    unnamed = and_(runs.c.tenant == whose.tenant, runs.c.subject == "", _in_thread(whose))
    return or_(own(whose), unnamed)


def quoted(whose: Whose) -> ColumnElement[bool]:
    """Whether a run may hold the subject's data: theirs, and all of the conversations in which they are.

    The requests of a conversation's runs repeat what was said before, whoever said it.
    """
    return or_(own(whose), and_(runs.c.tenant == whose.tenant, _in_thread(whose)))


def _in_thread(whose: Whose) -> ColumnElement[bool]:
    other = runs.alias("other")
    asked = and_(other.c.subject == "", other.c.requester == whose.name, other.c.requester != "")
    theirs = select(other.c.thread_id).where(
        other.c.tenant == whose.tenant,
        other.c.thread_id.is_not(None),
        or_(other.c.subject.in_(whose.names), asked),
    )
    return runs.c.thread_id.in_(theirs)


def page(
    connection: Connection, which: ColumnElement[bool], *, after: str = "", limit: int
) -> Sequence[Reached]:
    """The next runs, in the order in which they were started."""
    query = (
        select(
            runs.c.id,
            runs.c.state,
            runs.c.subject,
            runs.c.requester,
            runs.c.thread_id,
            runs.c.finished_at.label("ended_at"),
        )
        .where(which, runs.c.id > after)
        .order_by(runs.c.id)
        .limit(limit)
    )
    return [Reached(**row._asdict()) for row in connection.execute(query)]


def going_on(connection: Connection, which: ColumnElement[bool]) -> dict[str, str]:
    """The states of those of the runs that haven't ended, by id; of those that failed too: they may go on."""
    unended = runs.c.state.in_(("queued", "running", "waiting", "failed"))
    return {
        row.id: row.state for row in connection.execute(select(runs.c.id, runs.c.state).where(which, unended))
    }
