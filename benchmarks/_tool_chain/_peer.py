"""The contender's environment, made by uv at the first use, and what it measures there."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks._overhead._environments import CACHE, ROOT

INSTALLING = 600
"""Seconds."""

MEASURING = 300
"""Seconds."""


def measure_agt(rules: Sequence[int], *, calls: int, bursts: int) -> dict[str, Any]:
    """Its version and the microseconds of its decisions, by the number of rules.

    Raises:
        subprocess.SubprocessError: it can't be installed, or doesn't run.
    """
    folder = CACHE / f"agt-{sys.version_info.major}.{sys.version_info.minor}"
    python = folder / "bin" / "python"
    CACHE.mkdir(exist_ok=True)
    if not python.exists():
        _uv("venv", "--python", sys.executable, str(folder))
    _uv("pip", "install", "--python", str(python), "--requirements", str(Path(__file__).with_name("agt.txt")))
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    script = Path(__file__).with_name("_agt.py")
    sizes = [str(number) for number in (calls, bursts, *rules)]
    # Its warnings go where nobody reads them: it tells at each import that a part of it is deprecated.
    done = subprocess.run(
        [str(python), "-W", "ignore", str(script), *sizes],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environ,
        cwd=folder,
        timeout=MEASURING,
        check=True,
    )
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def _uv(*arguments: str) -> None:
    uv = os.environ.get("UV") or shutil.which("uv") or str(Path(sys.executable).with_name("uv"))
    subprocess.run([uv, *arguments, "--quiet"], check=True, cwd=ROOT, timeout=INSTALLING)
