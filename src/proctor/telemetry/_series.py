"""What one agent's calls of one deployment or tool count into, looked up once instead of at every call."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from prometheus_client import Counter, Gauge, Histogram

from proctor.core import Usage

CallResult = Literal["ok", "error", "refused", "cancelled"]
"""What an outcome is to those who look whether all goes well. What a rule, a person or a budget stops is
`refused`, and no error."""

RESULTS: Mapping[str, CallResult] = {
    "ok": "ok",
    "refused": "refused",
    "budget_exceeded": "refused",
    "cancelled": "cancelled",
}
"""By outcome; all others are errors."""


@dataclass(slots=True, kw_only=True)
class _Series:
    results: Mapping[CallResult, Counter]
    active: Gauge
    seconds: Histogram
    cost: Counter
    calls: Counter
    labels: tuple[str, ...]
    outcomes: dict[str, Counter] = field(default_factory=dict)

    def count(self, outcome: str) -> None:
        """Counts a call that ended so."""
        counter = self.outcomes.get(outcome)
        if counter is None:
            counter = self.outcomes[outcome] = self.calls.labels(*self.labels, outcome)
        counter.inc()
        self.results[RESULTS.get(outcome, "error")].inc()


@dataclass(slots=True, kw_only=True)
class ToolSeries(_Series):
    """One agent's calls of one tool."""


@dataclass(slots=True, kw_only=True)
class ModelSeries(_Series):
    """One agent's calls of one deployment."""

    response: Histogram
    first: Histogram
    retries: Counter
    input: Counter
    output: Counter
    cached: Counter
    reasoning: Counter

    def spend(self, usage: Usage, cost: int) -> None:
        """Adds what a call used."""
        self.input.inc(usage.input)
        self.output.inc(usage.output)
        if usage.cached_input:
            self.cached.inc(usage.cached_input)
        if usage.reasoning:
            self.reasoning.inc(usage.reasoning)
        if cost:
            self.cost.inc(cost)
