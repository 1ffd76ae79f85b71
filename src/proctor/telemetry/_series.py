"""What one agent's calls of one deployment or tool count into, looked up once instead of at every call."""

from dataclasses import dataclass, field

from prometheus_client import Counter, Gauge, Histogram

from proctor.core import Usage


@dataclass(slots=True, kw_only=True)
class _Series:
    active: Gauge
    seconds: Histogram
    calls: Counter
    labels: tuple[str, str, str]
    outcomes: dict[str, Counter] = field(default_factory=dict)

    def count(self, outcome: str) -> None:
        """Counts a call that ended so."""
        counter = self.outcomes.get(outcome)
        if counter is None:
            counter = self.outcomes[outcome] = self.calls.labels(*self.labels, outcome)
        counter.inc()


@dataclass(slots=True, kw_only=True)
class ToolSeries(_Series):
    """One agent's calls of one tool."""


@dataclass(slots=True, kw_only=True)
class ModelSeries(_Series):
    """One agent's calls of one deployment."""

    response: Histogram
    cost: Counter
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
