"""From what happened in runs to the rows of the table, and to what doesn't hold."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from statistics import median
from typing import Any

from benchmarks._faults._cases import BRANCHES, OUTCOMES, SIBLINGS, Case
from benchmarks._faults._runs import Told
from benchmarks._faults._traces import ANSWERS, EFFECTS, STRIKES, Traces, of_case
from proctor import Event

PROGRESS = frozenset(
    {
        "message",
        "model.called",
        "tool.called",
        "agent.replaced",
        "approval.requested",
        "run.completed",
    }
)
_TELLING = {
    "run.failed": OUTCOMES["by_hand"],
    "approval.decided": OUTCOMES["person"],
    "agent.replaced": OUTCOMES["stand_in"],
}
"""Events of a completed run that tell what it came to, the most telling first."""
_BESIDE = frozenset({*SIBLINGS, "intake", "user"})
"""Agents whose progress isn't the faulty branch's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Raw:
    """The same team with the same fault without Proctor."""

    runs: int
    lasts: str
    """How long the fault is there."""
    completed_share: float
    hung_share: float
    """Nothing happened any more, and no end came."""
    completed_without_its_answer: int
    """Of the completed runs: those whose faulty branch said nothing, and nobody was told."""
    siblings_kept: str
    """Results of sibling branches that whoever started the run has in hand, of all."""
    completed_on_second_try: float | None
    """Share of all runs that completed at once, or started over when the fault was over, where it ends."""
    calls_repeated: int
    """Answers that were paid for twice because runs were started over."""
    effects_doubled: int
    errors: tuple[str, ...]
    """What whoever started the runs was told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One fault, met by one mechanism."""

    fault: str
    level: int
    mechanism: str
    lasts: str
    runs: int
    outcome: str
    """What most runs came to."""
    outcomes: dict[str, int]
    seconds_to_recover: float | None
    """Median, from the fault's beginning to the first progress behind it; nothing where a person resumed."""
    seconds_to_park: float | None
    """Median, from the fault's beginning to the run's being parked."""
    parked_as: tuple[str, ...]
    """The errors that runs were parked with."""
    completed_share: float
    """Without anybody resuming the run by hand."""
    resumed_share: float
    """Of the parked runs: those that completed once they were resumed."""
    siblings_kept: str
    """Results of sibling branches that stand in the log once, whose calls were answered once, of all."""
    calls_repeated: int
    """Model answers that were given a second time."""
    effects_doubled: int
    hung: int
    more: dict[str, Any] = field(default_factory=dict)
    raw: Raw | None = None
    complaints: tuple[str, ...] = ()
    """What doesn't hold of it."""


def row_of(
    case: Case,
    told: Sequence[Told],
    traces: Traces,
    *,
    began: float | None = None,
    **more: Any,
) -> Row:
    """The row of a case. `began` is when the fault came, where its traces don't tell."""
    # Who goes round in circles calls and calls.
    progress = PROGRESS - {"model.called", "tool.called"} if case.fault == "agent_loops" else PROGRESS
    begins = {one.key: began or _first_strike(one.key, case, traces) for one in told}
    outcomes = Counter(outcome_of(one) for one in told)
    parked = [one for one in told if _seen(one, "run.failed")]
    completed = [one for one in told if one.run.state == "completed"]
    kept, doubled = _siblings_kept(case, told, traces), effects_doubled(case, traces)
    by_itself = [one for one in told if one not in parked]
    recovered = [
        seconds
        for one in by_itself
        if (seconds := _until(_behind(case, one), progress, begins[one.key])) is not None
    ]
    parking = [
        seconds
        for one in parked
        if (seconds := _until(one.events, {"run.failed"}, begins[one.key])) is not None
    ]
    row = Row(
        fault=case.fault,
        level=case.level,
        mechanism=case.mechanism,
        lasts=case.lasts,
        runs=len(told),
        outcome=outcomes.most_common(1)[0][0],
        outcomes=dict(outcomes),
        seconds_to_recover=_median(recovered),
        seconds_to_park=_median(parking),
        parked_as=tuple(sorted({_code(one) for one in parked})),
        completed_share=_share(sum(one.run.state == "completed" for one in by_itself), len(told)),
        resumed_share=_share(sum(one in completed for one in parked), len(parked)),
        siblings_kept=f"{kept}/{len(told) * len(SIBLINGS)}",
        calls_repeated=calls_repeated(case, traces),
        effects_doubled=doubled,
        hung=sum(one.run.state in ("queued", "running", "waiting") for one in told),
        more=more,
    )
    return _judged(row, case, kept)


def _judged(row: Row, case: Case, kept: int) -> Row:
    wrong = []
    # A server that ends once meets the calls that are under way; who calls later finds it started again.
    missed = {OUTCOMES["absorb"]} if case.shared else set[str]()
    if case.outcome not in row.outcomes or set(row.outcomes) - missed - {case.outcome}:
        wrong.append(f"should be {case.outcome}: {row.outcomes}")
    if row.effects_doubled:
        wrong.append(f"{row.effects_doubled} effects doubled")
    if kept < row.runs * len(SIBLINGS):
        wrong.append(f"siblings kept: {row.siblings_kept}")
    if row.hung:
        wrong.append(f"{row.hung} hung")
    if case.mechanism == "by_hand":
        if row.parked_as != (case.code,):
            wrong.append(f"should be parked as {case.code}: {', '.join(row.parked_as)}")
        if row.resumed_share < 1:
            wrong.append(f"resumed: {row.resumed_share}")
    elif row.completed_share < 1:
        wrong.append(f"completed: {row.completed_share}")
    return replace(row, complaints=tuple(f"{case.name}: {one}" for one in wrong))


def outcome_of(told: Told) -> str:
    """What a run came to, by its log."""
    if told.run.state != "completed":
        return f"{told.run.state} {told.run.error_code or ''}".strip()
    for type, outcome in _TELLING.items():
        if _seen(told, type):
            return outcome
    if any(
        event.type == "message" and "could not answer" in str(event.data["text"]) for event in told.events
    ):
        return OUTCOMES["refusal"]
    return _passed(told)


def _passed(told: Told) -> str:
    """How a run came over a fault without losing an agent."""
    if _seen(told, "model.fell_back"):
        return OUTCOMES["fallback"]
    if _seen(told, "run.rescheduled"):
        return OUTCOMES["reschedule"]
    if _seen(told, "run.resumed"):
        return OUTCOMES["hand_over"]
    return OUTCOMES["retry"] if _seen(told, "model.retried") else OUTCOMES["absorb"]


def calls_repeated(case: Case, traces: Traces) -> int:
    """Answers that were given for a second time to the same question of the same run."""
    return sum(count - 1 for count in _answers(case, traces).values())


def effects_doubled(case: Case, traces: Traces) -> int:
    """Effects that a run has had twice."""
    effects = Counter((effect["key"], effect["by"]) for effect in of_case(traces.read(EFFECTS), case.name))
    return sum(count - 1 for count in effects.values())


def _answers(case: Case, traces: Traces) -> Counter[tuple[str, str, str]]:
    lines = of_case(traces.read(ANSWERS), case.name)
    return Counter((line["key"], line["agent"], line["digest"]) for line in lines)


def _siblings_kept(case: Case, told: Sequence[Told], traces: Traces) -> int:
    answers = _answers(case, traces)
    again = {(key, agent) for (key, agent, _), count in answers.items() if count > 1}
    booked = Counter(
        line["key"] for line in of_case(traces.read(EFFECTS), case.name) if line["by"] == "clerk"
    )
    kept = 0
    for one in told:
        for agent in SIBLINGS:
            said = sum(
                event.type == "message" and event.agent == agent and event.data["text"] == _result(agent)
                for event in one.events
            )
            once = (one.key, agent) not in again and (agent != "clerk" or booked[one.key] == 1)
            kept += said == 1 and once
    return kept


def _result(agent: str) -> str:
    return f"{agent} has settled it."


def _first_strike(key: str, case: Case, traces: Traces) -> float | None:
    lines = of_case(traces.read(STRIKES), case.name)
    own = [float(line["at"]) for line in lines if line["key"] == key]
    everyones = [float(line["at"]) for line in lines if line["of"] == case.name]
    return min(own or everyones, default=None)


def _behind(case: Case, told: Told) -> Sequence[Event]:
    """The events of those who took a run over, where the fault met whoever executed it; else all."""
    if case.family in BRANCHES:
        return told.events
    taken = next((event.seq for event in told.events if event.type == "run.resumed"), 0)
    return [event for event in told.events if event.seq > taken]


def _until(events: Sequence[Event], types: Collection[str], began: float | None) -> float | None:
    """Seconds from the fault's beginning to the first such event behind it."""
    if began is None:
        return None
    first = next((event for event in events if _counts(event, types, began)), None)
    return None if first is None else first.at.timestamp() - began


def _counts(event: Event, types: Collection[str], since: float) -> bool:
    return event.type in types and event.agent not in _BESIDE and event.at.timestamp() > since


def _seen(told: Told, type: str) -> bool:
    return any(event.type == type for event in told.events)


def _code(told: Told) -> str:
    return str(next(event.data["code"] for event in told.events if event.type == "run.failed"))


def _median(values: Sequence[float]) -> float | None:
    return round(median(values), 3) if values else None


def _share(part: int, whole: int) -> float:
    return round(part / whole, 3) if whole else 0.0


def by_case(told: Sequence[Told]) -> Mapping[str, list[Told]]:
    """The runs of each case."""
    found: dict[str, list[Told]] = {}
    for one in told:
        found.setdefault(one.key.rpartition("/")[0], []).append(one)
    return found
