"""The statements that make texts go, for each class of what is kept.

They meet other rooms' tables by their names; `_decisions` says of each what becomes of it. Each statement may
be executed again: what is gone already doesn't count. Ids, times and amounts stay: the books still agree.
"""

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Executable,
    Table,
    and_,
    case,
    delete,
    exists,
    func,
    insert,
    literal,
    or_,
    select,
    update,
)

from proctor.core import Kept, canonical_json, read_object
from proctor.privacy._keys import shred
from proctor.privacy._reach import Whose
from proctor.privacy._tables import privacy_keys, vault
from proctor.privacy._values import GONE
from proctor.runs import blobs, calls, events, runs, thread_states
from proctor.store import metadata

OF_RUNS: tuple[Kept, ...] = ("runs", "events", "journal", "approvals", "memory", "caches")
"""Classes that go with a run, in this order: the journal leaves a note among the events."""

_BLOB = '{"$blob":"'
"""What stands in the place of a large value, before its digest."""
_DIGEST = 32
"""Characters of the digest."""

ON_THE_WAY = ("sent", "late")
"""Requests that a provider has in a batch. Their rows say what they will cost."""

Counts = Counter[str]


def table(name: str) -> Table:
    """Another room's table."""
    if name not in metadata.tables:
        import proctor.knowledge  # noqa: F401 - its tables; here, because it brings numpy along

    return metadata.tables[name]


def clear(connection: Connection, ids: Sequence[str], kept: Kept, *, at: datetime) -> Counts:
    """How many rows of each table lost what some ended runs left in a class."""
    counts = _CLEAR[kept](connection, ids, at)
    if kept in ("runs", "journal"):
        _close(connection, ids, at)
    return +counts


def _close(connection: Connection, ids: Sequence[str], at: datetime) -> None:
    """Lets runs never go on: what they would go on from is gone."""
    state = case((runs.c.state == "failed", "cancelled"), else_=runs.c.state)
    since = func.coalesce(runs.c.erased_at, literal(at, runs.c.erased_at.type))
    connection.execute(update(runs).where(runs.c.id.in_(ids)).values(state=state, erased_at=since))


def remains(kept: Kept) -> ColumnElement[bool]:
    """Whether a run has something of a class, for a query over runs."""
    return _REMAINS[kept]()


def rename(connection: Connection, marks: Mapping[str, str], *, at: datetime) -> None:
    """Puts marks in the place of names: of whom runs are about, by the runs' ids. Who asked for them goes."""
    _close(connection, list(marks), at)
    for run_id, mark in marks.items():
        connection.execute(update(runs).where(runs.c.id == run_id).values(subject=mark, requester=""))


def clear_subject(connection: Connection, whose: Whose, ids: Sequence[str]) -> Counts:
    """As `clear`, for the name of a subject where it stands beside some runs."""
    entries = table("ledger_entries")
    named = (entries.c.run_id.in_(ids), entries.c.requester == whose.name)
    return _counted(connection, ledger_entries=update(entries).where(*named).values(requester=whose.mark))


def clear_rest(connection: Connection, whose: Whose, at: datetime, documents: ColumnElement[bool]) -> Counts:
    """As `clear`, for what belongs to no run: documents, schedules, the vault, what users had to spend."""
    sources, schedules, accounts = table("knowledge_sources"), table("schedules"), table("budget_accounts")
    old = (accounts.c.subject == whose.name, accounts.c.ends_at <= at)
    answers = table("cached_answers")
    counts = _counted(
        connection,
        knowledge_chunks=delete(table("knowledge_chunks")).where(
            table("knowledge_chunks").c.source.in_(select(sources.c.id).where(of_documents(whose), documents))
        ),
        knowledge_sources=delete(sources).where(of_documents(whose), documents),
        vault=delete(vault).where(vault.c.mark == whose.mark),
        privacy_keys=delete(privacy_keys).where(privacy_keys.c.name == whose.mark),
        # Kept before runs were noted: nobody knows whose they are.
        cached_answers=delete(answers).where(answers.c.run_id == "", answers.c.tenant == whose.tenant),
    )
    if whose.name:
        theirs = (schedules.c.tenant == whose.tenant, schedules.c.requester == whose.name)
        more = {
            "schedules": delete(schedules).where(*theirs),
            "budget_accounts": delete(accounts).where(*old),
        }
        counts.update(_counted(connection, **more))
    return +counts


def of_documents(whose: Whose) -> ColumnElement[bool]:
    """Whether a document is about the subject."""
    sources = table("knowledge_sources").c
    return and_(sources.subject.in_(whose.names), sources.tenant == whose.tenant)


def unbooked(connection: Connection, ids: Sequence[str]) -> int:
    """Answers of batches that a worker books before they can go."""
    requests = table("batch_requests")
    mine = (requests.c.run_id.in_(ids), requests.c.state == "answered")
    return connection.scalar(select(func.count()).where(*mine)) or 0


def _counted(connection: Connection, **statements: Executable) -> Counts:
    return Counter({name: connection.execute(each).rowcount for name, each in statements.items()})


def _clear_runs(connection: Connection, ids: Sequence[str], _at: datetime) -> Counts:
    sizes = table("storage_sizes")  # measured anew: they are smaller
    connection.execute(delete(sizes).where(sizes.c.run_id.in_(ids)))
    emptied = update(runs).where(runs.c.id.in_(ids), _has_texts())
    return _counted(connection, runs=emptied.values(task=GONE, result=None, error=None))


def _has_texts() -> ColumnElement[bool]:
    return or_(runs.c.task != GONE, runs.c.result.is_not(None), runs.c.error.is_not(None))


def _clear_journal(connection: Connection, ids: Sequence[str], at: datetime) -> Counts:
    paid = Counter(_sums(connection, calls, calls.c.cost, ids))
    large = _large(connection, ids)
    counts = _counted(connection, calls=delete(calls).where(calls.c.run_id.in_(ids)))
    counts["blobs"] = _drop_large(connection, large)
    counts.update(_clear_batches(connection, ids, at))
    counts.update(_counted(connection, vault=delete(vault).where(vault.c.scope.in_(ids))))
    shred(connection, ids)
    _note(connection, paid, at)
    return counts


def _sums(connection: Connection, of: Table, cost: ColumnElement[int], ids: Sequence[str]) -> dict[str, int]:
    query = select(of.c.run_id, func.sum(cost)).where(of.c.run_id.in_(ids)).group_by(of.c.run_id)
    return {run_id: int(total) for run_id, total in connection.execute(query) if total}


def _large(connection: Connection, ids: Sequence[str]) -> set[str]:
    """The digests of large values that stand beside some runs' journals."""
    found: set[str] = set()
    for value in (calls.c.request, calls.c.outcome):
        query = select(value).where(calls.c.run_id.in_(ids), value.startswith(_BLOB, autoescape=True))
        found.update(text[len(_BLOB) : len(_BLOB) + _DIGEST] for text in connection.scalars(query))
    return found


def _drop_large(connection: Connection, digests: Collection[str]) -> int:
    """How many of these values are gone: those to which no other run's journal refers."""
    if not digests:
        return 0
    references = {canonical_json({"$blob": each}): each for each in digests}
    used: set[str] = set()
    for value in (calls.c.request, calls.c.outcome):
        used.update(connection.scalars(select(value).where(value.in_(references)).distinct()))
    free = [digest for reference, digest in references.items() if reference not in used]
    return connection.execute(delete(blobs).where(blobs.c.digest.in_(free))).rowcount


def _clear_batches(connection: Connection, ids: Sequence[str], at: datetime) -> Counts:
    """Requests lose their texts. Their rows go when a worker has given back what was set aside for them.

    Those that have just been answered are left for a moment: their answers say what they cost.
    """
    requests = table("batch_requests")
    mine = requests.c.run_id.in_(ids)
    waiting = (mine, requests.c.state.in_(("new", "waiting")))
    connection.execute(update(requests).where(*waiting).values(state="failed", error=GONE, woken_at=at))
    sent = (mine, requests.c.state == "sent")
    connection.execute(update(requests).where(*sent).values(state="late", error=GONE, woken_at=at))
    texts = (mine, requests.c.state != "answered", requests.c.body != "{}")
    emptied: dict[str, Any] = {"body": "{}", "answer": None, "requester": ""}
    return _counted(connection, batch_requests=update(requests).where(*texts).values(emptied))


def _clear_events(connection: Connection, ids: Sequence[str], at: datetime) -> Counts:
    telling = connection.scalars(
        select(events.c.run_id).where(events.c.run_id.in_(ids), ~_is_note()).distinct()
    ).all()
    query = select(events.c.run_id, events.c.data).where(
        events.c.run_id.in_(telling), events.c.type == "call.wasted"
    )
    paid: Counter[str] = Counter()
    for run_id, data in connection.execute(query):
        paid[run_id] += int(str(read_object(data)["cost"]))
    counts = _counted(connection, events=delete(events).where(events.c.run_id.in_(telling)))
    connection.execute(update(runs).where(runs.c.id.in_(telling)).values(events=0))
    _note(connection, paid, at)
    return counts


def _is_note() -> ColumnElement[bool]:
    return and_(
        events.c.type == "call.wasted", events.c.data.endswith('"outcome":"erased"}', autoescape=True)
    )


def _note(connection: Connection, paid: Mapping[str, int], at: datetime) -> None:
    """Logs what was paid for calls that nobody can look up any more: the ledger is held against it."""
    for run_id, cost in paid.items():
        if not cost:
            continue
        more = update(runs).where(runs.c.id == run_id).values(events=runs.c.events + 1)
        seq = connection.execute(more.returning(runs.c.events)).scalar_one()
        data = canonical_json({"cost": cost, "deployment": "calls", "outcome": "erased"})
        row = {"run_id": run_id, "seq": seq, "at": at, "type": "call.wasted", "agent": "", "data": data}
        connection.execute(insert(events).values(row))


def _clear_approvals(connection: Connection, ids: Sequence[str], _at: datetime) -> Counts:
    approvals, votes, standing = table("approvals"), table("approval_votes"), table("standing_approvals")
    asked = select(approvals.c.id).where(approvals.c.run_id.in_(ids))
    notices, links = table("notices"), table("links")
    emptied: dict[str, Any] = {
        "text": GONE,
        "action": "{}",
        "digest": "",
        "comment": None,
        "edited": None,
        "conversation": "[]",
        "requester": "",
        "barred": "",
    }
    texts = (approvals.c.run_id.in_(ids), approvals.c.text != GONE)
    return _counted(
        connection,
        approval_votes=update(votes)
        .where(votes.c.approval_id.in_(asked), votes.c.comment != "")
        .values(comment=""),
        standing_approvals=delete(standing).where(
            or_(standing.c.run_id.in_(ids), standing.c.approval_id.in_(asked))
        ),
        notices=update(notices).where(notices.c.subject.in_(asked), notices.c.error != "").values(error=""),
        links=delete(links).where(links.c.approval_id.in_(asked)),
        approvals=update(approvals).where(*texts).values(emptied),
    )


def _clear_memory(connection: Connection, ids: Sequence[str], _at: datetime) -> Counts:
    threads = select(runs.c.thread_id).where(runs.c.id.in_(ids), runs.c.thread_id.is_not(None))
    return clear_threads(connection, connection.scalars(threads.distinct()).all())


def clear_threads(connection: Connection, ids: Sequence[str]) -> Counts:
    """As `clear`, for what agents know of some conversations, and for the tokens that they know."""
    shred(connection, ids)
    return _counted(
        connection,
        thread_states=delete(thread_states).where(thread_states.c.thread_id.in_(ids)),
        vault=delete(vault).where(vault.c.scope.in_(ids)),
    )


def _clear_caches(connection: Connection, ids: Sequence[str], _at: datetime) -> Counts:
    answers = table("cached_answers")
    return _counted(connection, cached_answers=delete(answers).where(answers.c.run_id.in_(ids)))


_CLEAR: Mapping[Kept, Callable[[Connection, Sequence[str], datetime], Counts]] = {
    "runs": _clear_runs,
    "journal": _clear_journal,
    "events": _clear_events,
    "approvals": _clear_approvals,
    "memory": _clear_memory,
    "caches": _clear_caches,
}


def _requests_remain() -> ColumnElement[bool]:
    requests = table("batch_requests").c
    return exists().where(requests.run_id == runs.c.id, requests.body != "{}")


_REMAINS: Mapping[Kept, Callable[[], ColumnElement[bool]]] = {
    "runs": _has_texts,
    "journal": lambda: or_(exists().where(calls.c.run_id == runs.c.id), _requests_remain()),
    "events": lambda: exists().where(events.c.run_id == runs.c.id, ~_is_note()),
    "approvals": lambda: exists().where(
        table("approvals").c.run_id == runs.c.id, table("approvals").c.text != GONE
    ),
    "memory": lambda: exists().where(thread_states.c.thread_id == runs.c.thread_id),
    "caches": lambda: exists().where(table("cached_answers").c.run_id == runs.c.id),
}
