"""The benchmark of the HTTP server, in small."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_every_reader_is_told_everything_once() -> None:
    sizes = ("--readers", "30", "--followed", "4", "--turns", "8", "--runs", "20", "--no-fuzz")
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.api", *sizes, "--json"],
        cwd=ROOT,
        env={**os.environ, "NO_PROXY": "127.0.0.1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    told = json.loads(done.stdout)
    streams = told["streams"]
    assert streams["events"] > 0
    assert (streams["twice"], streams["missing"], streams["out_of_order"]) == (0, 0, 0)
    assert {"p50_ms", "p99_ms"} == set(told["added"]["run"]) == set(told["added"]["look"])
