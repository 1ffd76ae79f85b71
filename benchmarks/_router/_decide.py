"""The router itself, asked about each sample as an application has it."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from benchmarks._router._peers import Advice
from benchmarks._router._samples import Sample, Tools, as_call
from proctor.core import DeploymentSettings, Micros, RouterSettings, SystemClock, Usage
from proctor.ledger import Prices
from proctor.models.router import Router
from proctor.testing import FakeScope

SMALL, LARGE = "gpt-5.4-mini", "gpt-5.4"
WARM_UP = 50
"""Decisions that aren't timed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AsDecided:
    """What the router makes of each sample."""

    advice: Advice
    classes: list[str]
    p50: float
    """Microseconds of one decision."""
    p95: float


def deployments() -> dict[str, DeploymentSettings]:
    """A small and a large deployment, and one for each special domain."""
    tiers = {"small": SMALL, "large": LARGE}
    tiers |= {f"special:{domain}": LARGE for domain in ("legal", "medical", "finance", "code")}
    return {
        tier.rpartition(":")[2]: DeploymentSettings(model=model, tier=tier, context_window=400_000)
        for tier, model in tiers.items()
    }


def decide(samples: Sequence[Sample]) -> AsDecided:
    """The router's decision on each sample: no budget is short, and every deployment is well."""
    settings, clock = deployments(), SystemClock()
    prices = Prices(settings)

    def price(deployment: str, usage: Usage) -> Micros:
        return prices.price_of(usage, deployment, at=clock.now())

    router = Router(settings, RouterSettings(), clock=clock, price=price)
    tools = Tools()
    calls = [
        replace(as_call(sample, tools), scope=FakeScope(run_id=f"run_{place}"))
        for place, sample in enumerate(samples)
    ]
    for call in calls[:WARM_UP]:
        router.choose(call)
    chances, classes, large, taken = [], [], [], []
    for call in calls:
        begun = time.perf_counter()
        choice = router.choose(call)
        taken.append(1e6 * (time.perf_counter() - begun))
        chances.append(choice.chance)
        classes.append(choice.required)
        large.append(choice.chance >= choice.caution)
    p50, p95 = (float(one) for one in np.quantile(taken, (0.5, 0.95)))
    return AsDecided(
        advice=Advice(scores=np.array(chances, np.float32), large=large, microseconds=round(p50, 1)),
        classes=classes,
        p50=p50,
        p95=p95,
    )
