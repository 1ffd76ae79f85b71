"""The issue's table: of each check how much it finds, and how often it is wrong."""

from collections.abc import Iterable, Iterator

from benchmarks._policy._figures import Line, counted, f1_line, share
from benchmarks._policy._numbers import look_alikes, real_numbers
from benchmarks._policy._ours import ADVICE, DARK, INJECTION, PERSONAL, SECRET, Ours
from benchmarks._policy._rows import (
    FILTERED,
    INJECTED,
    Row,
    bitext,
    chinese,
    guard,
    legal,
    of_label,
    spread,
    tool_outputs,
)

SEED = 20261123


def personal(ours: Ours, limit: int, numbers: int) -> Iterator[Line]:
    """Structured personal data, English and Chinese, by type; customers' talk; numbers that look alike."""
    for lang, source in (("English", "pii-presidio-generated"), ("Chinese", "pii-zh-faker-dev")):
        rows = spread([row for row in guard(source) if row.values], limit)
        yield from _values(ours, f"{lang}, {source}", rows, target=0.95, tuned=True)
    made = real_numbers(numbers, SEED)
    for lang, name in (("en", "English"), ("zh", "Chinese")):
        of = [row for row in made if row.lang == lang]
        yield from _values(ours, f"{name}, made numbers", of, target=0.95, tuned=False)
    for source in FILTERED[:2]:
        yield _wrong(
            ours, "personal data", source, spread(guard(source), limit), PERSONAL, target=0.01, tuned=True
        )
    alike = look_alikes(numbers, SEED)
    yield _wrong(ours, "personal data", "look-alike numbers", alike, PERSONAL, target=0.05)
    for lang, name in (("en", "English"), ("zh", "Chinese")):
        of = [row for row in alike if row.lang == lang]
        yield _wrong(ours, "personal data", f"look-alike numbers, {name}", of, PERSONAL)
    for group in sorted({row.group for row in alike}):
        of = [row for row in alike if row.group == group]
        yield _wrong(ours, "personal data", f"look-alike numbers, {group}", of, PERSONAL)
    orders = of_label(guard("pii-zh-faker-dev"), label=False)
    yield _wrong(
        ours, "personal data", "order numbers of pii-zh-faker-dev", orders, PERSONAL, target=0.05, tuned=True
    )


def _values(ours: Ours, name: str, rows: list[Row], *, target: float, tuned: bool) -> Iterator[Line]:
    values = [(row, value) for row in rows for value in row.values]
    hits = sum(ours.covers(row, value) for row, value in values)
    yield share("personal data", name, "recall", hits, len(values), target=target, tuned=tuned)
    for type in sorted({value.type for _, value in values}):
        of = [(row, value) for row, value in values if value.type == type]
        hits = sum(ours.covers(row, value) for row, value in of)
        yield share("personal data", f"{name}: {type}", "recall", hits, len(of), tuned=tuned)


def secrets(ours: Ours, limit: int) -> Iterator[Line]:
    """Keys, tokens and passwords; and texts that hold none."""
    sources = ("sec-detect-secrets", "sec-gitleaks")
    for source in sources:
        yield from _found(ours, "secrets", source, spread(guard(source), limit), SECRET)
    rows = [row for source in sources for row in spread(guard(source), limit)]
    hits, missed, wrong = counted([row.label for row in rows], [ours.flags(row, SECRET) for row in rows])
    yield share("secrets", "both", "recall", hits, hits + missed, target=0.75, tuned=True)
    yield f1_line("secrets", "both", (hits, missed, wrong), target=0.85, tuned=True)
    benign = [row for source in FILTERED for row in spread(guard(source), limit)]
    benign += [*spread(bitext(), limit), *spread(guard("comp-medquad"), limit), *spread(chinese(), limit)]
    yield _wrong(ours, "secrets", "benign", benign, SECRET, target=0.002, tuned=True)


def injection(ours: Ours, limit: int) -> Iterator[Line]:
    """Attacks in what users send and tools answer; harmless texts of all kinds."""
    found = of = 0
    for source in INJECTED:
        rows = spread(of_label(guard(source), label=True), limit)
        hits = ours.flagged(rows, INJECTION)
        found, of = found + hits, of + len(rows)
        yield share("injection", source, "recall", hits, len(rows), tuned=True)
    yield share("injection", "all", "recall", found, of, target=0.70, tuned=True)
    benign = {
        source: spread(of_label(guard(source), label=False), limit) for source in (*INJECTED, *FILTERED)
    }
    benign |= {"bitext": spread(bitext(), limit), "comp-medquad": spread(guard("comp-medquad"), limit)}
    benign |= {"comp-spikee-investment": list(guard("comp-spikee-investment"))}
    benign |= {"Chinese": spread(chinese(), limit), "clean tool outputs": spread(tool_outputs(), limit)}
    targets = {"fp-cyberseceval-frr": 0.08, "Chinese": 0.02, "clean tool outputs": 0.03}
    for name, rows in benign.items():
        if rows:
            yield _wrong(ours, "injection", name, rows, INJECTION, target=targets.get(name), tuned=True)
    yield _wrong(ours, "injection", "all benign", _once(benign.values()), INJECTION, target=0.04, tuned=True)


def advice(ours: Ours, limit: int) -> Iterator[Line]:
    """Who asks for advice on their own case, or gives it; customers' talk and finance education."""
    investment = guard("comp-spikee-investment")
    asked = {
        "investment": of_label(investment, label=True),
        "medical": of_label(guard("comp-zhmed-dev"), label=True, where=lambda row: row.group == "question"),
        "medical, doctors' answers": of_label(
            guard("comp-zhmed-dev"), label=True, where=lambda row: row.group == "answer"
        ),
    }
    for name, rows in asked.items():
        kind = f"{name.split(',')[0]}_advice"
        some = spread(rows, limit)
        yield share("advice", name, "recall", _advised(ours, some, kind), len(some), target=0.80, tuned=True)
    for domain in ("investment", "medical", "legal"):
        rows = [row for row in legal() if row.group == domain]
        hits = _advised(ours, rows, f"{domain}_advice")
        yield share("advice", f"{domain}, own texts held back", "recall", hits, len(rows), target=0.80)
    yield _wrong(ours, "advice", "own texts held back", of_label(legal(), label=False), ADVICE)
    answers = of_label(guard("comp-medquad"), label=True, where=lambda row: row.group == "answer")
    yield share(
        "advice",
        "medical content, comp-medquad",
        "recall",
        ours.flagged(answers, ADVICE),
        len(answers),
        tuned=True,
    )
    talk = {source: list(spread(guard(source), limit)) for source in FILTERED[:2]} | {
        "bitext": spread(bitext(), limit)
    }
    for name, rows in talk.items():
        yield _wrong(ours, "advice", name, rows, ADVICE, tuned=True)
    yield _wrong(ours, "advice", "customer talk", _once(talk.values()), ADVICE, target=0.03, tuned=True)
    education = of_label(investment, label=False)
    yield _wrong(ours, "advice", "finance education", education, ADVICE, target=0.15, tuned=True)


def _advised(ours: Ours, rows: list[Row], kind: str) -> int:
    return sum(any(each.kind == kind for each in ours.findings(row, ADVICE)) for row in rows)


def dark_patterns(ours: Ours, limit: int) -> Iterator[Line]:
    """Texts of shops."""
    yield from _found(
        ours,
        "dark patterns",
        "comp-darkpattern-dev",
        spread(guard("comp-darkpattern-dev"), limit),
        DARK,
        f1=0.94,
    )


def _found(
    ours: Ours, check: str, name: str, rows: list[Row], kinds: frozenset[str], *, f1: float | None = None
) -> Iterator[Line]:
    hits, missed, wrong = counted([row.label for row in rows], [ours.flags(row, kinds) for row in rows])
    yield share(check, name, "recall", hits, hits + missed, tuned=True)
    yield share(check, name, "false_positives", wrong, len(rows) - hits - missed, tuned=True)
    yield f1_line(check, name, (hits, missed, wrong), target=f1, tuned=True)


def _wrong(
    ours: Ours,
    check: str,
    name: str,
    rows: list[Row],
    kinds: frozenset[str],
    *,
    target: float | None = None,
    tuned: bool = False,
) -> Line:
    hits = ours.flagged(rows, kinds)
    return share(check, name, "false_positives", hits, len(rows), target=target, tuned=tuned)


def _once(groups: Iterable[list[Row]]) -> list[Row]:
    return list({(row.text, row.stage): row for rows in groups for row in rows}.values())
