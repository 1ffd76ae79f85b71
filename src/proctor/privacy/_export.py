"""All that is held on a subject, item by item: what it is, what for, and how long it is kept."""

import json
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from sqlalchemy import Connection, Table, func, select

from proctor import approvals
from proctor.core import JsonObject, Kept, PrivacySettings
from proctor.privacy import _clear, _consents, _reach, _tombstones
from proctor.privacy._reach import Whose
from proctor.privacy._vault import Vault
from proctor.runs import Run, Runs, runs, thread_states
from proctor.store import Database

FORMAT = "proctor-subject-export/1"
PAGE = 20
"""Runs that are read at a time."""
MOST = 1000
"""Records of consent, tombstones."""

Told = Callable[[int, int], None]
"""Hears how many runs were exported, and how many there are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One thing that is held on a subject."""

    kind: str
    """`run`, `call`, `event`, `approval`, `memory`, `document`, and so on."""
    kept_as: Kept | None
    """The class that says how long it is kept; nothing: as long as the installation."""
    purpose: str
    since: datetime | None
    """From when on its time runs."""
    data: JsonObject


class Exporter:
    """Exports subjects from one database.

    Who of the staff decided or recorded something isn't told, and legal holds aren't either: those are the
    data and the business of others.
    """

    def __init__(
        self,
        database: Database,
        settings: PrivacySettings,
        runs: Runs,
        vault: Vault | None,
    ) -> None:
        self._database = database
        self._settings = settings
        self._runs = runs
        self._vault = vault

    async def items(self, whose: Whose, told: Told) -> AsyncIterator[Item]:
        """What is held, in the order in which it came; conversations run by run."""
        for item in await self._database.read(partial(self._said, whose=whose)):
            yield item
        which = _reach.told(whose)
        total = await self._database.read(
            lambda connection: connection.scalar(select(func.count()).select_from(runs).where(which)) or 0
        )
        after, done = "", 0
        while page := await self._database.read(partial(_reach.page, which=which, after=after, limit=PAGE)):
            for reached in page:
                async for item in self._of_run(reached.id):
                    yield item
            after, done = page[-1].id, done + len(page)
            told(done, total)
        for item in await self._database.read(partial(self._beside, whose=whose)):
            yield item

    async def text(self, whose: Whose, *, at: datetime, told: Told) -> AsyncIterator[str]:
        """The pieces of one JSON object with all items."""
        purposes = {
            name: {
                "basis": each.basis or ("consent" if each.needs_consent else None),
                "text": each.text_version,
            }
            for name, each in self._settings.purposes.items()
        }
        head = {"format": FORMAT, "subject": whose.name, "tenant": whose.tenant}
        head |= {"exported_at": at.isoformat()}
        head |= {"purposes": purposes}  # type: ignore[dict-item]
        yield json.dumps(head, ensure_ascii=False)[:-1] + ', "items": ['
        begun = False
        async for item in self.items(whose, told):
            yield (",\n" if begun else "\n") + json.dumps(self._item_json(item), ensure_ascii=False)
            begun = True
        yield "\n]}\n"

    def _item_json(self, item: Item) -> dict[str, Any]:
        rule = None if item.kept_as is None else self._settings.retention.rule(item.kept_as)
        floor = rule and rule.floor
        ceiling = rule and rule.ceiling
        return {
            "kind": item.kind,
            "class": item.kept_as,
            "purpose": item.purpose or None,
            "kept_at_least_until": _later(item.since, floor),
            "deleted_after": _later(item.since, ceiling),
            "data": item.data,
        }

    async def _of_run(self, run_id: str) -> AsyncIterator[Item]:
        run = await self._runs.get(run_id)
        since = run.finished_at
        item = partial(Item, purpose=run.purpose, since=since)
        yield item(kind="run", kept_as="runs", data=_run_json(run))
        for call in await self._runs.calls(run_id):
            data: JsonObject = {
                "run_id": run_id,
                "agent": call.key.agent,
                "kind": call.key.kind,
                "at": call.started_at.isoformat(),
                "request": call.request,
                "outcome": None if call.outcome is None else _unnamed(call.outcome),
            }
            yield item(kind="call", kept_as="journal", data=data)
        for event in await self._runs.events(run_id):
            told: JsonObject = {"run_id": run_id, "at": event.at.isoformat(), "type": event.type}
            yield item(
                kind="event",
                kept_as="events",
                data={**told, "agent": event.agent, "data": _unnamed(event.data)},
            )
        for asked in await self._database.read(partial(approvals.of_run, run_id=run_id)):
            yield item(kind="approval", kept_as="approvals", data=_approval_json(asked))
        for kind, kept_as, data in await self._database.read(partial(_stored_of, run_id=run_id)):
            yield item(kind=kind, kept_as=kept_as, data=data)

    def _said(self, connection: Connection, whose: Whose) -> list[Item]:
        said = _consents.history(connection, tenant=whose.tenant, names=whose.names, purpose=None, limit=MOST)
        consents = [
            Item(
                kind="consent",
                kept_as="consents",
                purpose=each.purpose,
                since=each.at,
                data={
                    "act": each.act,
                    "version": each.version,
                    "channel": each.channel,
                    "at": each.at.isoformat(),
                },
            )
            for each in said
        ]
        stones = _tombstones.page(connection, tenant=whose.tenant, mark=whose.mark, limit=MOST)
        erasures = [
            Item(
                kind="erasure",
                kept_as=None,
                purpose="",
                since=each.at,
                data={"id": each.id, "at": each.at.isoformat(), "rows": dict(each.counts)},
            )
            for each in stones
        ]
        return [*consents, *erasures]

    def _beside(self, connection: Connection, whose: Whose) -> list[Item]:
        """What belongs to no run."""
        sources, chunks = _clear.table("knowledge_sources"), _clear.table("knowledge_chunks")
        found = []
        for row in connection.execute(
            select(sources).where(_clear.of_documents(whose)).order_by(sources.c.id)
        ):
            texts = select(chunks.c.text).where(chunks.c.source == row.id).order_by(chunks.c.position)
            data: JsonObject = {
                "collection": row.collection,
                "name": row.name,
                "title": row.title,
                "text": "\n\n".join(connection.scalars(texts)),
            }
            found.append(
                Item(kind="document", kept_as="knowledge", purpose=row.purpose, since=row.updated, data=data)
            )
        schedules, accounts = _clear.table("schedules"), _clear.table("budget_accounts")
        theirs = (schedules.c.tenant == whose.tenant, schedules.c.requester == whose.name)
        orders = _rows(connection, schedules, *theirs, columns=("name", "team", "task", "cron", "zone"))
        named = accounts.c.subject == whose.name
        budgets = _rows(connection, accounts, named, columns=("budget", "period", "spent"))
        for kind, rows in (("schedule", orders), ("budget", budgets)):
            found += [Item(kind=kind, kept_as=None, purpose="", since=None, data=each) for each in rows]
        for token, value in self._vault.of_subject(connection, whose.mark) if self._vault else ():
            hidden = {"token": token, "value": value}
            found.append(Item(kind="hidden_value", kept_as=None, purpose="", since=None, data=hidden))
        return found


def _stored_of(connection: Connection, run_id: str) -> list[tuple[str, Kept | None, JsonObject]]:
    """What other rooms keep beside a run."""
    entries, answers = _clear.table("ledger_entries"), _clear.table("cached_answers")
    requests, threads = _clear.table("batch_requests"), thread_states
    spent = (
        entries,
        entries.c.run_id == run_id,
        ("at", "kind", "model", "tool", "cost_micros"),
        "ledger",
        None,
    )
    cached = (answers, answers.c.run_id == run_id, ("at", "question", "answer"), "cached_answer", "caches")
    sent = (
        requests,
        requests.c.run_id == run_id,
        ("created_at", "body", "answer"),
        "batch_request",
        "journal",
    )
    memory = (threads, threads.c.run_id == run_id, ("thread_id", "state"), "memory", "memory")
    found: list[tuple[str, Kept | None, JsonObject]] = []
    for of, which, columns, kind, kept_as in (spent, cached, sent, memory):
        rows = _rows(connection, of, which, columns=columns)
        found.extend((kind, kept_as, {"run_id": run_id, **row}) for row in rows)  # type: ignore[misc]
    return found


def _rows(connection: Connection, of: Table, *which: Any, columns: Sequence[str]) -> Iterator[JsonObject]:
    for row in connection.execute(select(*(of.c[name] for name in columns)).where(*which)):
        yield {
            name: value.isoformat() if isinstance(value, datetime) else value
            for name, value in row._asdict().items()
        }


def _run_json(run: Run) -> JsonObject:
    return {
        "id": run.id,
        "team": run.team,
        "tenant": run.tenant,
        "state": run.state,
        "task": run.task,
        "result": run.result,
        "error": run.error,
        "cost_micros": run.cost,
        "thread_id": run.thread_id,
        "created_at": run.created_at.isoformat(),
        "finished_at": None if run.finished_at is None else run.finished_at.isoformat(),
        "erased_at": None if run.erased_at is None else run.erased_at.isoformat(),
    }


def _approval_json(asked: approvals.Approval) -> JsonObject:
    decision = asked.decision
    return {
        "id": asked.id,
        "run_id": asked.run_id,
        "agent": asked.agent,
        "text": asked.question.text,
        "action": asked.action,
        "conversation": asked.conversation,
        "roles": asked.roles,
        "requested_at": asked.requested_at.isoformat(),
        "decided_at": None if asked.decided_at is None else asked.decided_at.isoformat(),
        "decision": None if decision is None else decision.kind,
        "comment": None if decision is None else decision.comment,
    }


def _unnamed(data: JsonObject) -> JsonObject:
    """Without who of the staff it was."""
    return {name: value for name, value in data.items() if name not in ("by", "delegate", "voter")}


def _later(since: datetime | None, span: Any) -> str | None:
    return None if since is None or span is None else (since + span).isoformat()
