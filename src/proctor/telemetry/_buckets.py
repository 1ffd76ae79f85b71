"""The edges of the histograms' buckets, and so how far a quantile that is read from them can be off.

A quantile and Prometheus's estimate of it lie in the same bucket. From 0.1 s on each edge is at most 1.28
times the one before (the preferred numbers R10 of ISO 3): the estimate is off by at most 28 %. Whether a
quantile is above 5 s is told exactly, since 5 s is an edge.
"""

from itertools import pairwise

_R10 = (1.0, 1.25, 1.6, 2.0, 2.5, 3.2, 4.0, 5.0, 6.3, 8.0)

CALL_BUCKETS = (
    *(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05),
    *(round(scale * step, 4) for scale in (0.1, 1, 10) for step in _R10),
    100.0,
)
"""Seconds of one call of a model or a tool; the steps below 0.1 s are 2 and 2.5."""

RUN_BUCKETS = (
    *(0.01, 0.025, 0.05),
    *(round(scale * step, 4) for scale in (0.1, 1, 10, 100) for step in _R10),
    *(1000.0, 1800.0, 3600.0, 7200.0, 14400.0, 28800.0, 86400.0),
)
"""Seconds of a run, which may wait for a person; beyond a quarter of an hour the steps grow up to 3."""

WAIT_BUCKETS = (
    *(1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0, 900.0, 1200.0, 1800.0),
    *(hours * 3600.0 for hours in (1, 1.5, 2, 3, 4, 6, 8, 12, 18, 24, 36, 48, 72, 96, 120, 168)),
)
"""Seconds that a question waits for people; the steps are at most 2.5."""


def bucket_of(seconds: float, buckets: tuple[float, ...] = CALL_BUCKETS) -> tuple[float, float]:
    """The edges around a value: an estimate of a quantile that is this value lies between them."""
    for low, high in pairwise((0.0, *buckets)):
        if seconds <= high:
            return low, high
    return buckets[-1], float("inf")
