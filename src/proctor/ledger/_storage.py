"""What is kept, measured day by day: conversations by tenant and team, and knowledge.

The tables that are measured belong to other rooms, which this one doesn't know: it meets them by their names.
Bytes are those of texts and vectors, as UTF-8, without a database's own indexes and compression.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import partial
from typing import Any, Literal

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    LargeBinary,
    Select,
    String,
    Table,
    and_,
    cast,
    column,
    func,
    insert,
    or_,
    select,
    table,
    union,
)

from proctor.core import Clock, Micros, digest, to_micros
from proctor.ledger._audit import SETTLING
from proctor.ledger._entries import ledger_entries, utc_day
from proctor.store import Database, UtcDateTime, insert_into, metadata

GB = 10**9
MONTH = 30
"""Days that a month's price is for."""
PAGE = 200
"""Runs that are measured at a time: no reader holds up the database for long."""

_BLOB = '{"$blob":"'
"""What stands in the place of a large value, before its digest."""
_DIGEST = 32
"""Characters of the digest."""

storage_sizes = Table(
    "storage_sizes",
    metadata,
    Column("run_id", String(40), primary_key=True),
    Column("finished_at", UtcDateTime, nullable=False),
    Column("bytes", BigInteger, nullable=False),
)
"""The sizes of runs that have ended: each is measured once, and again only where it was resumed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """How much is kept of one thing."""

    what: Literal["conversations", "knowledge"]
    tenant: str
    """Whose conversations; knowledge is everybody's."""
    team: str
    bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sized:
    id: str
    tenant: str
    team: str
    finished_at: datetime | None
    bytes: int


class Storage:
    """What is kept and what it costs, entered into the ledger once in a UTC day by whoever comes first."""

    def __init__(self, database: Database, *, clock: Clock, usd_per_gb_month: Decimal) -> None:
        self._database = database
        self._clock = clock
        self._price = usd_per_gb_month
        self._begun = clock.now()
        self._day = ""

    def cost_of_day(self, size: int) -> Micros:
        """What so many bytes cost for one day, rounded half up."""
        return to_micros(self._price * size / (GB * MONTH))

    def cost_of_month(self, size: int) -> Micros:
        """What so many bytes cost for 30 days, rounded half up."""
        return to_micros(self._price * size / GB)

    async def look(self) -> None:
        """Measures and enters the day's storage where it has a price and that wasn't done today."""
        now = self._clock.now()
        day = utc_day(now)
        if not self._price or day == self._day or now - self._begun < SETTLING:
            return
        if not await self._database.read(lambda connection: _is_entered(connection, day)):
            rows = [self._entry(kept, now) for kept in await self.measure()]
            await self._database.commit(lambda connection: _enter(connection, rows))
        self._day = day

    async def measure(self) -> tuple[Kept, ...]:
        """What is kept now: knowledge, then conversations by tenant and team."""
        live: Counter[tuple[str, str]] = Counter()
        after = ""
        while page := await self._database.read_long(partial(_measure_runs, after=after)):
            after = page[-1].id
            if ended := [run for run in page if run.finished_at is not None]:
                await self._database.commit(partial(_keep, runs=ended))
            for run in page:
                if run.finished_at is None:
                    live[run.tenant, run.team] += run.bytes
        knowledge, kept = await self._database.read_long(_add_up)
        return (
            Kept(what="knowledge", tenant="", team="", bytes=knowledge),
            *(
                Kept(what="conversations", tenant=tenant, team=team, bytes=size)
                for (tenant, team), size in sorted((kept + live).items())
            ),
        )

    def _entry(self, kept: Kept, at: datetime) -> dict[str, Any]:
        day = utc_day(at)
        texts = {"run_id": "", "agent": "", "deployment": "", "model": "", "tool": ""}
        tokens = {"input_tokens": 0, "output_tokens": 0, "cached_input_tokens": 0, "reasoning_tokens": 0}
        return {
            **texts,
            **tokens,
            "id": _entry_id(day, kept.tenant, kept.team),
            "at": at,
            "day": day,
            "kind": "storage",
            "tenant": kept.tenant,
            "team": kept.team,
            "bytes": kept.bytes,
            "cost_micros": self.cost_of_day(kept.bytes),
        }


def _entry_id(day: str, tenant: str, team: str) -> str:
    return f"sto_{day}_{digest([tenant, team])}"


def _is_entered(connection: Connection, day: str) -> bool:
    query = select(ledger_entries.c.id).where(ledger_entries.c.id == _entry_id(day, "", ""))
    return connection.execute(query).first() is not None


def _enter(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Enters a day whole, or not at all where another worker has: the first entry stands for the day."""
    first = insert_into(connection, ledger_entries).values(rows[0]).on_conflict_do_nothing()
    if connection.execute(first.returning(ledger_entries.c.id)).first() is not None and len(rows) > 1:
        connection.execute(insert(ledger_entries), rows[1:])


def _measure_runs(connection: Connection, after: str) -> Sequence[_Sized]:
    """The next runs that go on, or ended and weren't measured since."""
    runs, sizes = metadata.tables["runs"].c, storage_sizes.c
    query = (
        select(runs.id, runs.tenant, runs.team, runs.finished_at)
        .select_from(metadata.tables["runs"].outerjoin(storage_sizes, sizes.run_id == runs.id))
        .where(
            runs.id > after,
            or_(runs.finished_at.is_(None), sizes.run_id.is_(None), sizes.finished_at != runs.finished_at),
        )
        .order_by(runs.id)
        .limit(PAGE)
    )
    found = connection.execute(query).all()
    sizes_of = _sizes(connection, [row.id for row in found])
    return [_Sized(**row._asdict(), bytes=sizes_of[row.id]) for row in found]


def _sizes(connection: Connection, ids: Sequence[str]) -> Counter[str]:
    """The bytes of each run: its own texts, its calls and events, and the large values that it refers to."""
    runs, calls, events = (metadata.tables[name].c for name in ("runs", "calls", "events"))
    sizes: Counter[str] = Counter()
    for run_id, texts in (
        (runs.id, (runs.task, runs.result, runs.error)),
        (calls.run_id, (calls.request, calls.outcome)),
        (events.run_id, (events.data,)),
    ):
        query = select(run_id, func.sum(_octets(connection, *texts))).where(run_id.in_(ids)).group_by(run_id)
        for id, size in connection.execute(query):
            sizes[id] += int(size)
    blobs = metadata.tables["blobs"].c
    # A run that refers to a value twice keeps it once; runs that share one each count it.
    references = union(*(_references(value, ids) for value in (calls.request, calls.outcome))).subquery()
    query = (
        select(references.c.run_id, func.sum(_octets(connection, blobs.body)))
        .join_from(references, metadata.tables["blobs"], blobs.digest == references.c.digest)
        .group_by(references.c.run_id)
    )
    for id, size in connection.execute(query):
        sizes[id] += int(size)
    return sizes


def _references(value: ColumnElement[str], ids: Sequence[str]) -> Select[Any]:
    """The digests of large values that stand beside the journal."""
    name = func.substr(value, len(_BLOB) + 1, _DIGEST).label("digest")
    run_id = metadata.tables["calls"].c.run_id
    return select(run_id, name).where(run_id.in_(ids), value.startswith(_BLOB, autoescape=True))


def _keep(connection: Connection, runs: Sequence[_Sized]) -> None:
    statement = insert_into(connection, storage_sizes)
    statement = statement.on_conflict_do_update(
        index_elements=["run_id"],
        set_={"finished_at": statement.excluded.finished_at, "bytes": statement.excluded.bytes},
    )
    rows = [{"run_id": run.id, "finished_at": run.finished_at, "bytes": run.bytes} for run in runs]
    connection.execute(statement, rows)


def _add_up(connection: Connection) -> tuple[int, Counter[tuple[str, str]]]:
    """The bytes of knowledge, and those of runs that have ended and of what threads remember."""
    runs, sizes = metadata.tables["runs"].c, storage_sizes.c
    threads, states = metadata.tables["threads"].c, metadata.tables["thread_states"].c
    measured = and_(sizes.run_id == runs.id, sizes.finished_at == runs.finished_at)
    kept: Counter[tuple[str, str]] = Counter()
    for query in (
        select(runs.tenant, runs.team, func.sum(sizes.bytes))
        .join_from(metadata.tables["runs"], storage_sizes, measured)
        .group_by(runs.tenant, runs.team),
        select(threads.tenant, threads.team, func.sum(_octets(connection, states.state)))
        .join_from(
            metadata.tables["threads"], metadata.tables["thread_states"], states.thread_id == threads.id
        )
        .group_by(threads.tenant, threads.team),
    ):
        for tenant, team, size in connection.execute(query):
            kept[tenant, team] += int(size)
    return _knowledge(connection), kept


def _knowledge(connection: Connection) -> int:
    texts = {
        "knowledge_sources": ("collection", "name", "title"),
        "knowledge_chunks": ("title", "text", "terms", "embedding"),
    }
    sums = (
        select(func.coalesce(func.sum(_octets(connection, *map(column, names))), 0)).select_from(table(name))
        for name, names in texts.items()
    )
    return sum(int(connection.execute(query).scalar_one()) for query in sums)


def _octets(connection: Connection, *columns: ColumnElement[Any]) -> ColumnElement[int]:
    """The bytes of values together."""

    def octets(value: ColumnElement[Any]) -> ColumnElement[int]:
        # Older SQLite counts a text's characters only.
        if connection.dialect.name == "sqlite":
            return func.coalesce(func.length(cast(value, LargeBinary)), 0)
        return func.coalesce(func.octet_length(value), 0)

    first, *rest = map(octets, columns)
    return sum(rest, first)
