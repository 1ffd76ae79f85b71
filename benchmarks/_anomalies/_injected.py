"""What is made to go wrong in a day: when, where, and how badly."""

import math
from collections.abc import Sequence
from datetime import timedelta

import numpy as np

from benchmarks._anomalies._world import BEGIN, DAY, KINDS, Anomaly, AnomalyKind, Nature, busy

CONCERNED = 8
"""Calls (of bursts and loops: runs) that an anomaly concerns, in the mean, at the least. A small team's
troubles last until they concern so many. Where its team makes fewer calls in all of its time, as the day
comes out, hardly anything went wrong: it is quiet, and counted apart."""
LONGEST = 300
"""Minutes."""
APART = 60
"""Minutes between two anomalies of one team."""


def inject(random: np.random.Generator, natures: Sequence[Nature], days: int, each: int) -> list[Anomaly]:
    """So many anomalies of each kind, spread over teams and hours."""
    taken: dict[str, list[tuple[int, int]]] = {nature.name: [] for nature in natures}
    found: list[Anomaly] = []
    for number in range(each * len(KINDS)):
        kind = KINDS[number % len(KINDS)]
        for _ in range(2_000):
            anomaly = _one(random, kind, natures[int(random.integers(len(natures)))], days)
            if anomaly is not None and _is_free(taken[anomaly.team], anomaly):
                taken[anomaly.team].append((anomaly.start, anomaly.end))
                found.append(anomaly)
                break
        else:
            raise ValueError("so many anomalies find no room in a day of so few teams")
    return sorted(found, key=lambda anomaly: anomaly.start)


def _is_free(taken: Sequence[tuple[int, int]], anomaly: Anomaly) -> bool:
    return all(anomaly.end + APART <= start or end + APART <= anomaly.start for start, end in taken)


def _one(random: np.random.Generator, kind: AnomalyKind, nature: Nature, days: int) -> Anomaly | None:
    drifts = random.random() < 0.2
    length = int(random.uniform(90, 180) if drifts else random.uniform(15, 60))
    start = int(random.integers(30, DAY - 60))
    runs = busy(nature, BEGIN + timedelta(days=days, minutes=start))
    form = "drift" if drifts else "sudden"
    match kind:
        case "latency":
            strength = float(random.uniform(2.0, 5.0))
            if not drifts and random.random() < 0.3:
                form, strength = "tail", float(random.uniform(0.1, 0.3))
        case "errors":
            strength = float(random.uniform(0.12, 0.6))
        case "burst":
            strength = float(random.uniform(2.5, 8.0))
        case "cost":
            strength = float(random.uniform(2.5, 8.0))
        case "loops":
            strength = float(random.uniform(0.2, 0.6))
        case "verdicts":
            strength = float(random.uniform(0.15, 0.6))
            if not drifts and random.random() < 0.2:
                form, strength = "vanished", 0.0
    length = max(length, math.ceil(CONCERNED / _concerned(kind, form, strength, runs, nature)))
    if start + length > DAY - 20 or length > LONGEST:
        return None
    return Anomaly(kind=kind, team=nature.name, start=start, end=start + length, form=form, strength=strength)


def _concerned(kind: AnomalyKind, form: str, strength: float, runs: float, nature: Nature) -> float:
    """How many calls or runs an anomaly concerns in a minute."""
    calls = runs * nature.length
    whole = 0.5 if form == "drift" else 1.0
    match kind:
        case "latency" | "cost":
            return calls * (1 - nature.tools) * (strength if form == "tail" else whole)
        case "errors":
            return calls * strength * whole
        case "burst":
            return runs * (strength - 1) * whole
        case "loops":
            return runs * strength * whole
        case "verdicts" if form == "vanished":
            return calls * min(nature.denied, nature.escalated)
        case "verdicts":
            return calls * strength * whole
