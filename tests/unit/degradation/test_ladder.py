from datetime import UTC, datetime, timedelta
from heapq import heappop, heappush
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proctor.core import DegradationSettings
from proctor.degradation import Change, Ending, Ladder, Trial

START = datetime(2026, 1, 1, tzinfo=UTC)
SETTINGS = DegradationSettings()


class World:
    """A ladder, a primary with a fallback, and a clock. `broken` is the share of calls that fail of each."""

    def __init__(self, ladder: Ladder | None = None) -> None:
        self.ladder = ladder or Ladder(SETTINGS)
        self.now = START
        self.primary, self.fallback = 0.0, 0.0
        self.seconds = 0.5
        self.budget = 0.0
        self.changes: list[Change] = []
        self.probes = 0
        self._owed = {"primary": 0.0, "fallback": 0.0}
        self._under_way: list[tuple[datetime, int, Trial, Ending]] = []
        self._count = 0

    @property
    def levels(self) -> list[int]:
        return [change.level for change in self.changes]

    def call(self) -> None:
        rests = self.ladder.level >= 1
        trial = self.ladder.begin("primary", self.now, rests=rests)
        name, share = ("primary", self.primary) if trial else ("fallback", self.fallback)
        self.probes += trial is not None and trial.probe
        trial = trial or self.ladder.begin("fallback", self.now, rests=False)
        self._owed[name] += share
        failed = self._owed[name] >= 1
        self._owed[name] -= failed
        self._count += 1
        end = self.now + timedelta(seconds=self.seconds)
        heappush(self._under_way, (end, self._count, trial, "failed" if failed else "answered"))

    def go(self, seconds: int, *, calls: int = 5) -> None:
        """So many seconds with so many calls and one evaluation each."""
        for _ in range(seconds):
            self.now += timedelta(seconds=1)
            while self._under_way and self._under_way[0][0] <= self.now:
                end, _, trial, ending = heappop(self._under_way)
                self.ladder.end(trial, end, ending)
            for _ in range(calls):
                self.call()
            change = self.ladder.evaluate(self.now, budget_share=self.budget)
            if change is not None:
                self.changes.append(change)


def test_a_healthy_system_stays_normal():
    world = World()
    world.primary = 0.1
    world.go(300)
    assert world.levels == []


def test_a_failing_primary_leads_to_its_fallback_and_no_further():
    world = World()
    world.primary = 0.5
    world.go(600)
    assert world.levels == [1]
    [change] = world.changes
    assert (change.rule, change.previous) == ("error_rate", 0)
    assert change.detail == {"value": 0.5, "line": 0.25, "calls": 20}


def test_a_resting_deployment_is_probed_and_its_recovery_leads_back():
    world = World()
    world.primary = 1.0
    world.go(300)
    assert 0.03 < world.probes / (300 * 5) < 0.08
    world.primary = 0.0
    healed = world.now
    world.go(180)
    assert world.levels == [1, 0]
    assert world.changes[-1].rule == "recovered"
    assert world.changes[-1].at - healed >= SETTINGS.recover_after


def test_what_led_to_a_level_must_fall_well_below_its_line_before_the_level_is_left():
    world = World()
    world.primary = 0.5
    world.go(60)
    world.primary = 0.2
    world.go(600)
    assert world.levels == [1]
    world.primary = 0.05
    world.go(600)
    assert world.levels == [1, 0]


def test_another_rule_just_below_its_own_line_does_not_hold_a_level():
    world = World()
    world.primary, world.seconds = 1.0, 45
    world.go(60)
    world.primary = 0.0
    world.go(300)
    assert world.levels == [1, 0]


def test_where_there_are_few_calls_one_in_ten_seconds_probes():
    world = World()
    world.primary = 1.0
    world.go(10)
    world.probes = 0
    for _ in range(10):
        world.go(1, calls=1)
        world.go(9, calls=0)
    assert world.probes in (9, 10)


def test_total_failure_leads_to_the_last_level_step_by_step():
    world = World()
    world.primary = world.fallback = 1.0
    world.go(60)
    assert world.levels == [1, 2, 3, 4]
    assert all(later.at - earlier.at >= SETTINGS.hold for earlier, later in pairwise(world.changes))


def test_silence_leads_back_and_returning_health_ends_normal():
    world = World()
    world.primary = world.fallback = 1.0
    world.go(60)
    world.primary = world.fallback = 0.0
    world.go(60 * 6, calls=0)
    assert world.levels == [1, 2, 3, 4, 3, 2, 1, 0]


def test_few_failing_calls_change_nothing():
    world = World()
    world.primary = 1.0
    for _ in range(30):
        world.go(1, calls=1)
        world.go(9, calls=0)
    assert world.levels == []


def test_a_rate_around_the_line_does_not_flap():
    ladder = Ladder(SETTINGS)
    world = World(ladder)
    world.fallback = world.primary = 0.25
    world.go(20)
    for share in (0.2, 0.3, 0.22, 0.28) * 15:
        world.primary = world.fallback = share
        world.go(30)
    assert world.levels == [1]


def test_slow_calls_count_as_well_as_failing_ones():
    world = World()
    world.seconds = 70
    world.go(90)
    assert [(change.level, change.rule) for change in world.changes] == [(1, "p95_seconds")]


def test_a_spent_budget_leads_to_the_cheaper_models_and_no_further_than_its_lines():
    world = World()
    world.budget = 1.0
    world.go(120)
    assert [(change.level, change.rule) for change in world.changes] == [
        (1, "budget_share"),
        (2, "budget_share"),
    ]


def test_calls_that_hang_are_no_silence():
    world = World()
    world.primary = world.fallback = 1.0
    world.go(15)
    level = world.ladder.level
    assert world.ladder.begin("fallback", world.now, rests=False) is not None
    world.go(300, calls=0)
    assert world.ladder.level == level


def test_a_probe_that_hangs_is_no_recovery_and_is_the_only_one():
    world = World()
    world.primary = 1.0
    world.go(10)
    probe = None
    while probe is None:
        world.now += timedelta(seconds=1)
        probe = world.ladder.begin("primary", world.now, rests=True)
    world.primary = 0.0
    world.probes = 0
    world.go(300)
    assert (world.levels, world.probes) == ([1], 0)
    world.ladder.end(probe, world.now, "answered")
    world.go(125)
    assert world.levels == [1, 0]


def test_what_began_before_a_change_says_nothing_of_the_level_after_it():
    world = World()
    old = [world.ladder.begin("primary", world.now, rests=False) for _ in range(50)]
    world.primary = 1.0
    world.go(5)
    assert world.levels == [1]
    for trial in old:
        world.ladder.end(trial, world.now, "failed")
    world.go(60)
    assert world.levels == [1]


def test_calls_that_were_cancelled_or_refused_count_for_nothing():
    world = World()
    for _ in range(100):
        trial = world.ladder.begin("primary", world.now, rests=False)
        world.ladder.end(trial, world.now, "void")
    world.budget = SETTINGS.budget_share[0]
    world.go(1, calls=0)
    [change] = world.changes
    assert change.detail["calls"] == 0


def test_an_operators_level_is_taken_at_once_and_the_rules_go_on_from_there():
    world = World()
    change = world.ladder.put(3, world.now, {"by": "ann"})
    assert change is not None
    assert (change.level, change.rule) == (3, "operator")
    assert world.ladder.put(3, world.now, {"by": "ann"}) is None
    world.go(300)
    assert world.levels == [2, 1, 0]


@pytest.mark.parametrize("lines", [{"error_rate": [0.5, 0.25]}, {"p95_seconds": [1, 1]}])
def test_lines_that_do_not_rise_are_refused(lines):
    with pytest.raises(ValueError, match="must rise"):
        DegradationSettings.model_validate(lines)


weather = st.lists(
    st.tuples(
        st.integers(1, 90),
        st.sampled_from([0.0, 0.1, 0.24, 0.26, 0.5, 0.74, 0.9, 1.0]),
        st.sampled_from([0.0, 0.1, 0.24, 0.26, 0.5, 0.74, 0.9, 1.0]),
        st.sampled_from([0.1, 40, 61, 130]),
        st.sampled_from([0.0, 0.5, 0.79, 0.85, 1.0]),
        st.sampled_from([0, 1, 4, 10]),
    ),
    max_size=8,
)


@given(weather)
@settings(max_examples=60)
def test_in_any_weather_it_steps_one_level_a_hold_and_ends_normal_after_it(weather):
    world = World()
    for seconds, primary, fallback, took, budget, calls in weather:
        world.primary, world.fallback, world.seconds, world.budget = primary, fallback, took, budget
        world.go(seconds, calls=calls)
    world.primary, world.fallback, world.seconds, world.budget = 0.0, 0.0, 0.1, 0.0
    world.go(15 * 60, calls=1)
    assert world.ladder.level == 0
    assert all(abs(change.level - change.previous) == 1 for change in world.changes)
    assert all(later.at - earlier.at >= SETTINGS.hold for earlier, later in pairwise(world.changes))


@given(weather)
@settings(max_examples=20)
def test_after_any_weather_total_failure_ends_at_the_last_level(weather):
    world = World()
    for seconds, primary, fallback, took, budget, calls in weather:
        world.primary, world.fallback, world.seconds, world.budget = primary, fallback, took, budget
        world.go(seconds, calls=calls)
    world.primary, world.fallback, world.seconds = 1.0, 1.0, 0.1
    world.go(130, calls=5)  # as long as slow calls from before may still be answered
    world.go(140, calls=5)
    assert world.ladder.level == 4
