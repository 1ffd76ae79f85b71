"""Signed heads: how far the record had come, kept where whoever has the database can't reach."""

import asyncio
import json
import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

from sqlalchemy import Connection, select

from proctor.audit._keys import Signer, signed_by
from proctor.audit._tables import audit_head
from proctor.audit._values import moment, written
from proctor.audit._verify import Fault, Position, walk
from proctor.core import Clock, ConfigurationError, JsonObject
from proctor.store import Database

log = logging.getLogger("proctor.audit")

ADDRESSES = ("https://", "http://")
PATIENCE = timedelta(seconds=10)
"""For an address that takes heads."""
_FIELDS = frozenset({"chain", "seq", "hash", "at", "key", "signature"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """That the record held so many entries, the last with this hash; said by the holder of a key."""

    chain: str
    seq: int
    hash: str
    at: str
    """When it was signed: RFC 3339, in UTC."""
    key: str
    """The public part of the key."""
    signature: str

    @property
    def position(self) -> Position:
        """Which entry it is about."""
        return Position(chain=self.chain, seq=self.seq, hash=self.hash)

    @property
    def is_signed(self) -> bool:
        """Whether the signature is by the key that the head itself names."""
        return signed_by(self.key, _told(self.position, self.at), self.signature)

    def as_json(self) -> JsonObject:
        """The head as it is kept."""
        return asdict(self)


def sign(position: Position, signer: Signer, at: datetime) -> Head:
    """A head that is signed now."""
    moment_of = moment(at)
    return Head(
        chain=position.chain,
        seq=position.seq,
        hash=position.hash,
        at=moment_of,
        key=signer.public,
        signature=signer.sign(_told(position, moment_of)),
    )


def stands(connection: Connection) -> Position | None:
    """How far the record has come; nothing before its first entry."""
    row = connection.execute(select(audit_head)).first()
    return None if row is None else Position(chain=row.chain, seq=row.seq, hash=row.hash)


def read_heads(file: Path) -> tuple[tuple[Head, ...], tuple[Fault, ...]]:
    """The heads of a file, and its lines that are none.

    Raises:
        ConfigurationError: it can't be read.
    """
    heads: list[Head] = []
    faults: list[Fault] = []
    for number, line in enumerate(_lines(file), start=1):
        try:
            heads.append(head_of(json.loads(line)))
        except (ValueError, TypeError, RecursionError):
            faults.append(Fault(kind="heads", seq=0, text=f"line {number} of {file} is no head"))
    return tuple(heads), tuple(faults)


def head_of(value: object) -> Head:
    """The head that a JSON value is.

    Raises:
        ValueError: it is none.
    """
    if not isinstance(value, dict) or value.keys() != _FIELDS or type(value["seq"]) is not int:
        raise ValueError("no head")
    if not all(isinstance(value[name], str) for name in _FIELDS - {"seq"}):
        raise ValueError("no head")
    return Head(**value)


class Heads:
    """The heads of one database, kept in all places that the configuration names."""

    def __init__(
        self,
        database: Database,
        *,
        places: Sequence[str],
        signer: Signer,
        clock: Clock,
    ) -> None:
        self._database = database
        self._places = places
        self._signer = signer
        self._clock = clock
        self._checked: Position | None = None
        """How far this process knows the record to be sound."""
        self._kept: dict[str, int] = {}
        self._looking = asyncio.Lock()

    async def look(self) -> None:
        """Signs how far the record has come and keeps that everywhere, where it came further.

        A record that is broken isn't signed: that is told in the log.
        """
        async with self._looking:
            await self._look()

    async def _look(self) -> None:
        if self._checked is None:
            self._checked = await self._database.read(lambda _: self._last_kept())
        present = await self._database.read(stands)
        if present == self._checked and (
            present is None or all(self._kept.get(place) == present.seq for place in self._places)
        ):
            return
        walked = await self._database.read(lambda connection: walk(connection, after=self._checked))
        if walked.faults or walked.last is None:
            for fault in walked.faults:
                log.error("the audit record is broken, and isn't signed: %s", fault)
            return
        self._checked = walked.last
        head = sign(walked.last, self._signer, self._clock.now())
        line = written(head.as_json())
        for place in self._places:
            if self._kept.get(place, 0) < head.seq and await self._keep(place, line):
                self._kept[place] = head.seq

    def _last_kept(self) -> Position | None:
        """How far this key has signed, where that can be read: from there on the record is checked."""
        heads: list[Head] = []
        for place in self._places:
            if not place.startswith(ADDRESSES):
                with suppress(ConfigurationError):  # what can't be read is told where it can't be written
                    heads += read_heads(Path(place))[0]
        own = (head for head in heads if head.key == self._signer.public)
        farthest = sorted(own, key=lambda head: head.seq, reverse=True)
        return next((head.position for head in farthest if head.is_signed), None)

    async def _keep(self, place: str, line: str) -> bool:
        """Whether a head reached its place. Where it didn't, the next look tries again."""
        try:
            if place.startswith(ADDRESSES):
                await _post(place, line)
            else:
                await self._database.read(lambda _: _add_line(Path(place), line))
        except OSError as error:
            log.error("the head of the audit record can't be kept in %s: %s", _shown(place), error)  # noqa: TRY400
            return False
        return True


def _told(position: Position, at: str) -> str:
    return written(["proctor audit head", position.chain, position.seq, position.hash, at])


def _lines(file: Path) -> Iterator[str]:
    try:
        text = file.expanduser().read_bytes().decode("utf-8", "replace")
    except OSError as error:
        raise ConfigurationError(f"{file}, the file of heads, can't be read: {error.strerror}") from error
    return (line for line in text.splitlines() if line.strip())


def _add_line(file: Path, line: str) -> None:
    """Adds a line in one write, as other processes do too, and sees to it that it is on the disk."""
    descriptor = os.open(file.expanduser(), os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        os.write(descriptor, line.encode() + b"\n")
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


async def _post(address: str, line: str) -> None:
    import httpx2

    try:
        async with httpx2.AsyncClient(timeout=PATIENCE.total_seconds(), trust_env=False) as client:
            answer = await client.post(address, content=line, headers={"Content-Type": "application/json"})
            answer.raise_for_status()
    except httpx2.HTTPError as error:
        raise OSError(type(error).__name__) from error


def _shown(place: str) -> str:
    """The place without what an address may hold in secret."""
    return urlsplit(place).hostname or "an address" if place.startswith(ADDRESSES) else place
