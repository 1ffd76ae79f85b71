"""The room's front: what may be processed, what is held on whom, and how it goes."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Mapping
from datetime import datetime
from functools import partial

from sqlalchemy import Connection

from proctor import audit
from proctor.core import (
    Clock,
    ConfigurationError,
    InvalidInput,
    JsonObject,
    MissingSetting,
    NotFound,
    PrivacySettings,
    VaultSettings,
)
from proctor.privacy import _consents, _holds, _tombstones
from proctor.privacy._erasing import Eraser, Erasure, Scrubbed, Survey, Told, untold
from proctor.privacy._errors import ConsentMissing, Erased, OnHold, Restricted
from proctor.privacy._export import Exporter, Item
from proctor.privacy._keys import MARKS, Keys, load_key, mark_of, reseal
from proctor.privacy._reach import Whose
from proctor.privacy._retention import Retention
from proctor.privacy._scrub import scrub
from proctor.privacy._values import Consent, Hold, HoldKind, Standing, Subject, Tombstone
from proctor.privacy._vault import Scope, Vault
from proctor.runs import Run, Runs
from proctor.store import Database

LONGEST_WORD = 64
LONGEST_CHANNEL = 200
"""Characters."""


def _nothing() -> None:
    """Where a process has nothing at hand."""


class Privacy:
    """The privacy of one database.

    Raises:
        MissingSetting: the vault's key isn't where the configuration says.
    """

    def __init__(
        self,
        database: Database,
        settings: PrivacySettings,
        runs: Runs,
        *,
        clock: Clock,
        environ: Mapping[str, str] = os.environ,
        on_erased: Callable[[], None] = _nothing,
    ) -> None:
        """`on_erased` is told when something was erased, here or elsewhere: a process may have it at hand."""
        self._database = database
        self._settings = settings
        self._runs = runs
        self._clock = clock
        self._environ = environ
        self._keys = Keys(load_key(settings.vault, environ))
        self._marks: bytes | None = None
        self._on_erased = on_erased
        self._eraser = Eraser(database, settings.retention, clock=clock, cancel=runs.cancel)
        self._retention = Retention(database, settings, clock=clock)
        self._seen = clock.now()
        self.vault = Vault(database, self._keys, clock=clock) if self._keys.seals else None
        """What stands behind tokens, where there is a key for it."""

    # What may be processed.

    async def admit(self, run: Run) -> None:
        """Returns where a run may be started, or go on: asked at its start and before each of its segments.

        Raises:
            Erased: its texts are gone.
            Restricted: its subject's data is kept, and not processed.
            ConsentMissing: its purpose needs a consent that its subject hasn't given, or not to this text, or
                has withdrawn.
            ConfigurationError: the configuration doesn't know its purpose.
        """
        if run.erased_at is not None:
            raise Erased(
                f"texts of run {run.id} were erased", hint="It can't go on; start a new one with its task."
            )
        if not (run.subject or run.requester or run.purpose):
            return
        await self._database.read(lambda connection: self.admit_on(connection, run))

    def admit_on(self, connection: Connection, run: Run) -> None:
        """As `admit`, in the caller's transaction, for a run that isn't erased."""
        needed = self._needed(run.purpose) if run.purpose else ()
        if needed and not run.subject:
            raise ConsentMissing(
                f"{run.purpose} needs consent, and the run names no subject",
                purpose=needed[0],
                hint="Start it with a subject: --subject NAME.",
            )
        if not (run.subject or run.requester):
            return
        subject = Subject(name=run.subject or run.requester, tenant=run.tenant)
        hold = _holds.restricts(connection, subject)
        if hold is not None:
            raise Restricted(
                f"hold {hold.id} keeps the subject's data from being processed",
                hint=f"`proctor privacy hold release {hold.id}` ends it.",
            )
        if needed:
            stands = _consents.standings(connection, subject, self._settings.purposes)
            for purpose in needed:
                self._refuse_unconsented(purpose, stands.get(purpose), run)

    def _needed(self, purpose: str) -> tuple[str, ...]:
        if purpose not in self._settings.purposes:
            raise ConfigurationError(
                f"the run is for the purpose {purpose!r}, which isn't configured",
                hint=f"Add a section [privacy.purposes.{purpose}].",
            )
        return self._settings.needs(purpose)

    def _refuse_unconsented(self, purpose: str, stands: Standing | None, run: Run) -> None:
        if stands is not None and stands.lives:
            return
        wanted = self._settings.purposes[purpose].text_version
        if stands is None:
            what = "was never given"
        elif stands.last.act == "withdraw":
            what = "was withdrawn"
        else:
            what = f"was given to text {stands.last.version or 'without a version'}, not to {wanted}"
        command = f"proctor privacy consent give --subject … --purpose {purpose}"
        if run.tenant != "default":
            command += f" --tenant {run.tenant}"
        raise ConsentMissing(
            f"the subject's consent to {purpose} {what}",
            purpose=purpose,
            hint=f"Once it is given: `{command}`.",
        )

    # Consents.

    async def give(
        self, subject: Subject, purpose: str, *, version: str = "", channel: str = "", by: str = ""
    ) -> Consent:
        """The record of a consent: to the text that the purpose demands now, where no version is said.

        Raises:
            NotFound: no purpose is called so.
            InvalidInput: a word is too long.
        """
        if purpose not in self._settings.purposes:
            known = ", ".join(sorted(self._settings.purposes)) or "none yet"
            raise NotFound(f"no purpose is called {purpose!r}", hint=f"[privacy.purposes] has: {known}.")
        version = version or self._settings.purposes[purpose].text_version
        _check_words(version=version, channel=channel)
        at, mark = self._clock.now(), await self._mark(subject)

        def record(connection: Connection) -> Consent:
            said = _consents.add(
                connection,
                subject,
                purpose=purpose,
                act="give",
                version=version,
                channel=channel,
                by=by,
                at=at,
            )
            _note(connection, "consent.given", mark, subject.tenant, by=by, at=at, data={"purpose": purpose})
            return said

        return await self._database.commit(record)

    async def withdraw(self, subject: Subject, purpose: str, *, channel: str = "", by: str = "") -> Consent:
        """The record of a withdrawal. Runs of the subject for that purpose stop, as soon as they see it.

        Those that wait or are queued are refused when it is their turn; a new consent lets them be resumed.

        Raises:
            NotFound: nothing is known of such a purpose.
            InvalidInput: a word is too long.
        """
        _check_words(version="", channel=channel)
        at, mark = self._clock.now(), await self._mark(subject)

        def record(connection: Connection) -> tuple[Consent, list[str]]:
            stands = _consents.standings(connection, subject, self._settings.purposes)
            if purpose not in self._settings.purposes and purpose not in stands:
                raise NotFound(f"nothing is known of a purpose {purpose!r}")
            version = stands[purpose].last.version if purpose in stands else ""
            said = _consents.add(
                connection,
                subject,
                purpose=purpose,
                act="withdraw",
                version=version,
                channel=channel,
                by=by,
                at=at,
            )
            data = {"purpose": purpose}
            _note(connection, "consent.withdrawn", mark, subject.tenant, by=by, at=at, data=data)
            return said, _consents.running(connection, subject, self._with(purpose))

        consent, running = await self._database.commit(record)
        for run_id in running:
            await self._eraser.stop(run_id)
        return consent

    def _with(self, purpose: str) -> list[str]:
        """The purposes for which nothing may be processed without that one."""
        return [name for name in self._settings.purposes if purpose in self._settings.needs(name)]

    async def consents(
        self,
        subject: Subject | None = None,
        *,
        tenant: str = "default",
        purpose: str | None = None,
        after: int = 0,
        limit: int = 50,
    ) -> tuple[Consent, ...]:
        """What was said, in its order; of one subject, or of all of a tenant."""
        names = None if subject is None else (subject.name, await self._mark(subject))
        return await self._database.read(
            partial(
                _consents.history,
                tenant=tenant if subject is None else subject.tenant,
                names=names,
                purpose=purpose,
                after=after,
                limit=limit,
            )
        )

    async def standing(self, subject: Subject) -> dict[str, Standing]:
        """How a subject stands to each purpose on which something was said."""
        return await self._database.read(
            lambda connection: _consents.standings(connection, subject, self._settings.purposes)
        )

    # Holds.

    async def hold(
        self,
        *,
        subject: Subject | None = None,
        run_id: str = "",
        kind: HoldKind = "legal",
        reason: str,
        by: str = "",
    ) -> Hold:
        """A hold on all of a subject, or on one run: nothing of it is erased, nor deleted for its age.

        Raises:
            NotFound: there is no such run.
            InvalidInput: neither or both are named, or there is no reason.
        """
        if (subject is None) == (not run_id):
            raise InvalidInput("a hold is on a subject, or on a run", hint="Name one of the two.")
        if not reason.strip():
            raise InvalidInput("a hold needs a reason")
        if run_id and kind == "restriction":
            raise InvalidInput("a restriction is on a subject")
        tenant = (await self._runs.get(run_id)).tenant if subject is None else subject.tenant
        mark = "" if subject is None else await self._mark(subject)
        name, at = "" if subject is None else subject.name, self._clock.now()

        def place(connection: Connection) -> Hold:
            hold = _holds.place(
                connection,
                kind=kind,
                tenant=tenant,
                subject=name,
                mark=mark,
                run_id=run_id,
                reason=reason,
                by=by,
                at=at,
            )
            data = {"kind": kind, "run": run_id, "subject": mark}
            _note(connection, "hold.placed", hold.id, tenant, by=by, at=at, data=data)
            return hold

        return await self._database.commit(place)

    async def release(self, id: str, *, by: str = "") -> Hold:
        """A hold that holds no more.

        Raises:
            NotFound: there is no such hold, or it was released before.
        """
        at = self._clock.now()

        def release(connection: Connection) -> Hold:
            hold = _holds.release(connection, id, by=by, at=at)
            _note(connection, "hold.released", hold.id, hold.tenant, by=by, at=at)
            return hold

        return await self._database.commit(release)

    async def holds(self, *, tenant: str = "default", all: bool = False) -> tuple[Hold, ...]:
        """The holds of a tenant, oldest first: those that hold, or all."""
        return await self._database.read(partial(_holds.page, tenant=tenant, all=all))

    # What is held on whom, and how it goes.

    async def items(self, subject: Subject, *, by: str = "", told: Told = untold) -> AsyncIterator[Item]:
        """All that is held on a subject."""
        whose = await self._whose(subject)
        await self._note_reading("subject.read", whose, by)
        async for item in self._exporter().items(whose, told):
            yield item

    async def export(self, subject: Subject, *, by: str = "", told: Told = untold) -> AsyncIterator[str]:
        """The pieces of one JSON object with all that is held on a subject."""
        whose = await self._whose(subject)
        await self._note_reading("export.made", whose, by)
        async for piece in self._exporter().text(whose, at=self._clock.now(), told=told):
            yield piece

    async def survey(self, subject: Subject) -> Survey:
        """What erasing a subject would come to.

        Raises:
            OnHold: a hold keeps something of it.
        """
        return await self._eraser.survey(await self._whose(subject))

    async def erase(
        self, subject: Subject, *, by: str = "", told: Told = untold, scrubbed: Scrubbed = "now"
    ) -> Erasure:
        """Erases all that is held on a subject but what must be kept; its runs are cancelled first.

        Raises:
            OnHold: a hold keeps something of it; nothing was erased.
            StillRunning: a run doesn't stop; nothing was erased.
        """
        whose = await self._whose(subject)
        erasure = await self._eraser.erase(whose, by=by, told=told, scrubbed=scrubbed)
        self._on_erased()
        return erasure

    async def scrub(self) -> bool:
        """Whether the database's files hold nothing any more of what was deleted: they are written anew.

        Others wait with what they write meanwhile. PostgreSQL can't promise it.
        """
        return await asyncio.to_thread(scrub, self._database.engine)

    async def tombstones(
        self, subject: Subject | None = None, *, tenant: str = "default", limit: int = 50
    ) -> tuple[Tombstone, ...]:
        """The newest erasures of a tenant, newest first; or those of one subject."""
        mark = None if subject is None else await self._mark(subject)
        whose = tenant if subject is None else subject.tenant
        return await self._database.read(partial(_tombstones.page, tenant=whose, mark=mark, limit=limit))

    async def tick(self) -> None:
        """Deletes what is too old, goes on with erasures that had to wait, notes those of other processes."""
        await self._retention.work(self._key)
        for stone in await self._database.read(partial(_tombstones.due, at=self._clock.now())):
            try:
                await self._eraser.go_on(stone)
            except OnHold:
                continue  # until the hold is released
        newest = await self._database.read(_tombstones.newest)
        if newest is not None and newest >= self._seen:
            self._on_erased()
        self._seen = self._clock.now()

    async def reseal(self, old: VaultSettings, *, by: str = "") -> int:
        """How many keys of the database are sealed by the configured key now, which an older one had sealed.

        The values that they encrypt stay as they are.

        Raises:
            MissingSetting: one of the two keys isn't where it should be.
            ConfigurationError: the old key isn't the one that sealed them.
        """
        before, now = (load_key(each, self._environ) for each in (old, self._settings.vault))
        if before is None or now is None:
            raise MissingSetting("there is no old or no new key", hint="Set [privacy.vault] to the new one.")
        at = self._clock.now()

        def apply(connection: Connection) -> int:
            count = reseal(connection, before, now)
            _note(connection, "vault.resealed", "vault", "", by=by, at=at, data={"keys": count})
            return count

        return await self._database.commit(apply)

    async def scope_of(self, run: Run) -> Scope:
        """Within what the tokens of a run stand for their values."""
        mark = await self._mark(Subject(name=run.subject, tenant=run.tenant)) if run.subject else ""
        return Scope(id=run.thread_id or run.id, mark=mark)

    async def _note_reading(self, action: str, whose: Whose, by: str) -> None:
        at = self._clock.now()
        await self._database.commit(
            lambda connection: _note(connection, action, whose.mark, whose.tenant, by=by, at=at)
        )

    async def _whose(self, subject: Subject) -> Whose:
        return Whose.of(subject, await self._mark(subject))

    async def _mark(self, subject: Subject) -> str:
        return mark_of(await self._key(), subject.tenant, subject.name)

    async def _key(self) -> bytes:
        if self._marks is None:

            def ensure(connection: Connection) -> bytes:
                if self._keys.seals:
                    self._keys.seal(connection)
                return self._keys.ensure(connection, MARKS)

            self._marks = await self._database.commit(ensure)
        return self._marks

    def _exporter(self) -> Exporter:
        return Exporter(self._database, self._settings, self._runs, self.vault)


def _note(
    connection: Connection,
    action: str,
    thing: str,
    tenant: str,
    *,
    by: str,
    at: datetime,
    data: JsonObject = {},  # noqa: B006 - read alone
) -> None:
    """Enters in the record what was done; a subject stands there as a mark."""
    audit.append(connection, at=at, actor=by, action=action, thing=thing, tenant=tenant, data=data)


def _check_words(*, version: str, channel: str) -> None:
    if len(version) > LONGEST_WORD:
        raise InvalidInput(f"a text's version has at most {LONGEST_WORD} characters")
    if len(channel) > LONGEST_CHANNEL:
        raise InvalidInput(f"a channel has at most {LONGEST_CHANNEL} characters")
