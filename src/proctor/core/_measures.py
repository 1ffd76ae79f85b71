"""What a stretch of time held, as the journal tells it."""

from dataclasses import dataclass
from typing import Literal

from proctor.core._money import Micros

MeasuredKind = Literal["run", "model", "tool"]
MeasuredBy = Literal["seconds", "errors", "calls", "cost", "loops", "verdicts"]
"""What makes one run worse than another."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """What one kind of work of one team came to: runs that ended, or calls that were answered."""

    kind: MeasuredKind
    team: str
    tenant: str
    agent: str
    """Empty for runs."""
    name: str
    """The deployment, the tool as `server.tool`; empty for runs."""
    release: str
    count: int
    errors: int
    """Runs that failed, calls that came to an error. What was refused or cancelled is none."""
    refused: int
    cost: Micros
    """Of runs what all of their calls have cost."""
    input_tokens: int
    """None for runs and tools."""
    output_tokens: int
    seconds: tuple[float, ...]
    """How long each took, sorted. A model call that nobody answered has no duration and is counted only."""
    costs: tuple[Micros, ...] = ()
    """What each cost, sorted."""
    cancelled: int = 0
    """Runs that somebody stopped."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Signs:
    """What the log of one team's runs says of a stretch of time, beside what its calls came to."""

    team: str
    tenant: str
    started: int
    """Runs that came in."""
    loops: int
    """How often agents were found to repeat themselves."""
    denied: int
    """Texts that policies refused: tasks, answers, tools' texts. Refused calls are in `Measure.refused`."""
    escalated: int
    """Questions that went to people."""
    calls_per_run: tuple[int, ...]
    """Calls that each run made that ended in that time, sorted."""
