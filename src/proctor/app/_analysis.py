"""What failed and was refused in a period: the log's entries as patterns, each with what may be behind it."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from sqlalchemy import Connection

from proctor.app._patterns import Dimension, Occurrence, Pattern, PatternKind, masked, patterns
from proctor.core import Event, Measure, ModelError
from proctor.runs import Trouble, measures, troubles
from proctor.store import Database

MOST = 50_000
"""Entries of the log that are read."""

_PASSED = ("allow", "redact")
"""Verdicts that refuse nothing."""

_HELD_BACK = "the answer was held back in its review"

_PLAIN = {
    "model.retried": ("error", "the call was made again"),
    "model.fell_back": ("error", "another deployment was asked"),
    "budget.refused": ("budget", "the call didn't fit into the budget"),
    "loop.detected": ("kind", "the same came again and again"),
}
"""What entries without a text of their own are told apart by, and what they say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Analysis:
    """What failed and was refused in a period."""

    since: datetime
    until: datetime
    runs: int
    """Runs that ended."""
    failed: int
    refused: int
    read: int
    """Entries of the log that tell of failures and refusals."""
    is_cut: bool
    """Whether there are more entries: then the oldest were left out."""
    patterns: tuple[Pattern, ...]
    """The most frequent first."""


async def analyze(
    database: Database,
    *,
    since: datetime,
    until: datetime,
    team: str = "",
    tenant: str = "",
    most: int,
) -> Analysis:
    """The patterns of what failed and was refused from `since` to before `until`.

    Of one team or tenant, if named; out of the newest entries, where there are more than `most`.
    """

    def read(connection: Connection) -> Analysis:
        measured = measures(connection, since, until, tenant=tenant or None)
        found = troubles(connection, since, until, team=team, tenant=tenant, limit=most + 1)
        return _analysis(since, until, [one for one in measured if team in ("", one.team)], found, most)

    return await database.read_long(read)  # counting too is nothing for the event loop


def _analysis(
    since: datetime, until: datetime, measured: Sequence[Measure], found: Sequence[Trouble], most: int
) -> Analysis:
    taken = found[-most:]
    ended = [one for one in measured if one.kind == "run"]
    return Analysis(
        since=since,
        until=until,
        runs=sum(one.count for one in ended),
        failed=sum(one.errors for one in ended),
        refused=sum(one.refused for one in ended),
        read=len(taken),
        is_cut=len(found) > most,
        patterns=patterns(tuple(_occurrences(taken)), partial(_usual, measured, {})),
    )


def _occurrences(found: Sequence[Trouble]) -> Iterator[Occurrence]:
    """What the entries tell of. How a run ends tells less than what came before, so that is kept in mind."""
    agents: dict[str, str] = {}
    models: dict[tuple[str, str], str] = {}
    denied: dict[str, str] = {}
    for trouble in found:
        event, run_id = trouble.event, trouble.event.run_id
        if event.type in ("agent.failed", "loop.detected", "model.retried", "model.fell_back"):
            agents[run_id] = event.agent
        if event.type in ("model.retried", "model.fell_back"):
            models[run_id, event.agent] = str(event.data.get("deployment") or event.data.get("from"))
        if event.type == "policy.verdict" and event.data["stage"] in ("input", "output"):
            denied[run_id] = _listed(event) if event.data["outcome"] == "deny" else ""
        said = _said(event, denied.get(run_id, ""))
        if said is None:
            continue
        kind, code, message = said
        agent, model = event.agent, ""
        if kind in ("run.failed", "run.rescheduled"):
            agent = agents.get(run_id, "")
        if kind in ("model.retried", "model.fell_back") or code.startswith(ModelError.code):
            model = models.get((run_id, agent), "")
        by: dict[Dimension, str] = {
            "agent": f"{trouble.team}/{agent}" if agent else "",
            "tool": _tool(event),
            "model": model,
            "release": trouble.release,
        }
        yield Occurrence(kind=kind, code=code, message=message, run_id=run_id, at=event.at, by=by)


def _said(event: Event, denied: str) -> tuple[PatternKind, str, str] | None:
    """Kind, code and message of an entry; nothing of one that refuses nothing.

    What people, models and tools have written isn't taken over: of a tool's error only the fact is known.
    """
    data = event.data
    match event.type:
        case "run.failed" | "run.rescheduled" | "agent.failed":
            return event.type, str(data["code"]), masked(str(data.get("message", "")))
        case "tool.refused":
            return event.type, str(data["rule"]), masked(str(data["reason"]))
        case "run.refused":
            told = f"who asked is told: {masked(str(data['reason']))}"
            return event.type, denied or "review", told if denied else _HELD_BACK
        case "model.retried" | "model.fell_back" | "budget.refused" | "loop.detected":
            names, message = _PLAIN[event.type]
            return event.type, str(data[names]), message
        case _:
            return _judged(event)


def _judged(event: Event) -> tuple[PatternKind, str, str] | None:
    """The same of entries that may tell of success as well."""
    data = event.data
    if event.type == "policy.verdict" and data["outcome"] not in _PASSED:
        return "policy.verdict", _listed(event), _verdict(event)
    if event.type == "tool.called" and data["error"] and not data["refused_by"]:
        return "tool.failed", _tool(event), "the tool gave back an error"
    return None


def _verdict(event: Event) -> str:
    stage = str(event.data["stage"]).replace("_", " ")
    if event.data["outcome"] == "deny":
        return f"the {stage} was refused"
    return f"the {stage} " + ("counts as suspect" if stage == "tool result" else "is for a person to look at")


def _tool(event: Event) -> str:
    data = event.data
    return f"{data['server']}.{data['tool']}" if "server" in data else str(data.get("tool", ""))


def _listed(event: Event) -> str:
    rules = event.data.get("rules")
    return ", ".join(str(rule) for rule in rules) if isinstance(rules, Sequence) else ""


def _usual(
    measured: Sequence[Measure],
    known: dict[tuple[Dimension, str], Counter[str]],
    dimension: Dimension,
    about: Occurrence,
) -> Counter[str]:
    """How many calls of the period had each value; where the pattern is about one tool, of that one's calls.

    That it is about a tool is compared with all calls of tools.
    """
    tool = about.code if about.kind == "tool.failed" and dimension != "tool" else ""
    if (dimension, tool) not in known:
        counts: defaultdict[str, int] = defaultdict(int)
        for one in measured:
            if one.kind != "run" and tool in ("", one.name) and (value := _value(one, dimension)) is not None:
                counts[value] += one.count
        known[dimension, tool] = Counter(counts)
    return known[dimension, tool]


def _value(measure: Measure, dimension: Dimension) -> str | None:
    """What a call has there; nothing where it can't have anything."""
    match dimension:
        case "agent":
            return f"{measure.team}/{measure.agent}"
        case "release":
            return measure.release
        case _:
            return measure.name if measure.kind == dimension and measure.name else None
