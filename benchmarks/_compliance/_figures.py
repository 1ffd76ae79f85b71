"""How often checks are right, by source, with the interval that so few texts allow."""

import math
from collections import defaultdict
from collections.abc import Callable, Iterable

from benchmarks._compliance._samples import Sample

Z = 1.96


def interval(hits: int, of: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a share."""
    if not of:
        return 0.0, 1.0
    share = hits / of
    middle = (share + Z * Z / (2 * of)) / (1 + Z * Z / of)
    half = Z * math.sqrt(share * (1 - share) / of + Z * Z / (4 * of * of)) / (1 + Z * Z / of)
    return round(middle - half, 4), round(middle + half, 4)


def by_source(
    samples: Iterable[Sample], kinds_of: Callable[[Sample], set[str]]
) -> dict[str, dict[str, object]]:
    """For each source, stage and kind: the share that is found, or for `none` the share that is wrongly."""
    counts: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for sample in samples:
        found = kinds_of(sample)
        hit = bool(found) if sample.kind == "none" else f"{sample.kind}_advice" in found
        count = counts[f"{sample.source} {sample.stage} {sample.kind}"]
        count[0] += hit
        count[1] += 1
    return {
        name: {"n": of, "found": round(hits / of, 4), "interval": interval(hits, of)}
        for name, (hits, of) in sorted(counts.items())
    }
