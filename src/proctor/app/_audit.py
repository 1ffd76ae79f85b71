"""The audit record of a running Proctor: how processes begin in it, who signs it, and who inspects."""

import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from functools import cached_property, partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection

from proctor import audit, privacy
from proctor.approvals import roles_from
from proctor.audit import Head, Heads, Signer, Wanted
from proctor.core import (
    Clock,
    ConfigurationError,
    DatabaseUnavailable,
    JsonObject,
    JsonValue,
    MissingSetting,
    digest,
)
from proctor.engine import Chore, Workers
from proctor.inspection import Inspector, Rules
from proctor.ledger import Prices
from proctor.store import Database

if TYPE_CHECKING:
    from proctor.app._settings import Settings

INSPECTION_LOOK = timedelta(minutes=5)
"""Between looks whether the day's inspection is made."""
ALIVE = timedelta(minutes=1)
"""A worker that has said nothing for so long executes nothing."""

_SECRET_NAME = re.compile(r"key|token|secret|passw|credential|authorization", re.IGNORECASE)
_NO_SECRET = ("_env", "_file", "tokens")
"""Ends names of settings that tell where a secret is, or count tokens."""
_FREE_TABLES = ("env", "headers")
"""Tables of a tool server or model whose values may be secrets."""
_AMOUNT = re.compile(r"[-+]?\d+(\.\d+)?|P[\dTDHMS.]+")
"""Numbers and lengths of time."""
_SECRET_IN_URL = re.compile(r"://[^/@\s]*@|\?.*$")


class Record:
    """The audit record as one process keeps it."""

    def __init__(
        self,
        settings: "Settings",
        database: Database,
        *,
        clock: Clock,
        environ: Mapping[str, str] = os.environ,
        workers: Workers,
        policy: Callable[[], str],
        on_found: Callable[[int], None],
    ) -> None:
        self._settings = settings
        self._database = database
        self._clock = clock
        self._environ = environ
        self._workers = workers
        self._policy = policy
        self.inspector = Inspector(
            database, rules=self._rules, clock=clock, worker=workers.id, on_found=on_found
        )

    @cached_property
    def signer(self) -> Signer | None:
        """Who signs heads and exports, where a key is configured.

        Raises:
            MissingSetting: it isn't where the configuration says.
            ConfigurationError: it is no such key, or others may read its file.
        """
        return audit.load_signer(self._settings.audit, self._environ)

    def check(self) -> None:
        """Returns where a key that is configured is there.

        Raises:
            MissingSetting: it isn't where the configuration says.
            ConfigurationError: it is no such key, or others may read its file.
        """
        _ = self.signer

    @property
    def trusted(self) -> frozenset[str]:
        """The public keys whose signatures count."""
        known = set(self._settings.audit.trusted)
        with suppress(MissingSetting):  # who only checks may do without the private key
            if self.signer is not None:
                known.add(self.signer.public)
        return frozenset(known)

    def kept_heads(self) -> tuple[Head, ...]:
        """The heads of all files that the configuration names and that can be read, each once."""
        heads: dict[Head, None] = {}
        for place in self._settings.audit.heads:
            if "://" not in place:
                with suppress(ConfigurationError):
                    heads |= dict.fromkeys(audit.read_heads(Path(place))[0])
        return tuple(heads)

    async def begin(self, at: datetime) -> None:
        """Notes since when this process executes runs, by which configuration, and what is new in it.

        Raises:
            MissingSetting: the key that signs isn't where the configuration says.
        """
        heads = self._heads
        leaves = leaves_of(self._settings)
        data: JsonObject = {
            "settings": digest(leaves),
            "policy": self._policy(),
            "proctor": _version(),
            "release": self._settings.release,
        }
        await self._database.commit(
            lambda connection: _note_start(connection, self._workers.id, data, leaves, at)
        )
        if heads is not None:
            await heads.look()

    async def end(self) -> None:
        """Signs how far the record has come."""
        if self._heads is not None:
            await self._heads.look()

    def chores(self) -> tuple[Chore, ...]:
        """What a process that executes runs does for the record."""
        settings = self._settings.audit
        chores: tuple[Chore, ...] = ()
        if settings.heads:
            chores += (Chore(name="heads of the audit record", every=settings.heads_every, work=self.end),)
        if settings.inspect:
            chores += (Chore(name="inspection", every=INSPECTION_LOOK, work=self.inspector.look),)
        return chores

    async def export(self, write: Callable[[bytes], object], wanted: Wanted, *, by: str) -> int:
        """How many entries were written out. That somebody did so is an entry before.

        Raises:
            DatabaseUnavailable: it went away with a part written out, behind which nothing can begin again.
        """
        signer, at = self.signer, self._clock.now()
        await self._database.commit(partial(note_export, wanted=wanted, by=by, at=at))
        begun = False

        def noting(piece: bytes) -> None:
            nonlocal begun
            begun = True
            write(piece)

        def make(connection: Connection) -> int:
            if begun:
                raise DatabaseUnavailable(
                    "the database went away while the record was written out",
                    hint="Export it again, into a new file.",
                )
            return audit.export(connection, noting, wanted, signer=signer, by=by, at=at)

        return await self._database.read_long(make)

    @cached_property
    def _heads(self) -> Heads | None:
        places, signer = self._settings.audit.heads, self.signer
        if not places or signer is None:
            return None
        return Heads(self._database, places=places, signer=signer, clock=self._clock)

    async def _rules(self) -> Rules:
        settings, now = self._settings, self._clock.now()
        seen = await self._workers.page()
        return Rules(
            team=settings.team,
            roles=roles_from(settings.roles),
            prices=Prices(settings.models),
            batched=frozenset(name for name, each in settings.models.items() if each.batch),
            policy=self._policy(),
            pins=settings.trust.pins != "off",
            heads=self.kept_heads(),
            trusted=self.trusted,
            too_old=partial(_too_old, settings=settings),
            alive=frozenset(worker.id for worker in seen if now - worker.seen_at < ALIVE),
        )


def note_export(connection: Connection, *, wanted: Wanted, by: str, at: datetime) -> None:
    """Enters that somebody exports the record, or a part of it."""
    asked = {
        "since": wanted.since and wanted.since.isoformat(),
        "until": wanted.until and wanted.until.isoformat(),
        "actor": wanted.actor,
        "action": wanted.action,
        "thing": wanted.thing,
    }
    data = {name: value for name, value in asked.items() if value}
    audit.append(connection, at=at, actor=by, action="export.made", thing="audit", data=data)


def _too_old(connection: Connection, at: datetime, *, settings: "Settings") -> dict[str, int]:
    return {str(kept): rows for kept, rows in privacy.too_old(connection, settings.privacy, at).items()}


def leaves_of(settings: "Settings") -> dict[str, JsonValue]:
    """What the configuration says beside its defaults: numbers in clear, texts as digests, no secrets."""
    said: dict[str, Any] = settings.model_dump(mode="json", exclude_defaults=True)
    return dict(_leaves(said, ""))


def _leaves(value: Mapping[str, Any], above: str) -> Iterator[tuple[str, JsonValue]]:
    for key, inner in value.items():
        place = f"{above}.{key}" if above else key
        if isinstance(inner, dict) and key in _FREE_TABLES:
            yield place, digest(sorted(inner))  # which ones there are, and not what they are
        elif isinstance(inner, dict):
            yield from _leaves(inner, place)
        elif _SECRET_NAME.search(key) and not key.endswith(_NO_SECRET):
            continue
        elif inner is None or isinstance(inner, bool | int | float) or _AMOUNT.fullmatch(str(inner)):
            yield place, inner
        else:
            yield place, digest(_SECRET_IN_URL.sub("", inner) if isinstance(inner, str) else inner)


def _note_start(
    connection: Connection, worker: str, data: JsonObject, leaves: Mapping[str, JsonValue], at: datetime
) -> None:
    before = audit.newest(connection, Wanted(action="settings.changed"), limit=1)
    known: Mapping[str, Any] | None = None
    if before:
        told = before[0].details["leaves"]
        known = told if isinstance(told, Mapping) else {}
    if known is None or known != leaves:
        changed: dict[str, JsonValue] = {}
        if known is not None:
            names = sorted(known.keys() | leaves.keys())
            changed = {
                name: [known.get(name), leaves.get(name)]
                for name in names
                if (name in known, known.get(name)) != (name in leaves, leaves.get(name))
            }
        said: JsonObject = {"changed": changed, "leaves": leaves, "settings": data["settings"]}
        audit.append(connection, at=at, actor="proctor", action="settings.changed", thing=worker, data=said)
    audit.append(connection, at=at, actor="proctor", action="process.started", thing=worker, data=data)


def _version() -> str:
    try:
        return version("proctor-runtime")
    except PackageNotFoundError:
        return ""
