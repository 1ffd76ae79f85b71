"""A question of a run on its way into the database, with what the people who decide need to know."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice

from sqlalchemy import Connection, select

from proctor import approvals
from proctor.core import JsonObject, JsonValue, Question, read_object
from proctor.runs import _sql
from proctor.runs._sql import EventDraft
from proctor.runs._tables import events, runs

SHOWN = 10
"""Messages of the run, its task included, that are kept with a question."""

LONGEST = 2_000
"""Characters of each."""

MARGIN = 1_000
"""Characters behind those that are looked through too: what needn't be seen may stand across the edge."""

_LOOKED_AT = 200
"""Events of the log, from its end, among which messages are looked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """A question that a call asks."""

    id: str
    run_id: str
    call_key: str
    team: str
    tenant: str
    agent: str
    question: Question
    at: datetime
    redact: Callable[[str], str]
    """A text without what whoever decides needn't see."""

    def insert(self, connection: Connection) -> None:
        """Stores the question; where a standing approval answers it, with that answer."""
        query = select(runs.c.task, runs.c.requester, runs.c.thread_id).where(runs.c.id == self.run_id)
        task, requester, thread_id = connection.execute(query).one()
        given = approvals.request(
            connection,
            id=self.id,
            run_id=self.run_id,
            call_key=self.call_key,
            team=self.team,
            agent=self.agent,
            question=self.question,
            at=self.at,
            tenant=self.tenant,
            requester=requester,
            thread_id=thread_id,
            conversation=self._conversation(connection, task),
        )
        if given is not None:
            by = f"{approvals.STANDING}{given.id}"
            data = {"id": self.id, "decision": "approve", "by": by, "comment": ""}
            draft = EventDraft(type="approval.decided", agent=self.agent, data=data, at=self.at)
            _sql.append(connection, self.run_id, None, [draft])

    def _conversation(self, connection: Connection, task: str) -> list[JsonObject]:
        query = (
            select(events.c.type, events.c.agent, events.c.data)
            .where(events.c.run_id == self.run_id)
            .order_by(events.c.seq.desc())
            .limit(_LOOKED_AT)
        )
        said = (
            (row.agent, str(read_object(row.data)["text"]))
            for row in connection.execute(query)
            if row.type == "message"
        )
        last = [*islice(said, SHOWN - 1), ("", task)]
        return [{"from": who or "task", "text": self._shown(text)} for who, text in reversed(last)]

    def _shown(self, text: str) -> str:
        """The beginning of a text. All of a long one isn't looked through: the database's writer waits."""
        looked_at = text[: LONGEST + MARGIN]
        shown = self.redact(looked_at)
        if looked_at == text and len(shown) <= LONGEST:
            return shown
        sure = shown if looked_at == text else shown[:-MARGIN]
        return sure[:LONGEST] + "…"


def redacted(question: Question, redact: Callable[[str], str]) -> Question:
    """A question without what whoever answers needn't see: the same at every attempt."""
    action = {name: _redacted(value, redact) for name, value in question.action.items()}
    return replace(question, text=redact(question.text), action=action)


def _redacted(value: JsonValue, redact: Callable[[str], str]) -> JsonValue:
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, Mapping):
        return {name: _redacted(each, redact) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_redacted(each, redact) for each in value]
    return value
