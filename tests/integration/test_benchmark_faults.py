"""A short run of the fault table, as its users start it; and what it must not let pass."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from benchmarks._faults._cases import BRANCHES, CASES, SIBLINGS, Case, key_of, task_of
from benchmarks._faults._figures import Row, row_of
from benchmarks._faults._runs import Told
from benchmarks._faults._traces import ANSWERS, EFFECTS, MENDED, STRIKES, Traces
from proctor import Event, Run

ROOT = Path(__file__).parents[2]
START = datetime(2026, 11, 22, tzinfo=UTC)
STAND_IN = CASES["agent_raises-stand_in"]
BY_HAND = CASES["agent_raises-by_hand"]


def told(case: Case, *happened: tuple[str, str, dict[str, str]], state: str = "completed") -> Told:
    """A run whose log says so, a second for each entry."""
    events = tuple(
        Event(
            run_id="r",
            seq=number,
            at=START + timedelta(seconds=number),
            type=type,
            agent=agent,
            data=data,
        )
        for number, (type, agent, data) in enumerate(happened, 1)
    )
    run = Run(
        id="r",
        team=case.name,
        target="",
        tenant="default",
        state=state,
        attempt=1,
        task="",
        result=None,
        error_code=None,
        error=None,
        cost=0,
        created_at=START,
        finished_at=None,
    )
    return Told(key=f"{case.name}/0", run=run, events=events)


def said(agent: str) -> tuple[str, str, dict[str, str]]:
    return ("message", agent, {"text": f"{agent} has settled it."})


SIBLINGS_SAID = tuple(said(agent) for agent in SIBLINGS)
REPLACED = ("agent.replaced", "expert", {"by": "deputy"})
PARKED = ("run.failed", "", {"code": "agent_failed"})


@pytest.fixture
def traces(tmp_path: Path) -> Traces:
    """What a run leaves in which nothing was asked for twice."""
    found = Traces(tmp_path)
    for case in (STAND_IN, BY_HAND):
        key = f"{case.name}/0"
        for agent in ("intake", "clerk", "writer", "closer"):
            found.write(ANSWERS, key=key, agent=agent, digest=agent)
        found.write(EFFECTS, key=key, by="clerk")
    return found


def row(case: Case, traces: Traces, run: Told) -> Row:
    return row_of(case, [run], traces, began=START.timestamp())


def test_a_run_that_its_stand_in_completed_is_as_promised(traces: Traces) -> None:
    found = row(STAND_IN, traces, told(STAND_IN, *SIBLINGS_SAID, REPLACED, said("expert"), said("closer")))
    assert (found.outcome, found.siblings_kept, found.completed_share) == (STAND_IN.outcome, "2/2", 1.0)
    assert found.seconds_to_recover == 3.0, "siblings' progress counts"
    assert found.complaints == ()


def test_a_run_that_was_parked_with_its_error_and_resumed_is_as_promised(traces: Traces) -> None:
    found = row(BY_HAND, traces, told(BY_HAND, *SIBLINGS_SAID, PARKED, said("expert")))
    assert (found.completed_share, found.resumed_share, found.parked_as) == (0.0, 1.0, ("agent_failed",))
    assert (found.seconds_to_recover, found.seconds_to_park) == (None, 3.0)
    assert found.complaints == ()


def test_a_sibling_that_was_asked_again_is_not_kept(traces: Traces) -> None:
    traces.write(ANSWERS, key=f"{STAND_IN.name}/0", agent="writer", digest="writer")
    found = row(STAND_IN, traces, told(STAND_IN, *SIBLINGS_SAID, REPLACED))
    assert (found.siblings_kept, found.calls_repeated) == ("1/2", 1)
    assert found.complaints


def test_a_sibling_whose_result_is_not_in_the_log_is_not_kept(traces: Traces) -> None:
    found = row(STAND_IN, traces, told(STAND_IN, said("clerk"), REPLACED))
    assert found.siblings_kept == "1/2"
    assert found.complaints


def test_an_effect_that_came_twice_is_told(traces: Traces) -> None:
    traces.write(EFFECTS, key=f"{STAND_IN.name}/0", by="clerk")
    found = row(STAND_IN, traces, told(STAND_IN, *SIBLINGS_SAID, REPLACED))
    assert (found.effects_doubled, found.siblings_kept) == (1, "1/2")
    assert found.complaints


@pytest.mark.parametrize("state", ["running", "queued", "waiting"])
def test_a_run_that_came_to_no_end_is_told(traces: Traces, state: str) -> None:
    found = row(STAND_IN, traces, told(STAND_IN, *SIBLINGS_SAID, REPLACED, state=state))
    assert (found.hung, found.completed_share) == (1, 0.0)
    assert found.complaints


def test_a_run_that_was_met_in_another_way_or_parked_with_another_error_is_told(traces: Traces) -> None:
    assert row(STAND_IN, traces, told(STAND_IN, *SIBLINGS_SAID)).complaints
    other = ("run.failed", "", {"code": "team"})
    assert row(BY_HAND, traces, told(BY_HAND, *SIBLINGS_SAID, other)).complaints
    assert row(BY_HAND, traces, told(BY_HAND, *SIBLINGS_SAID, PARKED, state="failed")).complaints


def test_a_run_that_a_fault_for_all_has_missed_is_as_promised_unless_all_have(tmp_path: Path) -> None:
    case, traces = replace(CASES["tools_dies-absorb"], mechanism="reschedule"), Traces(tmp_path)
    for number in (0, 1):
        traces.write(EFFECTS, key=f"{case.name}/{number}", by="clerk")
    met = told(case, *SIBLINGS_SAID, ("run.rescheduled", "", {"code": "x"}), said("closer"))
    missed = replace(told(case, *SIBLINGS_SAID, said("closer")), key=f"{case.name}/1")
    assert row_of(case, [met, missed], traces, began=START.timestamp()).complaints == ()
    assert row_of(case, [missed], traces, began=START.timestamp()).complaints


def test_a_fault_comes_as_often_as_it_may_and_never_when_it_is_mended(tmp_path: Path) -> None:
    traces = Traces(tmp_path)
    assert [traces.strikes("a/0", most=2) for _ in range(3)] == [True, True, False]
    assert [traces.strikes(key, most=1, of="a") for key in ("a/0", "a/1")] == [True, False]
    assert len(traces.read(STRIKES)) == 3
    traces.mark(MENDED)
    assert not traces.strikes("b/0", most=2)


def test_a_runs_key_is_found_in_what_its_agents_are_asked() -> None:
    assert key_of(["You are clerk.", task_of("agent_raises-stand_in", 7)]) == "agent_raises-stand_in/7"


def test_every_fault_of_the_issue_is_met_on_each_level_that_it_can_reach() -> None:
    levels: dict[str, set[int]] = {}
    for case in CASES.values():
        levels.setdefault(case.fault, set()).add(case.level)
    agents = {"agent_raises", "agent_hangs", "agent_base_exception", "agent_cancels_itself", "agent_loops"}
    both = agents | {
        *(f"provider_{fault}" for fault in ("http_429", "http_500", "hang", "half_stream", "nonsense")),
        *(f"tools_{fault}" for fault in ("dies", "stalls", "floods")),
    }
    assert all(levels[fault] == {1, 2} for fault in both)
    beyond = {case.fault for case in CASES.values() if case.family not in BRANCHES}
    assert beyond == {
        "worker_killed_embedded",
        "worker_drained_embedded",
        "worker_killed_temporal",
        "worker_frozen_temporal",
        "worker_drained_temporal",
        "database_restarts",
        "database_stays_away",
    }


@pytest.mark.slow
def test_a_short_run_shows_that_every_promise_holds() -> None:
    raw = [] if os.environ.get("UV") or shutil.which("uv") else ["--no-compare"]
    done = subprocess.run(
        # With slack, so that an answer that is late because the machine is busy is no fault.
        [sys.executable, "-m", "benchmarks.faults", "--json", "--runs", "2", "--slack", "3", *raw],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        timeout=900,
        check=False,
    )
    said = json.loads(done.stdout)
    assert (done.returncode, said["ok"], said["complaints"]) == (0, True, [])
    assert [f"{one['fault']}-{one['mechanism']}" for one in said["rows"]] == list(CASES)
    assert (said["totals"]["hung"], said["totals"]["effects_doubled"]) == (0, 0)
    ladder = said["ladder"]
    assert (ladder["reached"], ladder["steps"][-1]["level"], ladder["completed_share"]) == (4, 0, 1.0)
    assert ladder["refused"] > 0
