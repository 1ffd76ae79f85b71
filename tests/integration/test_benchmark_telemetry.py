import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_a_short_run_tells_what_telemetry_costs_and_loses_no_span():
    command = [sys.executable, "-m", "benchmarks.telemetry", "--json", "--no-raw"]
    sizes = ["--runs", "10", "--warmup", "2", "--rounds", "1"]
    done = subprocess.run(command + sizes, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    figures = json.loads(done.stdout)
    assert (done.returncode, figures["ok"], figures["complaints"]) == (0, True, [])
    assert figures["collector"]["spans"] == 12 * figures["figures"]["two_call_team"]["spans"]
    one = figures["figures"]["two_call_team"]
    assert one["ratio"]["low"] <= one["ratio"]["median"] <= one["ratio"]["high"]
    assert one["quietest"]["on_ms"] > 0
