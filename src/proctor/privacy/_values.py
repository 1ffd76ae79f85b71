"""Subjects, consents, holds and tombstones as values."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TypeAlias

from proctor.core import InvalidInput, check_name

ERASED = "erased:"
"""Begins the mark that stands in the place of a name which was erased."""
GONE = "[erased]"
"""Stands in the place of a text."""

Act: TypeAlias = Literal["give", "withdraw"]
HoldKind: TypeAlias = Literal["legal", "restriction"]
"""`legal`: nothing is erased. `restriction`: nothing is processed, either."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A person whose data is processed, as a tenant names them."""

    name: str
    tenant: str = "default"

    def __post_init__(self) -> None:
        name = self.name
        if not name.strip():
            raise InvalidInput("a subject has a name")
        check_name("subject", name)
        if name.startswith(ERASED):
            raise InvalidInput(f"{ERASED!r} begins what stands for names that were erased")


@dataclass(frozen=True, slots=True, kw_only=True)
class Consent:
    """What a subject said once. Later ones don't change it."""

    number: int
    subject: str
    """The name; or the mark, where it was erased."""
    tenant: str
    purpose: str
    act: Act
    version: str
    """Of the text that was agreed to."""
    channel: str
    """How it came: `web`, `phone`, `paper`."""
    recorded_by: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How a subject stands to a purpose."""

    last: Consent
    lives: bool
    """Whether the purpose may be processed for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """What must be kept, whoever wants it erased."""

    id: str
    kind: HoldKind
    tenant: str
    subject: str
    """Empty, where one run is held."""
    run_id: str
    reason: str
    placed_by: str
    placed_at: datetime
    released_by: str | None
    released_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """What of a class is kept although its subject wants it erased."""

    rows: int
    until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Tombstone:
    """That a subject was erased, without their name."""

    id: str
    tenant: str
    mark: str
    """A keyed digest of the name: who knows the name can find it, nobody can read it."""
    at: datetime
    erased_by: str
    counts: Mapping[str, int]
    """Rows of each table that were deleted or emptied."""
    kept: Mapping[str, Left]
    """Classes of which the law demands that they are kept for longer."""
    due_at: datetime | None
    """When the first of these can be erased; it is done then by itself."""
    finished_at: datetime | None
    """Nothing: the erasure broke off, and has to be made again."""
