"""How much of what is found in plain texts is still found in disguise."""

import random
from collections.abc import Iterator
from dataclasses import replace

from benchmarks._policy._disguises import DISGUISES
from benchmarks._policy._figures import Line, interval
from benchmarks._policy._numbers import real_numbers
from benchmarks._policy._ours import ADVICE, INJECTION, PERSONAL, SECRET, Ours
from benchmarks._policy._rows import INJECTED, Row, guard, legal, of_label, spread

MOST_LOST = 0.02
_LONGEST = 3_000
"""Characters; what is longer is left out, as nobody spells it out."""
_NOT_IN_CHINESE = ("leet", "tags")
"""Neither has anything for Chinese characters."""


def evasion(ours: Ours, limit: int, seed: int) -> Iterator[Line]:
    """For each check and disguise, the recall that is lost against plain text."""
    for name, rows, kinds in _checks(limit, seed):
        plain = [_hits(ours, row, row.text, kinds) for row in rows]
        of = sum(each for _, each in plain)
        before = sum(hits for hits, _ in plain)
        for disguise, dress in DISGUISES.items():
            if disguise in _NOT_IN_CHINESE and name.endswith("Chinese"):
                continue
            rng = random.Random(seed)
            after = sum(_hits(ours, row, dress(row.text, rng), kinds)[0] for row in rows)
            lost = (before - after) / of if of else 0.0
            yield Line(
                check=name,
                on=disguise,
                measure="lost",
                n=of,
                value=round(lost, 4),
                interval=interval(max(0, before - after), of),
                target=MOST_LOST,
            )


def _checks(limit: int, seed: int) -> Iterator[tuple[str, list[Row], frozenset[str] | None]]:
    english = [row for row in guard("pii-presidio-generated") if row.values]
    shown = [row for row in guard("pii-zh-faker-dev") if row.values]
    made = real_numbers(limit or 1_000, seed)
    yield (
        "personal data, English",
        [*spread(english, limit), *(row for row in made if row.lang == "en")],
        None,
    )
    yield "personal data, Chinese", [*spread(shown, limit), *(row for row in made if row.lang == "zh")], None
    secret = [
        row
        for source in ("sec-gitleaks", "sec-detect-secrets")
        for row in of_label(guard(source), label=True)
    ]
    yield "secrets", spread(_short(secret), limit), SECRET
    attacks = [row for source in INJECTED for row in of_label(guard(source), label=True)]
    yield "injection", spread(_short(attacks), limit), INJECTION
    asking = [*of_label(guard("comp-spikee-investment"), label=True)]
    asking += of_label(legal(), label=True, where=lambda row: row.text.isascii())
    yield "advice", spread(asking, limit), ADVICE
    patients = of_label(guard("comp-zhmed-dev"), label=True, where=lambda row: row.group == "question")
    yield "advice, Chinese", spread(_short(patients), limit), ADVICE


def _short(rows: list[Row]) -> list[Row]:
    return [row for row in rows if len(row.text) <= _LONGEST]


def _hits(ours: Ours, row: Row, text: str, kinds: frozenset[str] | None) -> tuple[int, int]:
    """Whether any of what stands in a text is found as one of its kinds: as one of one."""
    dressed = replace(row, text=text, values=())
    if kinds is not None:
        return int(ours.flags(dressed, kinds)), 1
    found = {each.kind for each in ours.findings(dressed, PERSONAL)}
    return int(any(not value.kinds.isdisjoint(found) for value in row.values)), 1
