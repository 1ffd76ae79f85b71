"""A run of the router's benchmark on the shared data, and what its figures must not let pass."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks._router._figures import (
    TOLERANCE,
    Field,
    best_threshold,
    confusion,
    equal_threshold,
    two_tiers,
)
from benchmarks._router._samples import Sample, load
from proctor.models.router import load_weights

ROOT = Path(__file__).parents[2]
HARD = np.array([False, False, False, True])


def benchmark(*options: str, data: str | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "benchmarks.router", "--json", "--no-peers", *options]
    environment = os.environ if data is None else {**os.environ, "PROCTOR_DATA": data}
    return subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120, check=False
    )


def field(small: list[float], large: list[float]) -> Field:
    ones = np.ones(len(small))
    return Field(small=np.array(small), large=np.array(large), small_cost=ones, large_cost=5 * ones)


def test_who_calls_everything_small_finds_half_of_the_work_in_balance():
    assert two_tiers(HARD, np.zeros(4, bool)) == {
        "accuracy": 0.75,
        "balanced": 0.5,
        "large_found": 0.0,
        "small_found": 1.0,
    }


def test_a_threshold_is_set_where_small_and_large_work_part():
    assert best_threshold(np.array([0.1, 0.2, 0.3, 0.9]), HARD) > 0.3


def test_equal_success_is_bought_no_dearer_than_it_must_be():
    some = field(small=[1, 1, 1, 0], large=[1, 1, 1, 1])
    knowing, blind = np.array([0.1, 0.2, 0.3, 0.9]), np.array([0.9, 0.3, 0.2, 0.1])
    assert some.at(knowing >= equal_threshold(knowing, some, 0.0)) == (1.0, 2.0)
    assert some.at(blind >= equal_threshold(blind, some, 0.0)) == (1.0, 5.0)


def test_what_is_taken_for_what_is_counted_and_what_nobody_knows_is_left_out():
    samples = [
        Sample(origin="a", lang="en", text="1", hard=False),
        Sample(origin="a", lang="en", text="2", hard=True),
        Sample(origin="a", lang="en", text="3", domain="legal"),
        Sample(origin="a", lang="en", text="4"),
    ]
    found = confusion(samples, ["small", "small", "special:legal", "large"])
    assert found["requests"] == 3
    assert found["recall"] == {"small": 1.0, "large": 0.0, "special:legal": 1.0}
    assert found["confusion"]["large"] == {"small": 1}


def test_a_request_belongs_to_one_part_whatever_else_there_is():
    parts = [Sample(origin="a", lang="en", text=str(number)).part for number in range(2000)]
    assert parts == [Sample(origin="b", lang="zh", text=str(number)).part for number in range(2000)]
    assert 0.15 < parts.count("test") / 2000 < 0.25


@pytest.mark.data
def test_the_shipped_weights_were_trained_on_the_data_that_they_name():
    named = load_weights().provenance["data"]
    counted = {
        name: sum(one.origin == name and one.part == "train" for one in load())
        for name in ("clinc150", "tau1")
    }
    assert counted == {name: named[name]["trained"] for name in counted}


@pytest.mark.data
def test_the_router_is_right_more_often_than_a_rule_on_length_and_cheaper_at_equal_success():
    done = benchmark()
    figures = json.loads(done.stdout)
    assert figures["checks"]["balanced_accuracy_above_others"], figures["tiers"]
    assert figures["checks"]["replay_cheaper_at_equal_success"], figures["replay"]
    replay = figures["replay"]
    assert replay["router"]["success"] >= replay["always_large"]["success"] - TOLERANCE
    assert replay["always_small"]["success"] < replay["always_large"]["success"]
    assert set(figures["classes"]) == {"all", "en", "zh"}
    assert figures["microseconds"]["p50"] < 1_000
    assert done.returncode == (0 if figures["ok"] else 1)


def test_without_the_data_nothing_is_measured(tmp_path):
    done = benchmark(data=str(tmp_path))
    assert (done.returncode, json.loads(done.stdout)["error"]["code"]) == (2, "data_missing")


@pytest.mark.parametrize("program", ["router", "router_train", "_router._outcomes"])
def test_each_program_says_how_it_is_used_and_names_nothing_of_this_machine(program):
    command = [sys.executable, "-m", f"benchmarks.{program}", "--help"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=ROOT, check=True)
    assert "Usage: " in done.stdout
    assert str(ROOT) not in done.stdout
