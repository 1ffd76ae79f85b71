"""How entries get into the record: with what they tell of, or not at all."""

from dataclasses import dataclass
from datetime import datetime
from weakref import WeakKeyDictionary

from sqlalchemy import Connection, RootTransaction, event, insert, select, update

from proctor.audit._tables import audit_entries, audit_head
from proctor.audit._values import genesis, linked, storable, written
from proctor.core import JsonObject, new_id
from proctor.store import insert_into


@dataclass(frozen=True, slots=True, kw_only=True)
class _Draft:
    """An entry that has no number yet."""

    at: datetime
    actor: str
    action: str
    thing: str
    tenant: str
    data: str


_drafts: WeakKeyDictionary[RootTransaction, list[_Draft]] = WeakKeyDictionary()
"""What each open transaction will add."""

_lock_head = select(audit_head.c.seq, audit_head.c.hash).with_for_update()


def append(
    connection: Connection,
    *,
    at: datetime,
    actor: str,
    action: str,
    thing: str,
    tenant: str = "",
    data: JsonObject = {},  # noqa: B006 - read alone
) -> None:
    """Adds an entry to the record with the caller's transaction.

    `action` is words with dots, as `approval.decided`; `thing` the id of what it was done to; `data` ids,
    numbers and words of ours: no text of a run, and no person's name but those of staff.

    It gets its number just before the transaction commits. The head of the chain is locked no longer than
    that, and never by somebody who waits for another row: who appends can't stand in each other's way.
    """
    transaction = connection.get_transaction() or connection.begin()
    draft = _Draft(
        at=at,
        actor=storable(actor),
        action=action,
        thing=storable(thing),
        tenant=tenant,
        data=written(data),
    )
    _drafts.setdefault(transaction, []).append(draft)
    if not event.contains(connection, "commit", _chain):
        event.listen(connection, "commit", _chain)


def _chain(connection: Connection) -> None:
    """Numbers what the transaction adds, and ties each entry to the one before it."""
    transaction = connection.get_transaction()
    drafts = None if transaction is None else _drafts.pop(transaction, None)
    if not drafts:
        return
    seq, last = _head(connection)
    rows = []
    for draft in drafts:
        seq, previous = seq + 1, last
        values = {
            "at": draft.at,
            "actor": draft.actor,
            "action": draft.action,
            "thing": draft.thing,
            "tenant": draft.tenant,
            "data": draft.data,
        }
        last = linked(
            previous,
            seq=seq,
            at=draft.at,
            actor=draft.actor,
            action=draft.action,
            thing=draft.thing,
            tenant=draft.tenant,
            data=draft.data,
        )
        rows.append({"seq": seq, **values, "previous": previous, "hash": last})
    connection.execute(insert(audit_entries), rows)
    connection.execute(update(audit_head).values(seq=seq, hash=last))


def _head(connection: Connection) -> tuple[int, str]:
    """The chain's last number and hash, which nobody else changes till the transaction's end."""
    row = connection.execute(_lock_head).first()
    if row is None:
        _begin_chain(connection)
        row = connection.execute(_lock_head).one()
    return row.seq, row.hash


def _begin_chain(connection: Connection) -> None:
    chain = new_id("aud")
    fresh = {"one": 1, "chain": chain, "seq": 0, "hash": genesis(chain)}
    connection.execute(insert_into(connection, audit_head).values(fresh).on_conflict_do_nothing())
