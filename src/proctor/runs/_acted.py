"""Tool calls that did something, as an inspection reads them."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select

from proctor.core import Effect, JsonObject, digest, read_object
from proctor.runs._sql import get_run, recorded_calls
from proctor.runs._tables import calls, events
from proctor.runs._values import RecordedCall, Run

PAGE = 200
"""Runs whose calls are looked for together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Acted:
    """A tool call that may have changed something outside."""

    run: Run
    call: RecordedCall
    effect: Effect
    """What the tool was taken to do to the world when it was called."""

    @property
    def call_key(self) -> str:
        """Names the call for approvals."""
        key = self.call.key
        return digest([self.run.id, key.agent, key.kind, key.fingerprint, key.occurrence])

    @property
    def action(self) -> JsonObject:
        """The call as it was made: with the arguments that a person put in place of the model's."""
        edited = (self.call.outcome or {}).get("edited")
        return self.call.request if edited is None else {**self.call.request, "arguments": edited}

    @property
    def tool(self) -> str:
        """As `server.tool`."""
        return f"{self.call.request.get('server')}.{self.call.request.get('tool')}"


def acted(connection: Connection, *, since: datetime, until: datetime) -> Iterator[Acted]:
    """The calls that acted and were made in a period, by run."""
    made = (calls.c.kind == "tool", calls.c.started_at >= since, calls.c.started_at < until)
    after = ""
    while True:
        query = select(calls.c.run_id).where(*made, calls.c.run_id > after).distinct()
        ids = connection.scalars(query.order_by(calls.c.run_id).limit(PAGE)).all()
        if not ids:
            return
        for run_id in ids:
            yield from _of_run(connection, run_id, since, until)
        after = ids[-1]


def _of_run(connection: Connection, run_id: str, since: datetime, until: datetime) -> Iterator[Acted]:
    run, effects = get_run(connection, run_id), _effects(connection, run_id)
    for call in recorded_calls(connection, run_id):
        outcome: Any = call.outcome
        if call.key.kind != "tool" or outcome is None or not since <= call.started_at < until:
            continue
        if outcome.get("acted") and not outcome.get("refused_by"):
            tool = (str(call.request.get("server")), str(call.request.get("tool")))
            yield Acted(run=run, call=call, effect=effects.get(tool, "consequential"))


def _effects(connection: Connection, run_id: str) -> dict[tuple[str, str], Effect]:
    query = select(events.c.data).where(events.c.run_id == run_id, events.c.type == "tool.called")
    told = (read_object(data) for data in connection.scalars(query.order_by(events.c.seq)))
    found: dict[tuple[str, str], Effect] = {}
    for data in told:
        effect = data.get("effect")
        if effect == "read_only" or effect == "idempotent" or effect == "consequential":  # noqa: PLR1714 - for mypy
            found[str(data.get("server")), str(data.get("tool"))] = effect
    return found
