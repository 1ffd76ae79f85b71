"""Starts the other routers, and the rules that need no program."""

import json
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks._router._samples import DataMissing, Sample
from benchmarks._router._training import Floats

PEERS = ("litellm==1.106.2", "wayfinder-router==2026.7.0")
PATIENCE = 900
"""Seconds, with the making of an environment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """What a router makes of each sample."""

    scores: Floats
    """The higher, the more a large model is advised."""
    large: Sequence[bool]
    """What it decides out of the box."""
    microseconds: float | None = None
    """Of one decision, at the median."""


def ask_peers(samples: Sequence[Sample]) -> dict[str, Advice]:
    """What other routers make of the samples.

    Raises:
        DataMissing: they can't be installed or started here.
    """
    uv = os.environ.get("UV") or shutil.which("uv")
    if uv is None:
        raise DataMissing("the other routers are installed by uv", hint="Start this with `uv run`.")
    command = [uv, "run", "--no-project", "--quiet", "--python", "3.11"]
    for peer in PEERS:
        command += ["--with", peer]
    # Without this LiteLLM asks the network for prices when it is imported.
    environ = {**os.environ, "LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_LOG": "ERROR"}
    environ.pop("PYTHONPATH", None)
    done = subprocess.run(
        [*command, "python", str(Path(__file__).with_name("_peer.py"))],
        input=json.dumps([sample.text for sample in samples]),
        env=environ,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    if done.returncode:
        raise DataMissing(f"the other routers didn't run: {done.stderr[-400:]}", hint="Or leave them out.")
    return _read(json.loads(done.stdout.splitlines()[-1]))


def _read(found: Mapping[str, Mapping[str, list[float]]]) -> dict[str, Advice]:
    return {
        name: Advice(
            scores=np.array(one["scores"], np.float32),
            large=[bool(large) for large in one["large"]],
            microseconds=one["microseconds"][0],
        )
        for name, one in found.items()
    }


def by_length(samples: Sequence[Sample]) -> Advice:
    """The rule that a long request is work for a large model."""
    scores = np.array(
        [len(sample.text) * (3 if sample.lang == "zh" else 1) for sample in samples], np.float32
    )
    return Advice(scores=scores, large=[bool(score > 500) for score in scores])
