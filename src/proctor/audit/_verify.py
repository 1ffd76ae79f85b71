"""Whether the record is as it was written, as far as that can be told from what is given."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

from sqlalchemy import Connection, String, select, type_coerce
from sqlalchemy.exc import DBAPIError

from proctor.audit._tables import audit_entries, audit_head
from proctor.audit._values import genesis, linked, moment

if TYPE_CHECKING:
    from proctor.audit._heads import Head

TOLD = 100
"""Faults that are told one by one."""
PAGE = 1000

FaultKind = Literal["changed", "link", "gap", "head", "cut", "replaced", "signature", "heads", "unreadable"]
"""`changed`: an entry isn't what was hashed. `link`: it follows another one than stands before it. `gap`: a
number is missing, or there twice. `head`: the database's own head is another entry. `cut`: there were more
entries. `replaced`: another entry, or another record, stood here. `signature`: a head or export is not by a
key that is trusted. `heads`: a line that is no head. `unreadable`: not even the database can read it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """How far a record has come."""

    chain: str
    seq: int
    hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Something that isn't as it was written."""

    kind: FaultKind
    seq: int
    """The first entry of which that is known; 0 where it is about none."""
    text: str

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """What a check of the record, or of an export, came to."""

    entries: int
    heads: int
    """Signed heads that it was held against."""
    faults: tuple[Fault, ...]
    """What is wrong, the first place first; at most a hundred."""
    unproven: tuple[str, ...]
    """What the check can't tell with what it was given."""

    @property
    def sound(self) -> bool:
        """Whether nothing is wrong."""
        return not self.faults


@dataclass(frozen=True, slots=True, kw_only=True)
class Walked:
    """What a walk along the entries met."""

    entries: int
    last: Position | None
    faults: tuple[Fault, ...]


class Chain:
    """Entries as they follow each other, held against what the one before says, and against heads."""

    def __init__(self, start: Position, heads: Sequence["Head"] = ()) -> None:
        self.last = start
        self.entries = 0
        self.faults: list[Fault] = []
        self._heads: dict[int, list[Head]] = {}
        for head in heads:
            self._heads.setdefault(head.seq, []).append(head)

    def meet(self, row: Any) -> None:
        """Takes the next entry."""
        self.entries += 1
        expected = self.last.seq + 1
        seq = row.seq if type(row.seq) is int else expected
        if row.seq != expected:
            self._fault("gap", seq, f"entry {expected} is missing: entry {row.seq} follows {self.last.seq}")
        elif row.previous != self.last.hash:
            self._fault("link", seq, f"entry {seq} doesn't follow the entry that stands before it")
        if row.hash != recomputed(row):
            self._fault("changed", seq, f"entry {seq} is not what was written")
        if any(head.hash != row.hash for head in self._heads.get(seq, ())):
            self._fault("replaced", seq, f"a signed head says of entry {seq} that it was another one")
        self.last = Position(chain=self.last.chain, seq=seq, hash=str(row.hash))

    def _fault(self, kind: FaultKind, seq: int, text: str) -> None:
        if len(self.faults) < TOLD:
            self.faults.append(Fault(kind=kind, seq=seq, text=text))


def recomputed(row: Any) -> str:
    """The hash that an entry's values give; empty where they are none that an entry has."""
    try:
        return linked(
            row.previous,
            seq=row.seq,
            at=_instant(row.at),
            actor=row.actor,
            action=row.action,
            thing=row.thing,
            tenant=row.tenant,
            data=row.data,
        )
    except (TypeError, ValueError, OverflowError):
        return ""


def hold_still(connection: Connection) -> None:
    """Lets a transaction that begins now see one and the same state until its end."""
    if connection.dialect.name == "postgresql" and not connection.in_transaction():
        connection.execution_options(isolation_level="REPEATABLE READ")


def walk(connection: Connection, *, after: Position | None = None, heads: Sequence["Head"] = ()) -> Walked:
    """Goes along the entries behind a position that is known to be sound, to the database's own head."""
    hold_still(connection)
    try:
        return _walk(connection, after, heads)
    except DBAPIError as error:
        text = f"the record can't be read: {error.orig}"
        return Walked(entries=0, last=None, faults=(Fault(kind="unreadable", seq=0, text=text),))


def _walk(connection: Connection, after: Position | None, heads: Sequence["Head"]) -> Walked:
    rows = connection.execute(select(audit_head)).all()
    own = rows[0] if rows else None
    name = str(own.chain) if own is not None else (after.chain if after else "")
    start = after or Position(chain=name, seq=0, hash=genesis(name))
    chain = Chain(start, heads)
    faults = chain.faults
    if start.seq and _hash_at(connection, start.seq) != start.hash:
        text = f"entry {start.seq} isn't the one that it was before"
        faults.append(Fault(kind="replaced", seq=start.seq, text=text))
    for entry in _entries(connection, start.seq):
        chain.meet(entry)
    last = chain.last
    if own is None and (chain.entries or start.seq):
        faults.append(Fault(kind="head", seq=last.seq, text="the database's own head is gone"))
    elif len(rows) > 1:
        faults.append(Fault(kind="head", seq=last.seq, text="the database has several heads"))
    elif own is not None and (own.seq, own.hash) != (last.seq, last.hash):
        text = f"the database's own head names entry {own.seq}, and the last one is {last.seq}"
        faults.append(Fault(kind="head", seq=last.seq, text=text))
    if own is not None and after is not None and own.chain != after.chain:
        faults.append(Fault(kind="replaced", seq=0, text="this is another record than it was before"))
    return Walked(entries=chain.entries, last=last if own is not None else None, faults=tuple(faults))


def verify(
    connection: Connection, *, heads: Sequence["Head"] | None = None, trusted: Collection[str] = ()
) -> Verified:
    """Whether the database's record is as it was written, and holds what signed heads say that it held.

    `trusted` are the public keys whose heads count; where it is empty, a head's own key is believed.
    """
    given = heads or ()
    held, wrong = _checked(given, trusted)
    walked = walk(connection, heads=held)
    faults = [*wrong, *walked.faults]
    chain = "" if walked.last is None else walked.last.chain
    end = 0 if walked.last is None else walked.last.seq
    for head in held:
        if head.chain != chain:
            text = f"the head of {head.at} is one of another record" if chain else "the whole record is gone"
            faults.append(Fault(kind="replaced", seq=0, text=text))
        elif head.seq > end:
            text = f"there were {head.seq} entries at {head.at}, and there are {end}"
            faults.append(Fault(kind="cut", seq=end, text=text))
    return Verified(
        entries=walked.entries,
        heads=len(held),
        faults=tuple(faults[:TOLD]),
        unproven=tuple(_unproven(heads, held, trusted, end)),
    )


def _checked(heads: Sequence["Head"], trusted: Collection[str]) -> tuple[list["Head"], list[Fault]]:
    held: list[Head] = []
    wrong: list[Fault] = []
    for head in heads:
        if not head.is_signed:
            text = f"the head of entry {head.seq} doesn't bear the signature of its key"
            wrong.append(Fault(kind="signature", seq=head.seq, text=text))
        elif trusted and head.key not in trusted:
            text = f"the head of entry {head.seq} is signed by {head.key}, which isn't trusted"
            wrong.append(Fault(kind="signature", seq=head.seq, text=text))
        else:
            held.append(head)
    return held, wrong


def _unproven(
    heads: Sequence["Head"] | None, held: Sequence["Head"], trusted: Collection[str], end: int
) -> Iterator[str]:
    if not held:
        yield (
            "Without signed heads from outside the database nothing shows that no entries were cut off at "
            "the end, that the record wasn't written anew, or that it isn't another one: give --heads FILE."
        )
        return
    assert heads is not None
    reach = max(head.seq for head in held)
    if reach < end:
        yield f"Entries {reach + 1} to {end} are newer than the newest head: no head vouches for them yet."
    if not trusted:
        yield (
            "The heads are signed by the keys that they name themselves, and nothing shows that these are "
            "yours: give --key."
        )


def _entries(connection: Connection, after: int) -> Iterator[Any]:
    """Entries as the database holds them, also where it holds what no entry has."""
    # SQLite's own text of an instant is read here: what somebody put in its place may be none.
    at = audit_entries.c.at
    raw = type_coerce(at, String).label("at") if connection.dialect.name == "sqlite" else at
    columns = [raw if column is at else column for column in audit_entries.c]
    query = select(*columns).order_by(audit_entries.c.seq)
    if after:
        query = query.where(audit_entries.c.seq > after)
    with connection.execute(query, execution_options={"yield_per": PAGE}) as found:
        yield from found


def _hash_at(connection: Connection, seq: int) -> str | None:
    return connection.scalar(select(audit_entries.c.hash).where(audit_entries.c.seq == seq))


def _instant(value: Any) -> datetime:
    """The instant that stands in a database or an export.

    Raises:
        ValueError: it isn't written as Proctor writes it: in another form it sorts elsewhere, and would keep
            the entry out of the periods that it belongs to.
    """
    if isinstance(value, datetime):
        return value
    at = datetime.fromisoformat(value)
    if value != (at.isoformat(" ", "microseconds") if at.tzinfo is None else moment(at)):
        raise ValueError("another form")
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at
