"""A thing to tell, whom it is told, and the row that sees to it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from proctor.core import JsonObject

MatterKind = Literal["requested", "reminder", "escalated", "expired"]
AlarmKind = Literal["firing", "repeated", "resolved"]
Kind = Literal["requested", "reminder", "escalated", "expired", "firing", "repeated", "resolved"]
State = Literal["pending", "sent", "failed", "dropped"]
"""`dropped`: it was settled before anybody could be told, so nobody was."""
Language = Literal["en", "zh"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Audience:
    """The people of one role and the ways to reach them."""

    role: str
    members: tuple[str, ...] = ()
    urls: tuple[str, ...] = ()
    """Addresses as `apprise` reads them. They hold secrets: they are never stored, logged or shown."""
    language: Language = "en"


@dataclass(frozen=True, slots=True, kw_only=True)
class Matter:
    """A question to people, as far as they are told of it."""

    id: str
    """The approval's."""
    run_id: str
    team: str
    agent: str
    waits: bool
    """Whether it still can be decided."""
    needs_names: bool
    """Whether it matters which person decides: then a link that anybody may hold is none."""
    text: str
    """The question."""
    why: tuple[str, ...]
    """Why it is asked: the rule, the risk, what the text that led to it is labelled."""
    action: JsonObject
    """The exact tool call: `server`, `tool`, `arguments`; for a reply, the conversation's last messages."""
    digest: str
    """Of the action: a decision holds for exactly this one."""
    roles: tuple[str, ...]
    """Who is asked."""
    expires_at: datetime | None
    outcome: str = ""
    """What became of it where it has expired."""
    answer: str | None = None
    """Where a team's answer is to be looked at before it goes out: the answer as it would be read."""
    task: str = ""
    """What it answers."""
    found: tuple[str, ...] = ()
    """What the policy has found in it: kinds of findings, or names of the operator's rules."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """Something that is wrong, or no longer: there is nothing to decide."""

    id: str
    """Of the message: alerts that belong together are told in one."""
    lines: tuple[str, ...]
    """One sentence an alert."""
    runs: tuple[str, ...]
    """Ids of runs that they come from, the worst first."""
    roles: tuple[str, ...]
    """Who is told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """Something that has to be told now."""

    matter: Matter | Alarm
    kind: Kind
    round: str
    """What tells two occasions of the same question apart: each is told once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """One message to one target, and how far it has come."""

    id: str
    kind: Kind
    subject: str
    """The id of the approval, or of the message about alerts."""
    round: str
    audience: str
    """The role."""
    target: str
    """The way it is sent: the scheme of the address, its place in the role's list, and a mail's recipient."""
    state: State
    attempts: int
    next_at: datetime
    """When it is tried (again); while somebody sends it, when he is given up."""
    error: str
    created_at: datetime
    sent_at: datetime | None
