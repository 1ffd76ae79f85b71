"""Others on the same rows: each in an environment of its own, but for the guide's list, which is a list."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks._overhead._environments import environment
from benchmarks._policy._figures import counted, f1
from benchmarks._policy._guide import FLAGGED
from benchmarks._policy._numbers import look_alikes, real_numbers
from benchmarks._policy._ours import ADVICE, INJECTION, PERSONAL, SECRET, Ours
from benchmarks._policy._rows import FILTERED, INJECTED, Row, guard, of_label, spread
from benchmarks._policy._speed import timed

_HERE = Path(__file__).parent
_MEASURING = 1_800
"""Seconds."""
_STRUCTURED = frozenset(
    {
        *(
            "CREDIT_CARD",
            "IBAN_CODE",
            "PHONE_NUMBER",
            "EMAIL_ADDRESS",
            "US_SSN",
            "IP_ADDRESS",
            "US_DRIVER_LICENSE",
        ),
        *(
            "US_ITIN",
            "US_PASSPORT",
            "US_BANK_NUMBER",
            "UK_NHS",
            "CREDIT_CARD_RE",
            "EMAIL_ADDRESS_RE",
            "US_SSN_RE",
        ),
        *("PHONE_NUMBER_ZH", "PHONE_NUMBER_WITH_EXT", "UUID"),
    }
)
"""Of the types that the others find, those with a form of their own: a name alone is no find here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Set:
    """Rows of both kinds for one check."""

    kinds: frozenset[str]
    rows: tuple[Row, ...]


def peers(ours: Ours, limit: int, seed: int) -> dict[str, Any]:
    """By peer and check its F1 on whole texts and its median microseconds, with ours on the same rows."""
    sets = _sets(limit, seed)
    personal = ("personal data, English", "personal data, Chinese")
    asked: dict[str, tuple[tuple[str, ...], Callable[[list[str]], dict[str, Any]]]] = {
        "guide's list": (tuple(sets), _guide),
        "presidio": (personal[:1], lambda texts: _child("presidio", texts)),
        "detect-secrets": (("secrets, gitleaks",), lambda texts: _child("detect_secrets", texts)),
        "llm-guard's regexes": ((*personal, "secrets, gitleaks"), lambda texts: _child("llm_guard", texts)),
    }
    told = {}
    for name, (checks, ask) in asked.items():
        try:
            told[name] = _told(ours, {check: sets[check] for check in checks}, ask)
        except (subprocess.SubprocessError, OSError) as error:
            told[name] = {"error": str(error)}
    return told


def _sets(limit: int, seed: int) -> dict[str, _Set]:
    talk = [row for source in FILTERED[:2] for row in spread(guard(source), limit)]
    found: dict[str, _Set] = {}
    made, alike = real_numbers(limit, seed), look_alikes(limit, seed)
    for lang, name, source in (
        ("en", "English", "pii-presidio-generated"),
        ("zh", "Chinese", "pii-zh-faker-dev"),
    ):
        with_values = spread([row for row in guard(source) if row.values], limit)
        rows = [*with_values, *(row for row in made if row.lang == lang)]
        rows += [row for row in alike if row.lang == lang]
        rows += talk if lang == "en" else of_label(guard(source), label=False)
        found[f"personal data, {name}"] = _Set(kinds=PERSONAL, rows=tuple(rows))
    gitleaks = spread(guard("sec-gitleaks"), limit * 2)
    found["secrets, gitleaks"] = _Set(kinds=SECRET, rows=(*gitleaks, *talk))
    attacks = [row for source in INJECTED for row in spread(guard(source), limit)]
    found["injection"] = _Set(kinds=INJECTION, rows=(*attacks, *spread(guard(FILTERED[2]), limit)))
    found["advice, investment"] = _Set(kinds=ADVICE, rows=guard("comp-spikee-investment"))
    return found


def _told(ours: Ours, sets: dict[str, _Set], ask: Callable[[list[str]], dict[str, Any]]) -> dict[str, Any]:
    answer = ask([row.text for each in sets.values() for row in each.rows])
    flags, costs = answer["flagged"], answer["micros"]
    checks: dict[str, Any] = {}
    first = 0
    for name, each in sets.items():
        labels = [bool(row.values) if each.kinds is PERSONAL else row.label for row in each.rows]
        own = _figures(labels, flags[first : first + len(labels)])
        us = _figures(labels, [ours.flags(row, each.kinds) for row in each.rows])
        us_costs = [timed(partial(ours.policy.explain, row.text, row.stage)) for row in each.rows]
        checks[name] = {
            "n": len(labels),
            **own,
            "micros": round(median(costs[first : first + len(labels)]), 1),
            "ours": {**us, "micros": round(median(us_costs), 1)},
        }
        first += len(labels)
    return {"version": answer["version"], "how": answer["how"], "checks": checks}


def _figures(labels: list[bool], flags: list[bool]) -> dict[str, float]:
    hits, missed, wrong = counted(labels, flags)
    harmless = len(labels) - hits - missed
    return {
        "f1": f1(hits, missed, wrong),
        "recall": round(hits / (hits + missed), 4) if hits + missed else 0.0,
        "false_positives": round(wrong / harmless, 4) if harmless else 0.0,
    }


def _guide(texts: list[str]) -> dict[str, Any]:
    flagged = [_holds_word(text) for text in texts]
    costs = [timed(partial(_holds_word, text)) for text in texts]
    return {"version": "2026", "how": "substrings of the lowered text", "flagged": flagged, "micros": costs}


def _holds_word(text: str) -> bool:
    return any(word in text.lower() for word in FLAGGED)


def _child(name: str, texts: list[str]) -> dict[str, Any]:
    python = environment(name, _HERE / f"{name}.txt")
    alone = _HERE / f"{name}-alone.txt"
    if alone.exists():
        _install_alone(python, alone)
    environ = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    done = subprocess.run(
        [str(python), "-W", "ignore", str(_HERE / f"_with_{name}.py")],
        input=json.dumps(texts),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environ,
        cwd=python.parent,
        text=True,
        timeout=_MEASURING,
        check=True,
    )
    told: dict[str, Any] = json.loads(done.stdout)
    found = [any(type in _STRUCTURED or type == "secret" for type in types) for types in told.pop("found")]
    return {**told, "flagged": found}


def _install_alone(python: Path, requirements: Path) -> None:
    """Installs packages without what they ask for: gigabytes that aren't measured."""
    uv = os.environ.get("UV") or shutil.which("uv") or str(Path(sys.executable).with_name("uv"))
    further = ("--requirements", str(requirements), "--no-deps", "--quiet")
    subprocess.run([uv, "pip", "install", "--python", str(python), *further], check=True, timeout=_MEASURING)
