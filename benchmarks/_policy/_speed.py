"""What the checks cost: a text of 1,000 characters, texts that grow, and strings made to hurt."""

import random
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from benchmarks._policy._figures import percentile
from benchmarks._policy._ours import FAMILIES, only
from benchmarks._policy._rows import bitext, guard
from proctor.core import PolicySettings
from proctor.policies import Policy, Reading

P50, P99 = 1_000.0, 5_000.0
"""Microseconds."""
SIZES = (1_000, 10_000, 100_000, 1_000_000)
GROWTH = 2.0
"""How much dearer a character of the longest text may be than one of the second shortest."""
SLOWEST = 50.0
"""Milliseconds that a hostile string of up to 2,000 characters may cost."""
_CHARACTERS = 1_000


def texts_of(count: int, size: int = _CHARACTERS) -> list[str]:
    """Texts of a size that are made of harmless ones."""
    sources = [
        guard("fp-banking77-train"),
        guard("fp-clinc150-train"),
        bitext(),
        guard("fp-cyberseceval-frr"),
    ]
    rng = random.Random(count)
    pool = [row.text for rows in sources for row in rows if row.lang == "en"]
    made = []
    for _ in range(count):
        text = ""
        while len(text) < size:
            text += rng.choice(pool) + " "
        made.append(text[:size])
    return made


def speed(count: int) -> dict[str, Any]:
    """Microseconds of processor time for 1,000 characters: of all checks at input, and of each alone."""
    texts = texts_of(count)
    whole = _costs(Policy(PolicySettings()), texts)
    return {
        "characters": _CHARACTERS,
        "n": len(texts),
        "p50": round(percentile(whole, 0.5), 1),
        "p99": round(percentile(whole, 0.99), 1),
        "limits": {"p50": P50, "p99": P99},
        "alone": {name: _told(_costs(only(kinds), texts)) for name, kinds in FAMILIES.items()},
    }


def _repeated(unit: str, size: int) -> str:
    return (unit * (size // len(unit) + 1))[:size]


def _told(costs: list[float]) -> dict[str, float]:
    return {"p50": round(percentile(costs, 0.5), 1), "p99": round(percentile(costs, 0.99), 1)}


def _costs(policy: Policy, texts: list[str]) -> list[float]:
    for text in texts[:20]:  # what is read and compiled at the first use
        policy.explain(text, "input")
    return [timed(partial(policy.explain, text, "input")) for text in texts]


def timed(work: Callable[[], object]) -> float:
    """Microseconds of this thread that something takes."""
    began = time.thread_time_ns()
    work()
    return (time.thread_time_ns() - began) / 1_000


def growth(largest: int) -> dict[str, Any]:
    """Nanoseconds a character for texts of growing size, harmless ones and single ones repeated.

    A text that holds something disguised is read again for each kind of disguise that it has, and harmless
    texts in thousands hold some: so the cost is that of a character each time that it is read.
    """
    policy = Policy(PolicySettings())
    sizes = [size for size in SIZES if size <= largest]
    harmless = texts_of(1, largest)[0]
    kinds: dict[str, Callable[[int], str]] = {"harmless": lambda size: harmless[:size]}
    for unit in ("a", "1 ", "@", "=:", "password ", "ignore ", "4111 ", "QUJD", "%41", "忽"):
        kinds[repr(unit)] = partial(_repeated, unit)
    rows = {
        name: {str(size): _per_character(policy, make(size)) for size in sizes}
        for name, make in kinds.items()
    }
    return {
        "nanoseconds_a_character_read": rows,
        "growth": {name: _growth(list(row.values())) for name, row in rows.items()},
    }


def _per_character(policy: Policy, text: str) -> float:
    read = sum(len(view.text) for view in Reading(text, "input").views)
    return round(timed(partial(policy.explain, text, "input")) / read * 1_000, 1)


def _growth(costs: list[float]) -> float:
    """What a character of longer texts costs at most, in times of what it costs in one of 10,000."""
    later = costs[1:]
    return round(max(later) / later[0], 2) if later and later[0] else 1.0


_HOSTILE = (
    *(
        "a",
        "1",
        " ",
        "\n",
        "=",
        ":",
        "@",
        ".",
        "-",
        "_",
        "/",
        "\\",
        "%",
        "&",
        "#",
        ";",
        '"',
        "'",
        "{",
        "[",
        "(",
    ),
    *(
        "password",
        "is ",
        "api_key",
        "secret",
        "token ",
        "ignore ",
        "previous ",
        "you should ",
        "buy ",
        "http://",
        "user:",
    ),
    *(
        "4111",
        "1111",
        "AKIA",
        "eyJ",
        "sk-",
        "-----BEGIN ",
        "PRIVATE KEY",
        "%41",
        "\\x41",
        "&#65;",
        "QUJD",
        "==",
    ),
    *("\u200b", "\u202e", "\U000e0041", "а", "忽略", "密码", "一二三", "１", "é", "\u0301", "\ufe01", "😀"),  # noqa: RUF001 - made to hurt
)


def fuzz(count: int, seed: int) -> dict[str, Any]:
    """Hostile strings by seed: none may break a check, and none may be slow."""
    rng = random.Random(seed)
    policy = Policy(PolicySettings())
    slowest, worst = 0.0, ""
    for _ in range(count):
        pieces = rng.choices(_HOSTILE, k=rng.randrange(1, 9))
        text = "".join(
            rng.choice(pieces) * rng.choice((1, 1, 2, 5, 40)) for _ in range(rng.randrange(1, 60))
        )[:2_000]
        cost = timed(partial(policy.explain, text, "input"))
        if cost > slowest:
            slowest, worst = cost, text
    return {
        "n": count,
        "seed": seed,
        "slowest_ms": round(slowest / 1_000, 2),
        "limit_ms": SLOWEST,
        "worst": worst[:200],
    }
