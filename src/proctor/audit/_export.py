"""The record, or a part of it, as a file that proves itself: lines of JSON, the last one the manifest."""

import hashlib
import json
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, BinaryIO

from sqlalchemy import Connection

from proctor.audit._heads import stands
from proctor.audit._keys import Signer, signed_by
from proctor.audit._reading import Wanted, page
from proctor.audit._values import Entry, genesis, moment, written
from proctor.audit._verify import TOLD, Chain, Fault, FaultKind, Position, Verified, recomputed
from proctor.core import ConfigurationError, InvalidInput, JsonValue

PAGE = 500
FORMAT = "proctor audit export 1"
LONGEST_LINE = 1 << 20
_ENTRY = frozenset(Entry.__dataclass_fields__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What an export says of itself in its last line."""

    entries: int
    sha256: str
    """Of all bytes before this line."""
    key: str
    """The public key that signed; empty where no key was configured."""
    signature: str


class Export:
    """An export in the making: `begin`, `lines` of each page of entries, `end`; each gives bytes to write."""

    def __init__(self, signer: Signer | None) -> None:
        self._signer = signer
        self._hash = hashlib.sha256()
        self._entries = 0

    def begin(self, position: Position | None, wanted: Wanted, *, by: str, at: datetime) -> bytes:
        """The first line: of which record this is, how far that had come, and what was asked for."""
        asked = {
            name: moment(value) if isinstance(value, datetime) else value
            for name, value in asdict(wanted).items()
        }
        told: dict[str, JsonValue] = {
            "format": FORMAT,
            "made_at": moment(at),
            "made_by": by,
            "record": None if position is None else asdict(position),
            "whole": wanted.is_all,
            "wanted": asked,
        }
        return self._put([told])

    def lines(self, entries: Sequence[Entry]) -> bytes:
        """The lines of some entries."""
        self._entries += len(entries)
        return self._put(asdict(entry) | {"at": moment(entry.at)} for entry in entries)

    def end(self) -> bytes:
        """The last line."""
        signed_text = _told(self._entries, self._hash.hexdigest())
        manifest = Manifest(
            entries=self._entries,
            sha256=self._hash.hexdigest(),
            key="" if self._signer is None else self._signer.public,
            signature="" if self._signer is None else self._signer.sign(signed_text),
        )
        return f"{written({'manifest': asdict(manifest)})}\n".encode()

    def _put(self, values: Iterable[Any]) -> bytes:
        told = "".join(f"{written(value)}\n" for value in values).encode()
        self._hash.update(told)
        return told


def export(
    connection: Connection,
    write: Callable[[bytes], object],
    wanted: Wanted,
    *,
    signer: Signer | None,
    by: str,
    at: datetime,
) -> int:
    """How many entries were written out, with all that proves them."""
    making, position = Export(signer), stands(connection)
    write(making.begin(position, wanted, by=by, at=at))
    end = 0 if position is None else position.seq
    after = written_out = 0
    while found := page(connection, wanted, after=after, limit=PAGE):
        after = found[-1].seq
        within = [entry for entry in found if entry.seq <= end]
        written_out += len(within)
        write(making.lines(within))
    write(making.end())
    return written_out


def verify_export(file: Path, *, trusted: Collection[str] = ()) -> Verified:
    """Whether an export is as it was made, by itself: no database is needed.

    Raises:
        ConfigurationError: it can't be read.
        InvalidInput: it is no export at all.
    """
    try:
        with file.open("rb") as opened:
            return _Reading(opened).verify(trusted)
    except OSError as error:
        raise ConfigurationError(f"{file} can't be read: {error.strerror}") from error


class _Reading:
    """An export as it is read, line by line."""

    def __init__(self, opened: BinaryIO) -> None:
        self._opened = opened
        self._hash = hashlib.sha256()
        self._faults: list[Fault] = []
        self._entries = 0
        self._last = 0

    def verify(self, trusted: Collection[str]) -> Verified:
        header = self._header()
        whole, chain = header.get("whole") is True, _chain_of(header)
        manifest: Any = None
        line = self._opened.readline(LONGEST_LINE)
        while line:
            value = _parsed(line)
            if isinstance(value, dict) and value.keys() == {"manifest"}:
                manifest = value["manifest"]
                break
            self._hash.update(line)
            self._meet(value, chain if whole else None)
            line = self._opened.readline(LONGEST_LINE)
        if manifest is not None and self._opened.read(1):
            self._fault("changed", "something stands behind the manifest")
        if chain is not None:
            self._faults += chain.faults
            self._hold_end(header, chain if whole else None)
        unproven = [] if whole else ["This is a part of the record: that nothing was left out isn't shown."]
        unproven += self._close(manifest, trusted)
        faults = tuple(self._faults[:TOLD])
        return Verified(entries=self._entries, heads=0, faults=faults, unproven=tuple(unproven))

    def _header(self) -> dict[str, Any]:
        line = self._opened.readline(LONGEST_LINE)
        value = _parsed(line)
        if not isinstance(value, dict) or value.get("format") != FORMAT:
            raise InvalidInput(
                "this is no export of an audit record", hint="`proctor audit export` makes one."
            )
        self._hash.update(line)
        return value

    def _meet(self, value: Any, chain: Chain | None) -> None:
        self._entries += 1
        if not isinstance(value, dict) or value.keys() != _ENTRY:
            self._fault("unreadable", f"line {self._entries + 1} is no entry")
            return
        entry = SimpleNamespace(**value)
        if chain is not None:
            chain.meet(entry)
            return
        seq = entry.seq if type(entry.seq) is int else 0
        if entry.hash != recomputed(entry):
            self._fault("changed", f"entry {entry.seq} is not what was written", seq)
        if seq <= self._last:
            self._fault("gap", f"entry {entry.seq} stands behind {self._last}", seq)
        self._last = seq

    def _hold_end(self, header: dict[str, Any], chain: Chain | None) -> None:
        record = header["record"]
        if chain is not None and (record.get("seq"), record.get("hash")) != (chain.last.seq, chain.last.hash):
            self._fault("cut", f"the export was made of {record.get('seq')} entries, and ends at another one")

    def _close(self, manifest: Any, trusted: Collection[str]) -> list[str]:
        if not isinstance(manifest, dict) or manifest.keys() != set(Manifest.__dataclass_fields__):
            self._fault("cut", "the export has no manifest at its end: it was cut, or never finished")
            return []
        entries, sha256 = manifest["entries"], manifest["sha256"]
        if (entries, sha256) != (self._entries, self._hash.hexdigest()):
            self._fault("changed", "the export isn't what its manifest says")
        if not manifest["signature"]:
            if trusted:
                self._fault("signature", "the export isn't signed")
            return ["The export isn't signed: whoever changed it could make a new manifest."]
        told = _told(entries, sha256) if type(entries) is int and isinstance(sha256, str) else ""
        if not signed_by(str(manifest["key"]), told, str(manifest["signature"])):
            self._fault("signature", "the manifest doesn't bear the signature of its key")
        elif trusted and manifest["key"] not in trusted:
            self._fault("signature", f"the export is signed by {manifest['key']}, which isn't trusted")
        if trusted:
            return []
        named = "The export is signed by the key that it names itself, and nothing shows that this is yours"
        return [f"{named}: give --key."]

    def _fault(self, kind: FaultKind, text: str, seq: int = 0) -> None:
        if len(self._faults) < TOLD:
            self._faults.append(Fault(kind=kind, seq=seq, text=text))


def _told(entries: int, sha256: str) -> str:
    return written(["proctor audit export", entries, sha256])


def _parsed(line: bytes) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None


def _chain_of(header: dict[str, Any]) -> Chain | None:
    record = header.get("record")
    name = record.get("chain") if isinstance(record, dict) else None
    if not isinstance(name, str):
        return None
    return Chain(Position(chain=name, seq=0, hash=genesis(name)))
