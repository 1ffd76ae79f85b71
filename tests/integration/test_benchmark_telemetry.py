import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.telemetry import _median

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_a_short_run_tells_what_telemetry_costs_and_loses_no_span():
    command = [sys.executable, "-m", "benchmarks.telemetry", "--json", "--no-raw"]
    sizes = ["--runs", "5", "--bursts", "2", "--pairs", "2", "--warmup", "2"]
    done = subprocess.run(command + sizes, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    figures = json.loads(done.stdout)
    assert (done.returncode, figures["ok"], figures["complaints"]) == (0, True, [])
    assert figures["collector"]["spans"] == 22 * figures["figures"]["two_call_team"]["spans"]
    one = figures["figures"]["two_call_team"]
    assert one["ratio"]["low"] <= one["ratio"]["median"] <= one["ratio"]["high"]
    assert one["on_ms"] > 0


def test_the_interval_of_a_median_leaves_out_what_chance_may_put_there():
    few, more = _median([1.0, 3.0, 2.0]), _median([float(number) for number in range(12)])
    assert few == {"median": 2.0, "low": 1.0, "high": 3.0}
    assert more == {"median": 5.5, "low": 2.0, "high": 9.0}  # the 3rd and the 10th: as tables of it say
