"""The logs of runs as they grow: read once for all in this process who follow them."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import ExitStack, asynccontextmanager, suppress
from datetime import timedelta

from sqlalchemy import Connection

from proctor.core import Clock, DatabaseUnavailable, Event, Token, end_tasks, first_id
from proctor.runs import _feed_sql, _sql
from proctor.runs._follower import MOST, PAGE, Follower, TeamRuns
from proctor.runs._values import ENDED, RunState
from proctor.runs._watch import Watchers
from proctor.store import Database

LOOK = 0.5
"""Seconds between looks at logs that other processes write."""
PAUSE = 0.02
"""Seconds between two looks at least: what comes meanwhile is read together."""
KEPT = 64
"""Entries of a log that are kept for all who follow it."""
SETTLED = timedelta(seconds=10)
"""After which no run comes to light that was made before: clocks differ, and commits take their time."""
ENDING = 5.0
"""Seconds that a look under way has to end."""


class _Log:
    """One run's log as the last look found it."""

    def __init__(self, feed: "Feed") -> None:
        self._feed = feed
        self.known: tuple[RunState, int] | None = None
        """State and last number; none where nobody has looked since the last follower came."""
        self.looked = False
        """Whether the look that is under way began after the last follower came."""
        self.newest: deque[Event] = deque()
        self.whole_from = 0
        """Behind this number `newest` holds all that there is."""
        self.followers: set[Follower] = set()
        self.stack = ExitStack()

    def put(self, news: Token | None) -> None:
        """Takes what the execution in this process tells."""
        if news is None:
            self._feed.hurry()
            return
        for follower in self.followers:
            follower.hand(news)

    @property
    def last(self) -> int:
        """The number of the last event that was read."""
        return self.newest[-1].seq if self.newest else self.whole_from

    def grow(self, more: Sequence[Event]) -> None:
        """Adds to what is kept."""
        self.newest.extend(more)
        while len(self.newest) > KEPT:
            self.whole_from = self.newest.popleft().seq


class Feed:
    """What all followers in this process read, with one query for all. It looks while somebody follows."""

    def __init__(self, database: Database, watchers: Watchers, *, clock: Clock) -> None:
        self._database = database
        self._watchers = watchers
        self._clock = clock
        self._logs: dict[str, _Log] = {}
        self._teams: dict[TeamRuns, tuple[str, set[Follower]]] = {}
        """Who follows teams, and before which id all runs of a team were found."""
        self.followers: set[Follower] = set()
        """All who follow something."""
        self._news = asyncio.Event()
        self._looking: asyncio.Task[None] | None = None
        self._closed = asyncio.Event()

    @asynccontextmanager
    async def follow(
        self, places: Mapping[str, int], *, until: Collection[RunState] = ENDED
    ) -> AsyncIterator[Follower]:
        """Follows runs, each from behind a number, until they come to one of those states."""
        follower = Follower(self, until=until)
        async with self._looked_for(follower):
            for run_id, place in places.items():
                follower.enter(run_id, place)
            yield follower

    async def owned(self, ids: Collection[str], *, tenant: str | None, team: str = "") -> frozenset[str]:
        """Those of the runs that there are, of the tenant and of the team where they are named."""
        return await self._database.read(
            lambda connection: _feed_sql.owned(connection, ids, team=team, tenant=tenant)
        )

    async def beginning(self, team: TeamRuns) -> tuple[str, tuple[str, ...]]:
        """Where to begin to follow a team: a mark before all runs to come, and the runs that go on."""
        mark = first_id("run", self._clock.now() - SETTLED)

        def query(connection: Connection) -> tuple[str, ...]:
            return _feed_sql.going_on(connection, team=team.team, tenant=team.tenant, most=MOST)

        return mark, await self._database.read(query)

    @asynccontextmanager
    async def follow_team(
        self, team: TeamRuns, places: Mapping[str, int], *, mark: str, over: Collection[str]
    ) -> AsyncIterator[Follower]:
        """Follows runs of a team, each from behind a number, and all that come behind a mark.

        `over` are runs behind the mark that have ended and were handed over. Of more than `MOST` at a time
        the rest is left out.
        """
        follower = Follower(self, until=ENDED, team=team, mark=mark, over=over)
        async with self._looked_for(follower):
            for run_id, place in places.items():
                follower.enter(run_id, place)
            before, others = self._teams.get(team, (mark, set()))
            # The next look finds for all what the one that came from furthest behind has missed.
            self._teams[team] = (min(before, mark), {*others, follower})
            try:
                yield follower
            finally:
                found_before, others = self._teams.pop(team)
                if others - {follower}:
                    self._teams[team] = (found_before, others - {follower})

    @asynccontextmanager
    async def _looked_for(self, follower: Follower) -> AsyncIterator[None]:
        self.followers.add(follower)
        if self._closed.is_set():
            follower.close()
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look_on(), name="feed of runs")
        try:
            yield
        finally:
            follower.leave_all()
            self.followers.discard(follower)
            if not self.followers and self._looking is not None:
                looking, self._looking = self._looking, None
                await end_tasks({looking}, within=ENDING)

    def close(self) -> None:
        """Lets all who follow end, and who comes later end at once: this process stops."""
        self._closed.set()
        for follower in self.followers:
            follower.close()

    async def closed(self) -> None:
        """Returns when this process stops."""
        await self._closed.wait()

    def hurry(self) -> None:
        """Has logs looked at soon."""
        self._news.set()

    def enter(self, follower: Follower, run_id: str) -> None:
        """Has the follower told of a run."""
        log = self._logs.get(run_id)
        if log is None:
            log = self._logs[run_id] = _Log(self)
            log.stack.enter_context(self._watchers.telling(run_id, log.put))
        log.followers.add(follower)
        log.known, log.looked = None, False
        self.hurry()

    def leave(self, follower: Follower, run_id: str) -> None:
        """Has the follower no longer told of a run."""
        log = self._logs[run_id]
        log.followers.discard(follower)
        if not log.followers:
            log.stack.close()
            del self._logs[run_id]

    def head(self, run_id: str) -> tuple[RunState, int] | None:
        """A run's state and the number of its last event; none where nobody has looked yet."""
        return self._logs[run_id].known

    async def behind(self, run_id: str, seq: int) -> Sequence[Event]:
        """At least the first events behind a number, or all that there are."""
        log = self._logs[run_id]
        if seq >= log.whole_from:
            return [event for event in log.newest if event.seq > seq]
        return await self._database.read(
            lambda connection: _sql.run_events(connection, run_id, after=seq, limit=PAGE)
        )

    async def _look_on(self) -> None:
        try:
            while True:
                with suppress(TimeoutError):
                    async with asyncio.timeout(LOOK):
                        await self._news.wait()
                self._news.clear()
                try:
                    await self._look_for_runs()
                    await self._look()
                except DatabaseUnavailable as error:
                    for follower in self.followers:
                        follower.fail(error)
                await asyncio.sleep(PAUSE)
        finally:
            for follower in self.followers:  # none is left, unless this broke
                follower.close()

    async def _look_for_runs(self) -> None:
        """Finds the runs of teams that have come."""
        for team, (before, _) in tuple(self._teams.items()):
            settled = first_id("run", self._clock.now() - SETTLED)

            def query(connection: Connection, team: TeamRuns = team, before: str = before) -> tuple[str, ...]:
                return _feed_sql.come(connection, team=team.team, tenant=team.tenant, after=before, most=MOST)

            found = await self._database.read(query)
            if team not in self._teams or self._teams[team][0] < before:
                continue  # somebody came meanwhile who knows less: the next look is for them too
            reached = min(settled, found[-1]) if len(found) == MOST else settled
            followers = self._teams[team][1]
            self._teams[team] = (max(before, reached), followers)
            for follower in followers:
                follower.meet(found, reached)

    async def _look(self) -> None:
        """Reads what has come to all logs that are followed."""
        logs = dict(self._logs)
        if not logs:
            return
        for log in logs.values():
            log.looked = True

        def read(
            connection: Connection,
        ) -> tuple[dict[str, tuple[RunState, int]], dict[str, list[Event]]]:
            heads = _feed_sql.heads(connection, logs)
            grown = {
                run_id: max(logs[run_id].last, count - KEPT)
                for run_id, (_, count) in heads.items()
                if count > logs[run_id].last
            }
            return heads, _feed_sql.events_behind(connection, grown) if grown else {}

        heads, more = await self._database.read(read)
        for run_id, log in logs.items():
            self._found(run_id, log, heads.get(run_id), more.get(run_id, ()))

    def _found(
        self, run_id: str, log: _Log, head: tuple[RunState, int] | None, more: Sequence[Event]
    ) -> None:
        state, count = head or ("cancelled", log.last)  # a run that is gone is over
        skipped = max(log.last, count - KEPT)
        if skipped > log.last:
            log.newest.clear()
            log.whole_from = skipped
        log.grow(more)
        known = (state, max(count, log.last))
        if log.looked and log.known != known:
            log.known = known
            for follower in log.followers:
                follower.notice(run_id)
