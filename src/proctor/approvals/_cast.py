"""The votes of a period, each with when its question was asked, and how much there was to read."""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta
from heapq import merge
from typing import Any, cast

from sqlalchemy import Connection, Row, Select, literal, select

from proctor.approvals._sql import read_terms
from proctor.approvals._tables import approvals, votes
from proctor.approvals._values import key_of
from proctor.core import DecisionKind, JsonValue, QuestionKind, Terms, read_object

WORDS_A_MINUTE = 250
"""What a person reads: 238 English words of non-fiction (Brysbaert 2019), 255 Chinese characters (IReST)."""

_SIGNS = "\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af"
_WORD = re.compile(rf"[{_SIGNS}]|(?:(?![{_SIGNS}])[^\W_])+")
"""A word; of Chinese, Japanese and Korean each sign."""

_SAYS_ALL: frozenset[QuestionKind] = frozenset({"action", "edited", "second"})
"""Questions whose text holds the whole action; beside others it is to be read as well."""

_PASSING = ("approve", "edit")

_ROWS = 500
"""Rows that are fetched at a time: their texts may be long."""

_KEYS = 400
"""Keys that are looked up at a time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cast:
    """One person's answer to a question."""

    approval_id: str
    run_id: str
    base: str
    """The key of what was voted on: the same for all questions about one call."""
    name: str
    kind: DecisionKind
    at: datetime
    requested_at: datetime
    asked_at: datetime
    """Since when those were asked who decide now."""
    reading: timedelta
    """What it takes to read the question."""
    roles: tuple[str, ...]
    """Who was asked."""
    used: bool
    """Whether the run has gone on with the decision."""
    judge_follows: bool
    """Whether a judge model is asked about it afterwards."""
    judge_may_precede: bool
    """Whether it may have been asked because a judge model didn't agree."""

    @property
    def case(self) -> tuple[str, str]:
        """What was voted on."""
        return self.run_id, self.base

    @property
    def lets_pass(self) -> bool:
        """Whether the action goes on, be it with changes."""
        return self.kind in _PASSING

    @property
    def second_key(self) -> str:
        """The key of the question that is asked where a judge doesn't agree."""
        return key_of(self.base, "second")


def cast_votes(connection: Connection, *, since: datetime, until: datetime) -> tuple[Cast, ...]:
    """All votes of a period, and the decisions without a name, in their order."""
    stages: dict[str, datetime] = {}
    """When a question's last vote came at the first stage."""
    edited: dict[tuple[str, str], str] = {}
    """The keys of calls by those of the questions about their changed arguments."""
    found = []
    with ExitStack() as read:
        rows = [
            read.enter_context(connection.execute(query, execution_options={"yield_per": _ROWS}))
            for query in _queries(since, until)
        ]
        for row in merge(*rows, key=lambda row: (row.at, row.approval_id)):
            if row.question == "action" and row.kind == "edit":
                edited[row.run_id, key_of(row.call_key, "edited")] = row.call_key
            found.append(_cast(row, stages.get(row.approval_id), edited))
            if row.stage == 1:
                stages[row.approval_id] = row.at
    return tuple(found)


def second_keys(connection: Connection, found: Sequence[Cast]) -> frozenset[tuple[str, str]]:
    """Runs and keys of those questions that were asked because a judge didn't agree with these votes."""
    keys = sorted({(vote.run_id, vote.second_key) for vote in found})
    known: set[tuple[str, str]] = set()
    for start in range(0, len(keys), _KEYS):
        some = keys[start : start + _KEYS]
        query = select(approvals.c.run_id, approvals.c.call_key).where(
            approvals.c.run_id.in_({run_id for run_id, _ in some}),
            approvals.c.call_key.in_([key for _, key in some]),
        )
        known.update((row.run_id, row.call_key) for row in connection.execute(query))
    return frozenset(known)


_QUESTION = (
    approvals.c.id.label("approval_id"),
    approvals.c.run_id,
    approvals.c.call_key,
    approvals.c.kind.label("question"),
    approvals.c.role,
    approvals.c.text,
    approvals.c.action,
    approvals.c.terms,
    approvals.c.escalations,
    approvals.c.expires_at,
    approvals.c.requested_at,
    approvals.c.state,
)


def _queries(since: datetime, until: datetime) -> tuple[Select[Any], Select[Any]]:
    """The votes; and the decisions without a name, since who gives none casts no vote and decides alone."""
    named = (
        select(*_QUESTION, votes.c.name, votes.c.kind, votes.c.stage, votes.c.at)
        .join(approvals, approvals.c.id == votes.c.approval_id)
        .where(votes.c.at >= since, votes.c.at < until)
        .order_by(votes.c.at, votes.c.approval_id)
    )
    at = approvals.c.decided_at
    constants = (literal("").label("name"), approvals.c.decision.label("kind"), literal(1).label("stage"))
    unnamed = (
        select(*_QUESTION, *constants, at.label("at"))
        .where(at >= since, at < until, approvals.c.decided_by == "")
        .order_by(at, approvals.c.id)
    )
    return named, unnamed


def _cast(row: Row[Any], first: datetime | None, edited: Mapping[tuple[str, str], str]) -> Cast:
    terms = read_terms(read_object(row.terms))
    question = cast("QuestionKind", row.question)
    return Cast(
        approval_id=row.approval_id,
        run_id=row.run_id,
        base=terms.after or edited.get((row.run_id, row.call_key), row.call_key),
        name=row.name,
        kind=cast("DecisionKind", row.kind),
        at=row.at,
        requested_at=row.requested_at,
        asked_at=_asked_at(row, terms, first),
        reading=timedelta(minutes=_words(row, question) / WORDS_A_MINUTE),
        roles=_asked(row, terms),
        used=row.state == "consumed",
        judge_follows=question in ("action", "edited") and _asks_judge(terms) and row.kind in _PASSING,
        judge_may_precede=question == "output" and not terms.labels,
    )


def _asked_at(row: Row[Any], terms: Terms, first: datetime | None) -> datetime:
    asked: datetime = row.requested_at
    if row.stage > 1:
        return first or asked
    if row.escalations and row.expires_at is not None and terms.expires is not None:
        again: datetime = row.expires_at - terms.expires  # whoever is asked anew has the whole time again
        return max(asked, again)
    return asked


def _asked(row: Row[Any], terms: Terms) -> tuple[str, ...]:
    if row.stage > 1 and terms.second is not None:
        return terms.second.roles
    if row.escalations:
        return terms.escalate_to[row.escalations - 1 : row.escalations]
    return terms.roles or ((row.role,) if row.role else ())


def _asks_judge(terms: Terms) -> bool:
    return terms.second is not None and bool(terms.second.judge)


def _words(row: Row[Any], question: QuestionKind) -> int:
    beside = 0 if question in _SAYS_ALL else sum(map(_count, _strings(read_object(row.action))))
    return _count(row.text) + beside


def _count(text: str) -> int:
    return len(_WORD.findall(text))


def _strings(value: JsonValue) -> Iterator[str]:
    match value:
        case str():
            yield value
        case Mapping():
            for each in value.values():
                yield from _strings(each)
        case list() | tuple():
            for each in value:
                yield from _strings(each)
        case _:
            pass
