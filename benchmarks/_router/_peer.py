"""Other routers that decide without a network, in an environment of their own: texts in, scores out.

This is a program: it reads one JSON list of texts and prints one JSON object, with a score for each text (the
higher, the more a large model is advised), whether it advises one as it is configured out of the box, and the
microseconds that each decision took.
"""

import json
import sys
import time
from collections.abc import Callable
from typing import Any

from litellm.router_strategy.complexity_router.complexity_router import (  # type: ignore[import-not-found]
    ComplexityRouter,
)
from wayfinder_router import score_complexity  # type: ignore[import-not-found]

Advice = tuple[float, bool]

TIERS = {"SIMPLE": "small", "MEDIUM": "small", "COMPLEX": "large", "REASONING": "large"}


def _litellm(**more: str) -> Any:
    return ComplexityRouter("auto", None, {"tiers": TIERS, **more})


def _rules() -> Callable[[str], Advice]:
    router = _litellm()

    def advise(text: str) -> Advice:
        tier, score, _ = router.classify(text)
        return float(score), TIERS[tier.value] == "large"

    return advise


def _trained() -> Callable[[str], Advice]:
    router = _litellm(classifier_type="heuristic_v2")

    def advise(text: str) -> Advice:
        outcome = router._classify_locally(text, None)  # noqa: SLF001 - its public way needs a proxy around it
        chances = outcome.heuristic_v2_forecast["probabilities"]
        return 1 - float(chances["MEDIUM"]), TIERS[outcome.tier.value] == "large"

    return advise


def _wayfinder() -> Callable[[str], Advice]:
    def advise(text: str) -> Advice:
        found = score_complexity(text)
        return float(found.score), found.recommendation == "cloud"

    return advise


def main() -> None:
    texts: list[str] = json.load(sys.stdin)
    routers = {"litellm_complexity": _rules(), "litellm_heuristic_v2": _trained(), "wayfinder": _wayfinder()}
    found: dict[str, Any] = {}
    for name, advise in routers.items():
        advice, taken = [], []
        for text in texts:
            begun = time.perf_counter()
            advice.append(advise(text))
            taken.append(time.perf_counter() - begun)
        found[name] = {
            "scores": [score for score, _ in advice],
            "large": [large for _, large in advice],
            "microseconds": [round(1e6 * sorted(taken)[len(taken) // 2], 1)],
        }
    print(json.dumps(found))


if __name__ == "__main__":
    main()
