"""An entry of the record, and how it is tied to the one before it."""

import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime

from proctor.core import JsonObject, JsonValue, read_object

LONGEST = 300
"""Characters of an actor's or a thing's name."""

_canonical = json.JSONEncoder(sort_keys=True, separators=(",", ":"), allow_nan=False).encode


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """That somebody decided, changed, saw or overrode something."""

    seq: int
    """Its number, from 1 without a gap."""
    at: datetime
    actor: str
    """Who did it: a person's or a key's name; `proctor` where Proctor did so by itself."""
    action: str
    """What was done, as `approval.decided`."""
    thing: str
    """The id of what it was done to."""
    tenant: str
    """Whose it is; empty where it is the platform's."""
    data: str
    """What else is to be known, as canonical JSON: ids, numbers and words of ours, no text of a run."""
    previous: str
    """The hash of the entry before it; of the first one, that of the chain's id."""
    hash: str

    @property
    def details(self) -> JsonObject:
        """What else is to be known."""
        return read_object(self.data)


def written(value: JsonValue) -> str:
    """The one text of a JSON value, in ASCII: no database keeps it differently."""
    return _canonical(value)


def storable(text: str) -> str:
    """A name as it is hashed and kept: without what databases refuse, and not without end."""
    return text.encode("utf-8", "backslashreplace").decode().replace("\0", "\\x00")[:LONGEST]


def genesis(chain: str) -> str:
    """What the first entry of a chain follows."""
    return hashlib.sha256(chain.encode()).hexdigest()


def moment(at: datetime) -> str:
    """An instant as it is hashed."""
    return at.astimezone(UTC).isoformat(timespec="microseconds")


def linked(
    previous: str, *, seq: int, at: datetime, actor: str, action: str, thing: str, tenant: str, data: str
) -> str:
    """The hash of an entry: SHA-256 of the hash before it and the canonical JSON array of its values."""
    told = _canonical([seq, moment(at), actor, action, thing, tenant, data])
    return hashlib.sha256((previous + told).encode()).hexdigest()
