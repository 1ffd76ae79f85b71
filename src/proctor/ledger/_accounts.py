"""Taking money of accounts, giving it back, and what people add to them."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

from sqlalchemy import Connection, func, select, tuple_

from proctor import audit
from proctor.core import LONGEST_NAME, Micros
from proctor.ledger._rows import (
    Account,
    Piece,
    accounts_of,
    key_of,
    lock,
    locked,
    pieces_of,
    write_accounts,
    write_pieces,
)
from proctor.ledger._rules import Claim, Key
from proctor.ledger._tables import budget_grants as granted
from proctor.store import insert_into

NEAR_END = 10
"""Of this part of a budget nobody takes more than a call needs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What a call wants of one account."""

    claim: Claim
    since: datetime
    """When a call of its worker first asked for the account."""
    short: Micros
    """What its worker hasn't got."""
    more: Micros
    """What its worker takes for further calls, while much is left."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shortage:
    """Why a call doesn't fit."""

    claim: Claim
    limit: Micros
    """With what people have added."""
    spent: Micros
    """Lost money counts as spent."""
    set_aside: Micros
    """By calls that are under way, and by workers for their next ones."""
    need: Micros

    @property
    def may_pass(self) -> bool:
        """Whether the call fits once what is set aside has come back."""
        return self.spent + self.need <= self.limit


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """What a transaction has come to."""

    answers: tuple["tuple[Micros, ...] | Shortage", ...]
    """For each wish: what it got of each account beside what it had, or why it got nothing."""
    accounts: Mapping[Key, Account]
    pieces: Mapping[Key, Piece]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What one call wants, of all of its accounts or of none."""

    need: Micros
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """What a person adds to a budget."""

    run_id: str
    """The run that asked."""
    number: int
    """Which of its questions about this account it was."""
    amount: Micros
    at: datetime
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Grants:
    """What people have added because a run asked."""

    count: int
    total: Micros


def take(
    connection: Connection, *, holder: str, wishes: Sequence[Wish], spent: Mapping[Key, Micros]
) -> Taken:
    """Serves wishes, first come first served. `spent` is what the holder has spent of its pieces so far."""
    wanted = {part.claim.key: part for wish in wishes for part in wish.parts}
    held = lock(connection, (part.claim for part in wanted.values()))
    own = pieces_of(connection, holder, wanted)
    known = set(own)
    for key, part in wanted.items():
        piece = own.setdefault(key, Piece(at=part.since))
        if key in spent and key in known:  # else the piece was ended for its holder, and begins anew
            held[key].spent += spent[key] - piece.spent
            piece.spent = spent[key]
    answers: list[tuple[Micros, ...] | Shortage] = []
    for wish in wishes:
        shortage = next(filter(None, (_shortage(part, held, wish.need) for part in wish.parts)), None)
        if shortage is not None:
            answers.append(shortage)
            continue
        granted = tuple(part.short + _more(part, held[part.claim.key]) for part in wish.parts)
        for part, amount in zip(wish.parts, granted, strict=True):
            held[part.claim.key].taken += amount
            own[part.claim.key].taken += amount
        answers.append(granted)
    write_accounts(connection, held)
    write_pieces(connection, holder, own, known=known)
    return Taken(answers=tuple(answers), accounts=held, pieces=own)


def give_back(
    connection: Connection, *, holder: str, unused: Mapping[Key, Micros], spent: Mapping[Key, Micros]
) -> None:
    """Gives back what a holder doesn't use of its pieces, and says what it has spent so far."""
    held = locked(connection, unused)
    own = pieces_of(connection, holder, unused)
    for key, piece in own.items():
        account = held[key]
        account.spent += spent[key] - piece.spent
        account.taken -= unused[key]
        piece.spent = spent[key]
        piece.taken -= unused[key]
    write_accounts(connection, {key: held[key] for key in own})
    write_pieces(connection, holder, own, known=own.keys())


def look(connection: Connection, holder: str, keys: Collection[Key]) -> tuple[dict[Key, Account], set[Key]]:
    """The accounts of these keys, and those of which the holder has a piece."""
    return accounts_of(connection, keys), set(pieces_of(connection, holder, keys))


def grants(connection: Connection, run_id: str, key: Key) -> Grants:
    """What people have added to an account because a run asked for it."""
    query = select(func.count(), func.coalesce(func.sum(granted.c.amount), 0)).where(
        granted.c.run_id == run_id, key_of(granted) == tuple_(*key)
    )
    count, total = connection.execute(query).one()
    return Grants(count=count, total=int(total))


def add_grant(connection: Connection, claim: Claim, grant: Grant) -> bool:
    """Whether what a person adds to an account wasn't added before; it is now."""
    name, subject, label = claim.key
    row = {
        **asdict(grant),
        "by": grant.by[:LONGEST_NAME],
        "budget": name,
        "subject": subject,
        "period": label,
    }
    adding = insert_into(connection, granted).values(row).on_conflict_do_nothing()
    if connection.execute(adding.returning(granted.c.number)).first() is None:
        return False
    if claim.period.end is not None:
        account = lock(connection, [claim])[claim.key]
        account.raised += grant.amount
        write_accounts(connection, {claim.key: account})
    audit.append(
        connection,
        at=grant.at,
        actor=grant.by,
        action="budget.raised",
        thing=name,
        data={"run": grant.run_id, "period": label, "micros": grant.amount},
    )
    return True


def _shortage(part: Part, held: Mapping[Key, Account], need: Micros) -> Shortage | None:
    account, budget = held[part.claim.key], part.claim.budget
    limit = budget.limit + account.raised
    # What was spent without being set aside needs nothing more: it counts, whatever the limit.
    if not need or not budget.blocks or account.taken + part.short <= limit:
        return None
    gone = account.spent + account.lost
    return Shortage(
        claim=part.claim, limit=limit, spent=gone, set_aside=max(0, account.taken - gone), need=need
    )


def _more(part: Part, account: Account) -> Micros:
    limit = part.claim.budget.limit + account.raised
    left = limit - account.taken - part.short - part.more
    return part.more if left * NEAR_END >= limit else 0
