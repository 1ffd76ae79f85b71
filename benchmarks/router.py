"""The router `auto` against rules and other routers: is its class right, is it cheap, is it quick?

On public requests that neither weights nor thresholds have seen (a fifth, kept apart by a hash of the text):

- `classes`: the class that the router finds against the labelled one, and what is taken for what.
- `tiers`: small work or large, by itself, a rule on length, and the routers of other projects: as they come,
  and each with its threshold set for its best on the same requests, which are no part of the test. Most
  requests are small work, so `balanced` is compared: the mean of the shares of both that are found.
- `outcomes`: dollars a request at equal success, where a small and a large model were really asked each
  question (MMLU, GSM8K, trivia and code, Chinese examinations and law). Success is what these models did.
  Needs the file that `benchmarks._router._outcomes` makes; without it these figures are left out. Beside it
  stands the success at a given share of calls to the large model: the answers to many of these questions are
  one letter, and their cost is that of the question.
- `replay`: the same for recorded support tasks. No small model was asked those: success means that a task was
  given to at least the tier it needs, large where the recording has 2 writes or 5 calls.
- `published`: expected success (pass^1) and cost of those tasks, as the makers of tau2-bench published them
  for a small and a large setting of one model, shop by shop.
- `microseconds` of one decision, with its choice among six deployments.

    uv run python -m benchmarks.router --json
"""

import time
from typing import Annotated, Any

import numpy as np
from cyclopts import App, Parameter

from benchmarks._replay._report import fail, finish
from benchmarks._router import _figures
from benchmarks._router._decide import AsDecided, decide
from benchmarks._router._fields import field_of, published
from benchmarks._router._peers import Advice, ask_peers, by_length
from benchmarks._router._samples import Outcomes, Sample, load
from proctor import ProctorError

MICROSECONDS = 200
"""What half of the decisions may take."""

app = App(name="benchmarks.router", help="The router's accuracy, cost and speed.")


@app.default
def main(
    *,
    outcomes: Outcomes = None,
    peers: Annotated[bool, Parameter(help="Also ask the routers of other projects.")] = True,
    as_json: Annotated[bool, Parameter(name="--json", negative="", help="Print one JSON object.")] = False,
) -> None:
    """Measure the router."""
    begun = time.perf_counter()
    try:
        samples = [sample for sample in load(outcomes) if sample.part != "train"]
        decided = decide(samples)
        others = {"length": by_length(samples), **(ask_peers(samples) if peers else {})}
    except ProctorError as error:
        fail("router", error, as_json=as_json)
    found = figures(samples, decided, others)
    finish({**found, "seconds": round(time.perf_counter() - begun, 1)}, as_json=as_json)


def figures(samples: list[Sample], decided: AsDecided, others: dict[str, Advice]) -> dict[str, Any]:
    """What is printed."""
    advice = {"router": decided.advice, **others}
    test = np.array([sample.part == "test" for sample in samples])
    tiers = _tiers(samples, advice, test)
    measured = np.array([sample.small is not None for sample in samples])
    tasks = np.array([bool(sample.task) for sample in samples])
    costs: dict[str, Any] = {"replay": _cost(samples, advice, test, tasks, aim=0.0)}
    if measured.any():
        costs["outcomes"] = _cost(samples, advice, test, measured)
    others_best = max(tiers[name]["tuned"]["balanced"] for name in others)
    checks = {
        "balanced_accuracy_above_others": tiers["router"]["tuned"]["balanced"] > others_best,
        "fast": decided.p50 <= MICROSECONDS,
        **{f"{name}_cheaper_at_equal_success": _cheaper(one) for name, one in costs.items()},
    }
    return {
        "benchmark": "router",
        "ok": all(checks.values()),
        "checks": checks,
        "test_requests": int(test.sum()),
        "microseconds": {"p50": round(decided.p50, 1), "p95": round(decided.p95, 1)},
        "classes": _classes(samples, decided.classes, test),
        "tiers": tiers,
        **costs,
        "published": published(samples, decided.advice, test & tasks),
        "tolerance": _figures.TOLERANCE,
        "not_measured": [] if measured.any() else ["outcomes: the file of outcomes is not here"],
    }


def _classes(samples: list[Sample], classes: list[str], test: _figures.Flags) -> dict[str, Any]:
    kept = [(one, to) for one, to, is_test in zip(samples, classes, test, strict=True) if is_test]

    def only(lang: str) -> dict[str, Any]:
        some = [(one, to) for one, to in kept if lang in ("", one.lang)]
        return _figures.confusion([one for one, _ in some], [to for _, to in some])

    return {"all": only(""), "en": only("en"), "zh": only("zh")}


def _tiers(samples: list[Sample], advice: dict[str, Advice], test: _figures.Flags) -> dict[str, Any]:
    known = np.array([sample.hard is not None for sample in samples])
    hard = np.array([bool(sample.hard) for sample in samples])
    chinese = np.array([sample.lang == "zh" for sample in samples])
    found: dict[str, Any] = {"requests": int((known & test).sum()), "large": int((known & test & hard).sum())}
    for name, one in advice.items():
        scores = one.scores.astype(np.float64)
        threshold = _figures.best_threshold(scores[known & ~test], hard[known & ~test])
        shown = {
            "tuned": _figures.two_tiers(hard[known & test], scores[known & test] >= threshold),
            "as_it_comes": _figures.two_tiers(hard[known & test], np.array(one.large)[known & test]),
            "chinese": _figures.two_tiers(
                hard[known & test & chinese], scores[known & test & chinese] >= threshold
            ),
            "threshold": round(threshold, 4),
        }
        if one.microseconds is not None:
            shown["microseconds"] = one.microseconds
        found[name] = shown
    return found


def _cost(
    samples: list[Sample],
    advice: dict[str, Advice],
    test: _figures.Flags,
    which: _figures.Flags,
    *,
    aim: float = _figures.AIM,
) -> dict[str, Any]:
    return _figures.against_large(
        advice, which & ~test, which & test, lambda flags: field_of(samples, flags), aim=aim
    )


def _cheaper(found: dict[str, Any]) -> bool:
    router, large = found["router"], found["always_large"]
    equal = router["success"] >= large["success"] - _figures.TOLERANCE
    return bool(equal and router["usd_per_request"] < large["usd_per_request"])


if __name__ == "__main__":
    app()
