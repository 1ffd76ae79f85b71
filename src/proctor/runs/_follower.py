"""One who follows the logs of runs: a place in each of them and no copy, so that a slow one costs little."""

import asyncio
from collections import deque
from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from proctor.core import Event, Token, Unavailable
from proctor.runs._values import RunState

PAGE = 200
"""Entries of a log that are read at a time where they aren't kept."""
PIECES = 1_000
"""Tokens that may wait for a follower."""
MOST = 200
"""Runs that one follows at a time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunEnd:
    """That a run has come to the state until which it was followed, behind all of its events."""

    run_id: str
    state: RunState


Item: TypeAlias = Event | Token | RunEnd


@dataclass(frozen=True, slots=True, kw_only=True)
class TeamRuns:
    """The runs of a team, or of all where none is named: those that go on, and those that come."""

    team: str
    tenant: str | None
    """None: of whichever."""


class Logs(Protocol):
    """Where a follower reads."""

    def head(self, run_id: str) -> tuple[RunState, int] | None:
        """A run's state and the number of its last event; none where nobody has looked yet."""

    async def behind(self, run_id: str, seq: int) -> Sequence[Event]:
        """At least the first `PAGE` events behind a number, or all that there are."""

    def enter(self, follower: "Follower", run_id: str) -> None:
        """Has the follower told of a run."""

    def leave(self, follower: "Follower", run_id: str) -> None:
        """Has the follower no longer told of a run."""


class Follower:
    """One who follows runs. What was handed over once doesn't come again."""

    def __init__(
        self,
        logs: Logs,
        *,
        until: Collection[RunState],
        team: TeamRuns | None = None,
        mark: str = "",
        over: Collection[str] = (),
    ) -> None:
        self._logs = logs
        self._until = until
        self._team = team
        self._news = asyncio.Event()
        self._noticed: dict[str, None] = {}
        self._tokens: deque[Token] = deque()
        self._error: Unavailable | None = None
        self._places: dict[str, int] = {}
        self._over = set(over)
        self.mark = mark
        """Of a team: what came before this id has ended, unless something of it was handed over already."""
        self.closed = False
        """Whether nothing comes any more, since this process stops."""
        self.slow = False
        """Whether nothing comes any more, since too much has come that wasn't taken."""

    @property
    def done(self) -> bool:
        """Whether nothing comes any more, since all runs have come to where they were followed to."""
        return self._team is None and not self._places

    async def take(self, within: float | None = None) -> list[Item]:
        """What has come since; nothing where nothing comes for so many seconds, or any more.

        Raises:
            Unavailable: the database is away.
        """
        with suppress(TimeoutError):
            async with asyncio.timeout(within):
                while not (self.closed or self.slow or self.done):
                    if self._error is not None:
                        raise self._error
                    self._news.clear()
                    if found := await self._found():
                        return found
                    await self._news.wait()
        return []

    async def _found(self) -> list[Item]:
        # A time-out may strike while a log is read: until then nothing is taken from anywhere.
        for run_id in tuple(self._noticed):
            if found := await self._of(run_id):
                found[:0] = self._tokens
                self._tokens.clear()
                return found
        found = list(self._tokens)
        self._tokens.clear()
        return found

    async def _of(self, run_id: str) -> list[Item]:
        """What of one run is to be handed over next."""
        known = self._logs.head(run_id)
        if run_id not in self._places or known is None:
            self._noticed.pop(run_id, None)
            return []
        state, head = known
        place = self._places[run_id]
        events = (await self._logs.behind(run_id, place))[:PAGE] if head > place else ()
        if len(events) == PAGE:
            self._places[run_id] = events[-1].seq
            return list(events)
        place = max([place, head, *(event.seq for event in events)])  # what is missing was erased
        self._places[run_id] = place
        if self._logs.head(run_id) == known:
            self._noticed.pop(run_id, None)
            if state in self._until:
                self._leave(run_id)
                return [*events, RunEnd(run_id=run_id, state=state)]
        return list(events)

    def _leave(self, run_id: str) -> None:
        self._logs.leave(self, run_id)
        del self._places[run_id]
        if self._team is not None and run_id > self.mark:
            self._over.add(run_id)

    def enter(self, run_id: str, place: int) -> None:
        """Follows a run from behind a number."""
        self._places[run_id] = place
        self._logs.enter(self, run_id)

    def leave_all(self) -> None:
        """Follows nothing any more."""
        for run_id in self._places:
            self._logs.leave(self, run_id)
        self._places.clear()

    def meet(self, ids: Sequence[str], settled: str) -> None:
        """Follows runs of the team that are new; before `settled` no further one comes to light."""
        for run_id in ids:
            new = run_id > self.mark and run_id not in self._places and run_id not in self._over
            if new and len(self._places) < MOST:
                self.enter(run_id, 0)
        if all(self._places.values()):  # else what nothing was handed over of would be lost behind the mark
            self.mark = max(self.mark, settled)
            self._over = {run_id for run_id in self._over if run_id > self.mark}

    def notice(self, run_id: str) -> None:
        """Notes that a run's log has grown."""
        self._noticed[run_id] = None
        self._news.set()

    def hand(self, token: Token) -> None:
        """Takes a token, as long as there aren't too many."""
        if len(self._tokens) >= PIECES:
            self.slow = True
            self._tokens.clear()
        elif not self.slow:
            self._tokens.append(token)
        self._news.set()

    def fail(self, error: Unavailable) -> None:
        """Has `take` tell of an error."""
        self._error = error
        self._news.set()

    def close(self) -> None:
        """Nothing comes any more."""
        self.closed = True
        self._news.set()
