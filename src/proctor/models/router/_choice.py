"""A choice of the router, with all that led to it."""

from collections.abc import Mapping
from dataclasses import dataclass

from proctor.core import JsonObject, Micros


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One deployment that has a tier."""

    name: str
    tier: str
    cost: Micros | None = None
    """What the call would cost there, about; None where its price isn't known."""
    warm: int = 0
    """Tokens of the prompt that its provider is taken to remember."""
    passed_over: str = ""
    """Why it isn't asked; empty for the one that is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Which deployment is asked, and why."""

    to: str
    tier: str
    """The tier of the deployment that is asked."""
    required: str
    """The tier that the call is work for."""
    chance: float
    """That the call needs more than a small model."""
    caution: float
    """From this chance on it is work for a large one."""
    domains: Mapping[str, float]
    """The chance of each special domain."""
    why: str
    candidates: tuple[Candidate, ...]
    figures: Mapping[str, float]
    """What was read off the call."""
    contributions: tuple[tuple[str, float], ...] = ()
    """What spoke most for a large model (above 0) and against it, as log-odds; only in explanations."""

    @property
    def cost(self) -> Micros | None:
        """What the call costs where it goes, about."""
        return next(one.cost for one in self.candidates if one.name == self.to)

    def as_event(self) -> JsonObject:
        """What a run's log says of it."""
        return {"to": self.to, "tier": self.tier, "chance": round(self.chance, 3), "why": self.why}
