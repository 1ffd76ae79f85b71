"""What an inspection finds, and what it goes by."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, TypeAlias

from sqlalchemy import Connection

from proctor.approvals import Roles
from proctor.audit import Head
from proctor.core import TeamSettings, digest
from proctor.ledger import Prices

FindingKind = Literal["record", "ledger", "price", "approval", "decision", "policy", "retention", "pin"]
Severity = Literal["warning", "critical"]

ADVICE: Mapping[FindingKind, str] = {
    "record": "Keep the database as it is, find out who had access, and compare it with a backup.",
    "ledger": "`proctor costs audit` shows the run, `proctor runs show` what it did.",
    "price": "Compare the entry with the price list and the provider's bill; give a new price a `since` day.",
    "approval": "`proctor runs show` tells what was done; look who could change the team's rules.",
    "decision": "Ask the person whether the decision is theirs, and who can write to the database.",
    "policy": "Restart the processes under one configuration; `proctor config show` tells what each one has.",
    "retention": "See that `proctor serve` runs, and whether `what is too old` fails in its log.",
    "pin": "`proctor tools show` tells what the tool says now; accept it, or take the tool away.",
}
"""What to do about a finding."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something that isn't as it should be."""

    kind: FindingKind
    severity: Severity
    run_id: str = ""
    thing: str
    """What it is about: with kind and run it tells findings apart."""
    text: str

    @property
    def mark(self) -> str:
        """The same each time that the same is found."""
        return digest([self.kind, self.run_id, self.thing])


@dataclass(frozen=True, slots=True, kw_only=True)
class Filed:
    """A finding as it is kept."""

    id: str
    kind: FindingKind
    severity: Severity
    run_id: str
    thing: str
    text: str
    first_at: datetime
    last_at: datetime
    gone_at: datetime | None
    """When an inspection found it no more, where it would have."""

    @property
    def todo(self) -> str:
        """What to do about it."""
        return ADVICE[self.kind]


TooOld: TypeAlias = Callable[[Connection, datetime], Mapping[str, int]]
"""How many rows of each class should be gone since an instant."""


def _none_too_old(_connection: Connection, _at: datetime) -> Mapping[str, int]:
    return {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What things are held against: the configuration in force."""

    team: Callable[[str], TeamSettings]
    roles: Roles
    prices: Prices
    batched: frozenset[str] = field(default_factory=frozenset)
    """Deployments that are asked by their provider's batch interface too."""
    policy: str
    """The version of the policy in force."""
    pins: bool
    """Whether tools must be pinned."""
    heads: Sequence[Head] = ()
    trusted: frozenset[str] = field(default_factory=frozenset)
    too_old: TooOld = _none_too_old
    alive: frozenset[str] = field(default_factory=frozenset)
    """The workers that execute runs now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """What an inspection looks at: what happened in it. What is cheap is held against each other in full."""

    since: datetime
    until: datetime
