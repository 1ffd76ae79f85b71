"""What has to be told is written into the outbox, and what stands there is sent, by any number of workers.

A message is written once (a unique index holds it), claimed by one worker at a time, and counted as sent when
its service took it. Where a worker dies between the two, the claim runs out and the message is sent again: at
least once always, once as a rule.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import assert_never

from sqlalchemy import Connection

from proctor.core import LINK, Clock, NotFound, NoticeSettings, in_own_thread, new_id, person
from proctor.notices import _sql
from proctor.notices._links import LinkKey
from proctor.notices._send import Target, send, targets
from proctor.notices._sql import NoticeDraft
from proctor.notices._texts import Message, trial, write, write_alarm
from proctor.notices._values import Alarm, AlarmKind, Audience, Due, Matter, MatterKind, Notice, State
from proctor.store import Database

log = logging.getLogger("proctor.notices")

ATTEMPTS = 8
"""Times that a message is tried."""
FIRST_PAUSE = timedelta(seconds=10)
LONGEST_PAUSE = timedelta(hours=1)
"""Between two attempts: tripled from the first to the longest, about two hours in all."""
BATCH = 16
"""Messages that a worker claims at a time."""
SENDERS = 4
"""Messages that a worker sends at a time."""
SLACK = timedelta(seconds=30)
"""What a claim lasts beyond the time-outs of the messages claimed with it."""

THREAD = "proctor-notices"
"""A message is sent in its own thread of this name."""

Find = Callable[[Connection, str], Matter]
"""The question of an approval's id. Raises NotFound."""
FindAlarm = Callable[[Connection, str], Alarm]
"""What is told of alerts under an id. Raises NotFound."""
DueNow = Callable[[Connection, datetime], Sequence[Due]]
"""What has to be told and isn't in the outbox yet; where that has to be noted, it is noted."""
Look = Callable[[Connection, datetime], bool]
"""Whether there is something to tell. It changes nothing."""


def no_alarm(_connection: Connection, telling_id: str) -> Alarm:
    """Where nobody is told of alerts.

    Raises:
        NotFound: always.
    """
    raise NotFound(f"nothing is told of alerts under {telling_id}")


class Notices:
    """The outbox of one database."""

    def __init__(
        self,
        database: Database,
        *,
        clock: Clock,
        settings: NoticeSettings,
        key: LinkKey | None,
        audiences: Mapping[str, Audience],
        find: Find,
        look: Look,
        due: DueNow,
        find_alarm: FindAlarm = no_alarm,
    ) -> None:
        self._database = database
        self._clock = clock
        self._settings = settings
        self._key = key
        self._audiences = audiences
        self._find = find
        self._find_alarm = find_alarm
        self._look = look
        self._due = due
        self._targets: dict[str, tuple[Target, ...]] = {}

    @property
    def tells(self) -> bool:
        """Whether anybody can be told at all."""
        return any(audience.urls for audience in self._audiences.values())

    async def work(self) -> None:
        """Writes what has to be told into the outbox, and sends what is due."""
        at = self._clock.now()
        if await self._database.read(lambda connection: self._look(connection, at)):
            await self._read_targets()
            await self._database.commit(lambda connection: self._announce(connection, at))
        while await self._database.read(lambda connection: _sql.any_due(connection, self._clock.now())):
            await self._read_targets()
            if not await self._send_due():
                return

    async def test(self, role: str) -> dict[str, str]:
        """For each target of a role what is wrong with it after a test message; empty where it was taken.

        Raises:
            NotFound: there is no such role.
        """
        if role not in self._audiences:
            raise NotFound(f"there is no role {role}", hint=f"Roles: {', '.join(self._audiences) or 'none'}.")
        await self._read_targets()
        message = trial(role, self._audiences[role].language)
        places = self._targets[role]
        found = await asyncio.gather(*(self._deliver(target, message) for target in places))
        return {target.name: error for target, error in zip(places, found, strict=True)}

    async def page(
        self, *, state: State | None = None, before: str = "", limit: int = 50
    ) -> tuple[Notice, ...]:
        """A page of messages, newest first."""
        return await self._database.read(
            lambda connection: _sql.page(connection, state=state, before=before, limit=limit)
        )

    async def _read_targets(self) -> None:
        for role, audience in self._audiences.items():
            if role not in self._targets:
                self._targets[role] = await in_own_thread(partial(targets, audience.urls), name=THREAD)

    def _announce(self, connection: Connection, at: datetime) -> None:
        drafts = [draft for due in self._due(connection, at) for draft in self._drafts(due)]
        _sql.announce(connection, drafts, at)

    def _drafts(self, due: Due) -> Sequence[NoticeDraft]:
        """A message for each target; where nobody can be told, one row that says so."""
        reached = [
            (role, target.name)
            for role in due.matter.roles or self._settings.roles
            for target in self._targets.get(role, ())
        ]
        nobody = "" if reached else "nobody is told: no role that is asked has an address in `notify`"
        if nobody:
            log.warning("of %s %s", due.matter.id, nobody)
        return [
            NoticeDraft(
                id=new_id("ntc"),
                kind=due.kind,
                subject=due.matter.id,
                round=due.round,
                audience=role,
                target=target,
                error=nobody,
            )
            for role, target in reached or [("", "")]
        ]

    async def _send_due(self) -> bool:
        """Whether messages were claimed and tried."""
        at = self._clock.now()
        # The last of a batch waits for a free thread behind the others.
        lease = self._settings.timeout * (BATCH // SENDERS) + SLACK
        claimed = await self._database.commit(
            lambda connection: _sql.claim(connection, at=at, lease=lease, limit=BATCH)
        )
        free = asyncio.Semaphore(SENDERS)
        async with asyncio.TaskGroup() as group:
            for notice in claimed:
                group.create_task(self._send(notice, free))
        return bool(claimed)

    async def _send(self, notice: Notice, free: asyncio.Semaphore) -> None:
        async with free:
            at = self._clock.now()
            audience = self._audiences.get(notice.audience)
            places = self._targets.get(notice.audience, ())
            target = next((one for one in places if one.name[: _sql.LONGEST_TARGET] == notice.target), None)
            if audience is None or target is None:
                await self._settle(notice, "the configuration no longer has this address")
                return
            message = await self._database.commit(
                lambda connection: self._write(connection, notice, audience, target, at)
            )
            if message is None:
                drop = partial(_sql.settle, notice=notice, state="dropped")
                await self._database.commit(drop)
                return
            await self._settle(notice, await self._deliver(target, message))

    def _write(
        self, connection: Connection, notice: Notice, audience: Audience, target: Target, at: datetime
    ) -> Message | None:
        """The message, its link stored; nothing where there is nothing left to tell."""
        match notice.kind:
            case "firing" | "repeated" | "resolved" as kind:
                return self._write_alarm(connection, notice.subject, kind, audience)
            case "requested" | "reminder" | "escalated" | "expired" as kind:
                return self._write_matter(connection, notice, kind, audience, target=target, at=at)
            case _:
                assert_never(notice.kind)

    def _write_matter(
        self,
        connection: Connection,
        notice: Notice,
        kind: MatterKind,
        audience: Audience,
        *,
        target: Target,
        at: datetime,
    ) -> Message | None:
        try:
            matter = self._find(connection, notice.subject)
        except NotFound:
            return None
        if kind == "expired":
            return write(kind, matter, link=None, language=audience.language)
        if not matter.waits:
            return None
        link, voter = None, _voter(audience, target)
        if self._key is not None and not (matter.needs_names and voter.startswith(LINK)):
            token = self._key.make(
                connection,
                matter,
                notice_id=notice.id,
                voter=voter,
                role=audience.role,
                at=at,
                life=self._settings.link_life,
            )
            link = f"{self._settings.link_base}/decide/{token}"
        return write(kind, matter, link=link, language=audience.language)

    def _write_alarm(
        self, connection: Connection, subject: str, kind: AlarmKind, audience: Audience
    ) -> Message | None:
        """The message of alerts; nothing where they are so old that they are gone."""
        try:
            alarm = self._find_alarm(connection, subject)
        except NotFound:
            return None
        return write_alarm(kind, alarm, language=audience.language)

    async def _deliver(self, target: Target, message: Message) -> str:
        """Why the message wasn't taken; empty where it was."""
        timeout = self._settings.timeout
        try:
            async with asyncio.timeout(timeout.total_seconds()):
                return await in_own_thread(partial(send, target, message, timeout), name=THREAD)
        except TimeoutError:
            return f"no answer within {timeout.total_seconds():g} s"

    async def _settle(self, notice: Notice, error: str) -> None:
        at = self._clock.now()
        if not error:
            done = partial(_sql.settle, notice=notice, state="sent", sent_at=at)
        elif notice.attempts >= ATTEMPTS:
            log.error(
                "notice %s to %s was given up after %d attempts: %s",
                notice.id,
                notice.target,
                notice.attempts,
                error,
            )
            done = partial(_sql.settle, notice=notice, state="failed", error=error)
        else:
            pause = min(FIRST_PAUSE * 3 ** (notice.attempts - 1), LONGEST_PAUSE)
            done = partial(_sql.settle, notice=notice, state="pending", error=error, next_at=at + pause)
        await self._database.commit(done)


def _voter(audience: Audience, target: Target) -> str:
    """Whose vote a link is: the member's to whom alone it goes, else the role's."""
    if target.mailbox:
        for member in audience.members:
            if person(member) == person(target.mailbox):
                return member
    return LINK + audience.role
