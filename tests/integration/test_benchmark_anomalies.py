import json
import subprocess
import sys
from collections import Counter
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from benchmarks._anomalies._injected import inject
from benchmarks._anomalies._replay import MINUTE, Day
from benchmarks._anomalies._score import Score
from benchmarks._anomalies._world import KINDS, Anomaly, make_natures
from proctor.alerts import Alert, Rule, Tally

ROOT = Path(__file__).parents[2]
ERRORS = Anomaly(kind="errors", team="desk", start=100, end=130, form="sudden", strength=0.5)
LOOPS = Anomaly(kind="loops", team="desk", start=400, end=440, form="sudden", strength=0.5)


def a_day(*anomalies: Anomaly, calls: int = 1) -> Day:
    day = Day(past={}, minutes={}, anomalies=anomalies)
    tally = Tally()
    tally.counts["calls"] = calls
    minutes = {day.begins + MINUTE * place: {"desk": tally} for place in range(1, 1_441)}
    return Day(past={}, minutes=minutes, anomalies=anomalies)


def fired(day: Day, minute: int, rule: Rule = "errors", team: str = "desk") -> Alert:
    at = day.begins + MINUTE * minute
    return Alert(
        id=f"alr_{minute}",
        rule=rule,
        team=team,
        state="resolved",
        text="",
        value=1,
        usual=None,
        runs=(),
        began_at=at,
        seen_at=at,
        fired_at=at,
        resolved_at=at + timedelta(minutes=35),
    )


def test_an_alert_of_its_kind_and_time_finds_an_anomaly_and_any_other_is_wrong() -> None:
    score, day = Score(), a_day(ERRORS)
    wrong = [fired(day, 99), fired(day, 120, rule="cost"), fired(day, 120, team="lab"), fired(day, 141)]
    score.take(day, [fired(day, 106), *wrong])
    assert (score.recall, score.precision) == (1.0, 0.2)
    figures = score.figures()
    assert figures["delay_minutes"]["median"] == 6
    assert figures["resolved_after_minutes"]["median"] == 11


def test_what_follows_from_an_anomaly_is_right_but_does_not_find_it() -> None:
    score, day = Score(), a_day(LOOPS)
    score.take(day, [fired(day, 410, rule="burst"), fired(day, 410, rule="cost")])
    assert (score.recall, score.precision) == (0.0, 1.0)


def test_an_anomaly_in_whose_time_nobody_did_anything_is_counted_apart() -> None:
    score, day = Score(), a_day(ERRORS, calls=0)
    score.take(day, [])
    assert (score.injected.total(), score.quiet, score.recall_of_all) == (0, 1, 0.0)
    score.take(a_day(ERRORS), [])
    assert (score.injected.total(), score.quiet, score.recall) == (1, 1, 0.0)


def test_the_same_seed_makes_the_same_anomalies_of_each_kind_as_many() -> None:
    def made() -> list[Anomaly]:
        random = np.random.default_rng(5)
        return inject(random, make_natures(random, 36), 14, 36)

    found = made()
    assert found == made()
    assert Counter(anomaly.kind for anomaly in found) == dict.fromkeys(KINDS, 36)
    assert all(0 <= anomaly.start < anomaly.end < 1_440 for anomaly in found)


@pytest.mark.slow
def test_a_short_run_finds_more_than_fixed_lines_do() -> None:
    sizes = ["--teams", "6", "--each", "3", "--good-days", "0", "--seeds", "1"]
    command = [sys.executable, "-m", "benchmarks.anomalies", "--json", *sizes]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    figures = json.loads(done.stdout)
    assert done.returncode == (0 if figures["ok"] else 1)
    assert not figures["held_out"]
    ours, fixed = figures["baselines"], figures["fixed_lines"]
    assert ours["anomalies"] + ours["quiet"][1] == fixed["anomalies"] + fixed["quiet"][1] == 18
    assert ours["recall"] > max(fixed["recall"], 0.7)
    assert ours["precision"] > 0.8
    assert set(ours["kinds"]) == set(KINDS)
