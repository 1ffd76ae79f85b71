"""The journal of one attempt at a run: what was recorded before, and what is being recorded.

Records and events are written behind: they gather for a moment and are committed together with those of other
runs. `flush` is the barrier before something outside can notice.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from proctor import approvals
from proctor.core import CallKind, Clock, EventType, JsonObject, canonical_json, read_object
from proctor.ledger import Entry, enter
from proctor.runs import _sql
from proctor.runs._replay import Replay
from proctor.runs._sql import CallRow, EventDraft
from proctor.runs._values import CallKey, RecordedCall
from proctor.store import Database, Job

Listener = Callable[[str], None]
"""Told of each run whose log has grown, once that can be read."""


@dataclass(slots=True)
class _Batch:
    """What the next transaction of this run holds."""

    inserts: list[CallRow] = field(default_factory=list)
    finishes: list[CallRow] = field(default_factory=list)
    events: list[EventDraft] = field(default_factory=list)
    consumed: list[str] = field(default_factory=list)
    further: list[Job[None]] = field(default_factory=list)
    spent: int = 0
    progress: bool = False
    """Whether a call has come to its end."""
    closing: "Job[Mapping[str, Any]] | None" = None
    """Finds the columns of the run that end the attempt."""

    def __bool__(self) -> bool:
        return bool(self.inserts or self.finishes or self.events or self.consumed or self.further)


class Journal:
    """Recorded calls of one run, as one attempt at it sees and continues them."""

    def __init__(
        self,
        database: Database,
        *,
        run_id: str,
        attempt: int,
        recorded: Sequence[RecordedCall],
        clock: Clock,
        linger: timedelta,
        listener: Listener,
        on_failure: Callable[[], None],
    ) -> None:
        self._database = database
        self._run_id = run_id
        self.attempt = attempt
        self.replay = Replay(recorded)
        self.in_doubt = {call.key: call for call in recorded if call.outcome is None}
        """Calls that were started, in this attempt or an earlier one, and of which no end is known."""
        self._started: set[CallKey] = set(self.in_doubt)
        self._asked: set[CallKey] = set()
        self._position = sum(call.outcome is not None for call in recorded)
        self._occurrences: dict[tuple[str, str, str], int] = {}
        self._clock = clock
        self._linger = linger.total_seconds()
        self._listener = listener
        self.progressed = False
        """Whether this attempt has recorded a call's outcome."""
        self.spent = 0
        """Micro-dollars of this attempt's own calls."""
        self._batch = _Batch()
        self._timer: asyncio.TimerHandle | None = None
        self._closed = False
        self._writing: asyncio.Future[None] | None = None
        self._on_failure = on_failure
        self.failure: BaseException | None = None
        """Why nothing can be written any more. What was written is a prefix: the run resumes from it."""

    def key(self, agent: str, kind: CallKind, fingerprint: str) -> CallKey:
        """The key of the next call of this agent with this request."""
        identity = (agent, kind, fingerprint)
        occurrence = self._occurrences.get(identity, 0)
        self._occurrences[identity] = occurrence + 1
        key = CallKey(agent=agent, kind=kind, fingerprint=fingerprint, occurrence=occurrence)
        self._asked.add(key)
        return key

    def skip(self, keys: Iterable[CallKey]) -> None:
        """Takes calls as asked for that nobody will ask for: the turn that made them isn't taken again."""
        keys = tuple(keys)
        for key in keys:
            identity = (key.agent, key.kind, key.fingerprint)
            self._occurrences[identity] = max(self._occurrences.get(identity, 0), key.occurrence + 1)
        self._asked.update(keys)
        self.replay.skip(keys)

    def unmet_actions(self) -> tuple[RecordedCall, ...]:
        """Recorded calls that acted on the world and that this attempt has not asked for so far."""
        return tuple(
            call
            for call in self.replay.unmatched()
            if call.key.kind == "tool" and call.outcome is not None and call.outcome.get("acted")
        )

    def unmet_doubts(self) -> tuple[RecordedCall, ...]:
        """Calls whose end isn't known and that this attempt has not asked for so far."""
        return tuple(call for key, call in self.in_doubt.items() if key not in self._asked)

    def event(self, type: EventType, agent: str, data: JsonObject) -> None:
        """Adds to the run's log with the next commit."""
        draft = EventDraft(type=type, agent=agent, data=data, at=self._clock.now())
        self._batch.events.append(draft)
        self._arm()

    def started(self, key: CallKey, request: str, at: datetime) -> None:
        """Records that a call is about to act."""
        self._started.add(key)
        self.in_doubt[key] = RecordedCall(
            key=key,
            position=None,
            attempt=self.attempt,
            request=read_object(request),
            outcome=None,
            cost=0,
            started_at=at,
            duration_ms=None,
        )
        self._batch.inserts.append(
            CallRow(
                key=key,
                position=None,
                attempt=self.attempt,
                request=request,
                outcome=None,
                cost=0,
                started_at=at,
                duration_ms=None,
            )
        )
        self._arm()

    def withdraw(self, key: CallKey) -> None:
        """Takes back that a call has begun to act: it has ended, and is to be made again."""
        self._started.discard(key)
        if self.in_doubt.pop(key, None) is not None:
            self.also(lambda connection: _sql.forget_start(connection, self._run_id, key))

    def finished(
        self,
        key: CallKey,
        *,
        request: str,
        outcome: JsonObject,
        cost: int,
        at: datetime,
        duration_ms: float,
    ) -> None:
        """Records a call's outcome."""
        record = CallRow(
            key=key,
            position=self._position,
            attempt=self.attempt,
            request=request,
            outcome=canonical_json(outcome),
            cost=cost,
            started_at=at,
            duration_ms=duration_ms,
        )
        self._position += 1
        self.in_doubt.pop(key, None)
        if key in self._started:
            self._batch.finishes.append(record)
        else:
            self._batch.inserts.append(record)
        self._batch.progress = self.progressed = True
        self._arm()

    def spend(self, cost: int, entries: Sequence[Job[None]]) -> None:
        """Adds to what the run costs with the next commit, which also holds the entries."""
        self._batch.spent += cost
        self.spent += cost
        self._batch.further.extend(entries)
        self._arm()

    def consume(self, approval_id: str) -> None:
        """Uses a decision up in the next transaction."""
        self._batch.consumed.append(approval_id)
        self._arm()

    def also(self, job: Job[None]) -> None:
        """Adds a statement to the next transaction."""
        self._batch.further.append(job)
        self._arm()

    async def end(self, closing: Job[Mapping[str, Any]]) -> None:
        """Commits what is left together with the columns of the run that end the attempt.

        Raises:
            StaleAttempt: as for `flush`.
        """
        self._batch.closing = closing
        self._batch.further.append(_nothing)
        await self.flush()

    async def flush(self) -> None:
        """Returns when all that was recorded so far is durable.

        Raises:
            StaleAttempt: another attempt has taken the run over, and nothing of this one was written.
        """
        while self._batch or self._writing is not None:
            if self._writing is None:
                self._write()
            assert self._writing is not None
            await asyncio.shield(self._writing)
        if self.failure is not None:
            raise self.failure

    async def check(self) -> None:
        """Returns when all is durable and this attempt is still the run's own.

        Raises:
            StaleAttempt: it isn't.
        """
        self.also(_nothing)
        await self.flush()

    async def close(self) -> None:
        """Ends the replay; what is not flushed is dropped."""
        self._closed = True
        await self.replay.close()
        if self._timer is not None:
            self._timer.cancel()

    def _arm(self) -> None:
        if self._timer is None and self._writing is None and not self._closed:
            self._timer = asyncio.get_running_loop().call_later(self._linger, self._write)

    def _write(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._writing is not None or not self._batch:
            return
        batch, self._batch = self._batch, _Batch()
        if self.failure is not None:
            return  # records after a lost one would leave a hole
        committed = self._database.commit(lambda connection: self._execute(connection, batch))
        written: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._writing = written

        def done(future: "asyncio.Future[None]") -> None:
            self._writing = None
            error = None if future.cancelled() else future.exception()
            if error is not None:
                self.failure = error
                self._on_failure()
            elif batch.events:
                self._listener(self._run_id)
            written.set_result(None)
            if self._batch:
                self._arm()

        committed.add_done_callback(done)

    def _execute(self, connection: Connection, batch: _Batch) -> None:
        values = {} if batch.closing is None else batch.closing(connection)
        if batch.progress:
            values = {"failures": 0, **values}
        _sql.append(connection, self._run_id, self.attempt, batch.events, spent=batch.spent, **values)
        if batch.inserts:
            _sql.insert_calls(connection, self._run_id, batch.inserts)
        for call in batch.finishes:
            _sql.finish_call(connection, self._run_id, call)
        for approval_id in batch.consumed:
            approvals.consume(connection, approval_id)
        entries = [job for job in batch.further if isinstance(job, Entry)]
        if entries:
            enter(connection, entries)
        for job in batch.further:
            if not isinstance(job, Entry):
                job(connection)


def _nothing(_connection: Connection) -> None:
    """Makes a transaction of a batch that holds no statement of its own."""
