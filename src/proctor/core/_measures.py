"""What a stretch of time held, as the journal tells it."""

from dataclasses import dataclass
from typing import Literal

from proctor.core._money import Micros

MeasuredKind = Literal["run", "model", "tool"]


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
    input_tokens: int
    output_tokens: int
    seconds: tuple[float, ...]
    """How long each took, sorted."""
