"""What all processes share, as each of them tells it: read from the database, and so the same everywhere.

These gauges of several processes don't add up: the greatest of them is the truth.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetStanding:
    """How one budget stands, for the value that has spent most of it."""

    name: str
    limit: int
    """Micro-dollars, as are the others."""
    spent: int
    set_aside: int
    lost: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedState:
    """What stands in the database at one moment."""

    runs: Mapping[tuple[str, ...], int] = field(default_factory=dict)
    """By team and state: runs that haven't ended."""
    queued_seconds: Mapping[str, float] = field(default_factory=dict)
    """By team: since when its oldest run has been due that nobody has taken up yet."""
    approvals: Mapping[str, int] = field(default_factory=dict)
    """By team: questions that nobody has decided."""
    approval_seconds: Mapping[str, float] = field(default_factory=dict)
    """By team: the age of the oldest."""
    budgets: tuple[BudgetStanding, ...] = ()
    workers: Mapping[str, int] = field(default_factory=dict)
    """By state: `working`, `stopping`, `silent`."""


class Shared(Collector):
    """The shared state as metrics; only a word that there is none, where it couldn't be read lately."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.state: SharedState | None = None
        registry.register(self)

    def describe(self) -> Iterator[Metric]:
        """The metrics without values: a registry asks for their names."""
        return _families(SharedState())

    def collect(self) -> Iterator[Metric]:
        """The metrics as they stand."""
        known = self.state is not None
        yield GaugeMetricFamily(
            "proctor_shared_state_up", "1 where the shared state could be read from the database", int(known)
        )
        if self.state is not None:
            yield from _families(self.state)


def _families(state: SharedState) -> Iterator[Metric]:
    yield _by("proctor_open_runs", "Runs that haven't ended", ("team", "state"), state.runs)
    yield _by(
        "proctor_queue_oldest_seconds",
        "Since when the oldest run has been due that nobody has taken up",
        ("team",),
        {(team,): value for team, value in state.queued_seconds.items()},
    )
    yield _by(
        "proctor_approvals_open",
        "Questions that nobody has decided",
        ("team",),
        {(team,): value for team, value in state.approvals.items()},
    )
    yield _by(
        "proctor_approval_oldest_seconds",
        "Age of the oldest question that nobody has decided",
        ("team",),
        {(team,): value for team, value in state.approval_seconds.items()},
    )
    yield _by(
        "proctor_workers",
        "Processes that execute runs, or did within a day",
        ("state",),
        {(one,): value for one, value in state.workers.items()},
    )
    for name, what in (
        ("limit", "Micro-dollars of a budget, for the value that spent most of it"),
        ("spent", "Micro-dollars spent of a budget, by the value that spent most"),
        ("set_aside", "Micro-dollars reserved by calls under way, and by workers for their next ones"),
        ("lost", "Micro-dollars that dead workers held: they count as spent"),
    ):
        values: Mapping[tuple[str, ...], float] = {(one.name,): getattr(one, name) for one in state.budgets}
        yield _by(f"proctor_budget_{name}_micros", what, ("budget",), values)


def _by(
    name: str, what: str, labels: Sequence[str], values: Mapping[tuple[str, ...], float]
) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, what, labels=labels)
    for key, value in sorted(values.items()):
        family.add_metric(key, value)
    return family
