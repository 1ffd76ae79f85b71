import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks._overhead._endpoint import TEXT_ANSWER, TOOL_ANSWER, answer_to
from benchmarks._overhead._figures import Sample, cell_of, checks_of

ROOT = Path(__file__).parents[2]
TOOLS = [{"type": "function", "function": {"name": "order_status"}}]


def sample(contender, *, cpu_s, wall_s=1.0, commits=0, scenario="one_call_team", concurrency=16):
    return Sample(
        contender=contender,
        scenario=scenario,
        concurrency=concurrency,
        runs=100,
        wall_s=wall_s,
        cpu_s=cpu_s,
        commits=commits,
    )


def kept(samples, *rivals):
    return {check.promise: check.holds for check in checks_of(cell_of(samples, rivals))}


def test_the_endpoint_asks_for_a_tool_once_and_then_answers():
    user, tool = {"role": "user", "content": "?"}, {"role": "tool", "content": "!"}
    assert answer_to(json.dumps({"messages": [user]}).encode()) == TEXT_ANSWER
    assert answer_to(json.dumps({"messages": [user], "tools": TOOLS}).encode()) == TOOL_ANSWER
    assert answer_to(json.dumps({"messages": [user, tool], "tools": TOOLS}).encode()) == TEXT_ANSWER


def test_ratios_are_those_of_pairs_and_judged_by_their_median():
    own = [sample("proctor", cpu_s=cpu) for cpu in (1.2, 2.8, 9.0)]
    raw = [sample("autogen", cpu_s=cpu) for cpu in (1.0, 2.0, 3.0)]
    cell = cell_of([*own, *raw], ["autogen"])
    assert (cell.cpu_ratio["autogen"].min, cell.cpu_ratio["autogen"].max) == (1.2, 3.0)
    assert cell.cpu_ratio["autogen"].median == pytest.approx(1.4)
    assert kept([*own, *raw], "autogen") == {
        "CPU of raw AutoGen, times": True,
        "throughput of raw AutoGen, times": True,
    }


def test_a_promise_that_does_not_hold_is_said_so():
    raw = sample("autogen", cpu_s=1.0)
    slow = sample("proctor", cpu_s=1.6, wall_s=1.5)
    assert kept([slow, raw], "autogen") == {
        "CPU of raw AutoGen, times": False,
        "throughput of raw AutoGen, times": False,
    }
    alone = sample("proctor", cpu_s=1.0, commits=300, concurrency=1)
    raw_alone = sample("autogen", cpu_s=1.0, concurrency=1)
    assert kept([alone, raw_alone], "autogen") == {"disk commits added to a run": False}


def test_langgraph_is_met_only_by_being_ahead_in_everything():
    graph = sample("langgraph", cpu_s=1.0, commits=500)
    equal = sample("proctor", cpu_s=1.0, commits=500)
    ahead = sample("proctor", cpu_s=0.9, wall_s=0.9, commits=100)
    assert not any(kept([equal, graph], "langgraph").values())
    assert all(kept([ahead, graph], "langgraph").values())


@pytest.mark.slow
@pytest.mark.skipif(
    not (os.environ.get("UV") or shutil.which("uv")), reason="uv makes the contenders' environments"
)
def test_a_short_run_measures_every_contender_and_says_whether_it_holds():
    sizes = ["--runs", "4", "--warmup", "2", "--pairs", "1", "--concurrency", "2"]
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.overhead", "--json", *sizes, "--scenarios", "two_call_team"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        timeout=900,
        check=False,
    )
    told = json.loads(done.stdout)
    assert done.returncode == (0 if told["ok"] else 1)
    [cell] = told["cells"]
    assert set(cell["costs"]) == {"proctor", "autogen", "langgraph"}
    assert all(cost["cpu_ms"] > 0 and cost["runs_per_s"] > 0 for cost in cell["costs"].values())
    assert cell["costs"]["autogen"]["commits_per_run"] == 0
    assert cell["costs"]["langgraph"]["commits_per_run"] > 2
    assert told["versions"]["proctor"]["openai"] == told["versions"]["autogen"]["openai"]
