"""The benchmark of tool servers that fail: what it counts, and one round of it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.mcp_faults import complaints_of, joined

ROOT = Path(__file__).parents[2]


def met(fault="stall", **other):
    usual = {"outcomes": {"answered": 1}, "bystanders": {"answered": 3}, "recovery": 0.5, "told": None}
    return {"fault": fault, **usual, **other}


def test_rounds_are_added_up_and_the_slowest_counts():
    both = joined([met(), met(outcomes={"ToolServerUnavailable": 1}, recovery=None)])
    assert both == {
        "rounds": 2,
        "outcomes": {"answered": 1, "ToolServerUnavailable": 1},
        "bystanders": {"answered": 6},
        "slowest_recovery": 0.5,
        "not_recovered": 1,
        "told": 0,
    }


@pytest.mark.parametrize(
    "wrong",
    [
        {"outcomes": {"hung": 1}},
        {"outcomes": {"ValueError": 1}},
        {"bystanders": {"answered": 2, "ToolServerUnavailable": 1}},
        {"recovery": 5.1},
        {"recovery": None},
    ],
)
def test_what_is_promised_and_not_kept_is_a_complaint(wrong):
    well = {"stall": joined([met()]), "cancels": joined([met("cancels", told=10)])}
    assert not complaints_of(well)
    assert len(complaints_of({**well, "stall": joined([met(**wrong)])})) == 1
    assert len(complaints_of({**well, "cancels": joined([met("cancels", told=9)])})) == 1


@pytest.mark.slow
def test_one_round_keeps_what_is_promised():
    command = [sys.executable, "-m", "benchmarks.mcp_faults", "--json", "--no-peer", "--rounds", "1"]
    command += ["--call-seconds", "10"]  # so that only a fault ends a call, however busy the machine is
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    figures = json.loads(done.stdout)
    assert (done.returncode, figures["complaints"]) == (0, [])
    assert figures["sides"]["proctor"]["kill"]["outcomes"] == {"ToolServerUnavailable": 3}
    assert figures["sides"]["proctor"]["cancels"]["bystanders"] == {"answered": 40}
