"""What the contender measures in an environment of its own."""

import json
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks._overhead._environments import environment

MEASURING = 300
"""Seconds."""


def measure_agt(rules: Sequence[int], *, calls: int, bursts: int) -> dict[str, Any]:
    """Its version and the microseconds of its decisions, by the number of rules.

    Raises:
        subprocess.SubprocessError: it can't be installed, or doesn't run.
        OSError: there is no uv.
    """
    python = environment("agt", Path(__file__).with_name("agt.txt"))
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    script = Path(__file__).with_name("_agt.py")
    sizes = [str(number) for number in (calls, bursts, *rules)]
    # Its warnings go where nobody reads them: it tells at each import that a part of it is deprecated.
    done = subprocess.run(
        [str(python), "-W", "ignore", str(script), *sizes],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environ,
        cwd=python.parent,
        timeout=MEASURING,
        check=True,
    )
    told: dict[str, Any] = json.loads(done.stdout)
    return told
