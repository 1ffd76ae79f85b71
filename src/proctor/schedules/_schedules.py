"""Schedules: teams that are run by the clock, once for each due time."""

import logging
import re
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from proctor import audit
from proctor.core import Clock, Conflict, InvalidInput, new_id
from proctor.runs import Prepared, Run, Runs
from proctor.schedules import _sql
from proctor.schedules._cron import next_due
from proctor.schedules._values import Schedule
from proctor.store import Database

log = logging.getLogger("proctor.schedules")

OVERDUE = timedelta(minutes=1)
"""A schedule that is due for so long is not fired by anybody."""

NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,62}")


class Schedules:
    """The schedules of one database. Whatever process executes runs of their teams fires them."""

    def __init__(
        self,
        database: Database,
        runs: Runs,
        *,
        clock: Clock,
        target: str,
        find: Callable[[str], object],
        admit: Callable[[], Awaitable[None]],
    ) -> None:
        self._database = database
        self._runs = runs
        self._clock = clock
        self._target = target
        self._find = find
        self._admit = admit
        self._told: set[str] = set()
        """Schedules whose failure stands in the log already."""

    async def add(
        self,
        name: str,
        team: str,
        task: str,
        *,
        cron: str,
        zone: str = "UTC",
        tenant: str = "default",
        priority: int = 0,
        requester: str = "",
        by: str = "",
    ) -> Schedule:
        """A schedule that starts a run of the team at each time that `cron` names in the time zone `zone`.

        Raises:
            NotFound: there is no such team.
            InvalidInput: the expression, zone, name or text can't be taken, or the policy denies the text.
            Conflict: another schedule has the name.
        """
        if not NAME.fullmatch(name):
            raise InvalidInput(
                f"{name[:64]!r} is no name for a schedule",
                hint="Use letters, digits, - and _, at most 63, a letter first.",
            )
        at = self._clock.now()
        self._find(team)
        first = next_due(cron, zone, at)
        run = self._runs.intake.prepare(team, task, tenant=tenant, priority=priority, requester=requester).run
        if run.state == "refused":
            raise InvalidInput(f"the input policy denies the text: {run.result}")
        schedule = Schedule(
            id=new_id("sch"),
            name=name,
            team=team,
            target=self._target,
            tenant=tenant,
            task=run.task,
            cron=cron,
            zone=zone,
            priority=priority,
            requester=requester,
            created_at=at,
            next_at=first,
        )

        def apply(connection: Connection) -> None:
            _sql.add(connection, schedule)
            _note(connection, schedule, "schedule.added", by=by, at=at)

        try:
            await self._database.commit(apply)
        except IntegrityError:
            raise Conflict(
                f"there is a schedule {name!r} already",
                hint=f"Remove it first: `proctor schedules remove {name}`.",
            ) from None
        return schedule

    async def get(self, name: str) -> Schedule:
        """One schedule.

        Raises:
            NotFound: there is no such schedule.
        """
        return await self._database.read(lambda connection: _sql.get(connection, name))

    async def page(self, *, after: str = "", limit: int = 50) -> tuple[Schedule, ...]:
        """A page of schedules, by name."""
        return await self._database.read(lambda connection: _sql.page(connection, after=after, limit=limit))

    async def pause(self, name: str, *, by: str = "") -> Schedule:
        """A schedule that doesn't fire, and won't catch up what it misses meanwhile.

        Raises:
            NotFound: there is no such schedule.
        """

        def apply(connection: Connection) -> Schedule:
            schedule = replace(_sql.get(connection, name), next_at=None)
            _sql.set_next(connection, schedule.id, None)
            _note(connection, schedule, "schedule.paused", by=by, at=self._clock.now())
            return schedule

        return await self._database.commit(apply)

    async def resume(self, name: str, *, by: str = "") -> Schedule:
        """A schedule that fires again, from the next due time on.

        Raises:
            NotFound: there is no such schedule.
        """
        at = self._clock.now()

        def apply(connection: Connection) -> Schedule:
            schedule = _sql.get(connection, name)
            if schedule.next_at is None:
                schedule = replace(schedule, next_at=next_due(schedule.cron, schedule.zone, at))
                _sql.set_next(connection, schedule.id, schedule.next_at)
                _note(connection, schedule, "schedule.resumed", by=by, at=at)
            return schedule

        return await self._database.commit(apply)

    async def remove(self, name: str, *, by: str = "") -> Schedule:
        """A schedule that is no more; its runs stay.

        Raises:
            NotFound: there is no such schedule.
        """

        def apply(connection: Connection) -> Schedule:
            schedule = _sql.get(connection, name)
            _sql.remove(connection, schedule.id)
            _note(connection, schedule, "schedule.removed", by=by, at=self._clock.now())
            return schedule

        return await self._database.commit(apply)

    async def run_now(self, name: str, *, requester: str = "", by: str = "") -> Run:
        """A run of the schedule outside its times; they stay as they are, and a paused one stays paused.

        Raises:
            NotFound: there is no such schedule, or its team is gone.
            Degraded: the system takes no new runs for now.
        """
        schedule = await self.get(name)
        if self._is_gone(schedule):
            self._find(schedule.team)
        await self._admit()
        prepared = self._prepare(schedule, due_at=None, requester=requester or schedule.requester, by=by)

        def apply(connection: Connection) -> None:
            _sql.set_last_run(connection, schedule.id, prepared.run.id)
            prepared.insert(connection)

        await self._database.commit(apply)
        self._runs.stored(prepared.run)
        return prepared.run

    async def fire(self) -> None:
        """Starts one run of each schedule that is due, however many of its times were missed.

        Of several processes that do this at once, one starts it.
        """
        share, at = self._runs.execution.share, self._clock.now()
        if share.only:
            return
        whole = replace(share, teams=None)
        for schedule in await self._database.read(lambda connection: _sql.due(connection, whole, at)):
            if share.teams is not None and schedule.team not in share.teams:
                self._tell_gone(schedule, at)
                continue
            try:
                await self._fire(schedule, at)
            except InvalidInput as error:
                # It stays due: mended settings, or a machine that knows the zone, catch it up.
                if schedule.id not in self._told:
                    log.warning("schedule %s can't be fired: %s", schedule.name, error)
                self._told.add(schedule.id)
            else:
                self._told.discard(schedule.id)

    def _tell_gone(self, schedule: Schedule, at: datetime) -> None:
        """Says once of a schedule that nobody will fire it."""
        overdue = schedule.next_at is not None and schedule.next_at <= at - OVERDUE
        if overdue and self._is_gone(schedule) and schedule.id not in self._told:
            log.warning("schedule %s is due, and its team %s is gone", schedule.name, schedule.team)
            self._told.add(schedule.id)

    def _is_gone(self, schedule: Schedule) -> bool:
        """Whether this process has the schedule's application, and that has no longer the team."""
        share = self._runs.execution.share
        here = schedule.target in ("", share.place, f"{share.place}:{schedule.team}")
        return here and bool(share.teams) and schedule.team not in (share.teams or ())

    async def _fire(self, schedule: Schedule, at: datetime) -> None:
        following = next_due(schedule.cron, schedule.zone, at)
        prepared = self._prepare(schedule, due_at=schedule.next_at, requester=schedule.requester)

        def apply(connection: Connection) -> bool:
            run_id = prepared.run.id
            if not _sql.advance(connection, schedule, next_at=following, run_id=run_id):
                return False
            prepared.insert(connection)
            return True

        if await self._database.commit(apply):
            self._runs.stored(prepared.run)

    def _prepare(
        self, schedule: Schedule, *, due_at: datetime | None, requester: str, by: str = ""
    ) -> Prepared:
        return self._runs.intake.prepare(
            schedule.team,
            schedule.task,
            target=schedule.target,
            tenant=schedule.tenant,
            requester=requester,
            by=by,
            priority=schedule.priority,
            due_at=due_at,
            schedule_id=schedule.id,
        )


def _note(connection: Connection, schedule: Schedule, action: str, *, by: str, at: datetime) -> None:
    """Enters in the record who changed a schedule, by its id: its name may hold a person's."""
    data = {"team": schedule.team, "cron": schedule.cron, "zone": schedule.zone}
    audit.append(
        connection, at=at, actor=by, action=action, thing=schedule.id, tenant=schedule.tenant, data=data
    )
