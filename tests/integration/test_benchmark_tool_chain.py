"""The benchmark of what the tool chain costs."""

import json
import subprocess
import sys
from pathlib import Path

from benchmarks._tool_chain._checks import open_checks
from benchmarks.tool_chain import complaints_of

ROOT = Path(__file__).parents[2]


def test_a_cost_that_grows_with_the_rules_is_complained_about():
    assert complaints_of({"chain": {1: 100.0, 10: 500.0, 1000: 130.0}}) == []
    assert len(complaints_of({"chain": {1: 100.0, 1000: 131.0}, "checks": {1: 1.0, 1000: 1.0}})) == 1


async def test_the_calls_that_are_measured_are_answered_by_the_tool(tmp_path):
    for part in ("lists", "checks"):
        async with open_checks(tmp_path, 3, "consequential", part) as checks:
            result = await checks.call(7)
        assert (result.text, result.refused_by) == ("Order W0000007 left the warehouse at 08:14.", "")


def test_a_short_run_tells_what_each_number_of_rules_costs():
    command = [sys.executable, "-m", "benchmarks.tool_chain", "--json", "--no-peers"]
    sizes = ["--calls", "20", "--bursts", "3", "--rules", "1", "--rules", "20"]
    done = subprocess.run([*command, *sizes], cwd=ROOT, stdout=subprocess.PIPE, timeout=120, check=False)
    told = json.loads(done.stdout)
    rows = {f"{part}, {effect}" for part in ("lists", "checks") for effect in ("read_only", "consequential")}
    assert set(told["us"]) == rows | {"chain, read_only", "chain, consequential"}
    assert all(cost > 0 for row in told["us"].values() for cost in row.values())
    assert done.returncode == (0 if told["ok"] else 1)
