"""A run's events as lines: when, who, what, and what it took."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from rich.console import Console
from rich.table import Table
from rich.text import Text

from proctor.cli._output import duration, harmless, instant, offset, one_line, put
from proctor.core import Event, EventType, JsonObject, JsonValue, canonical_json, format_usd
from proctor.runs import RecordedCall
from proctor.tools import visible

Mood = Literal["plain", "spoken", "good", "bad", "asks"]

STYLES: dict[Mood, str] = {"plain": "", "spoken": "cyan", "good": "green", "bad": "red", "asks": "yellow"}
WHO_WIDTH = 14
WHAT_WIDTH = 10
FIGURE_WIDTHS = (12, 9, 8)
LONGEST = 400
"""Characters of a message that are shown."""
_MARKED = frozenset({"untrusted", "private", "secret"})
"""What of a label is shown."""
DETAIL = 160
"""Characters of a tool call that are shown."""

RESULTS = frozenset({"model.called", "tool.called", "human.answered"})
"""Events that are recorded together with a call's outcome, in the same order."""
UNSAID = frozenset({"human.answered", "run.waiting"})
"""Events that say what another one says: the decision, and the question."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of a timeline."""

    at: datetime
    who: str
    what: str
    text: str = ""
    detail: str = ""
    mood: Mood = "plain"
    tokens: str = ""
    cost: str = ""
    took: str = ""


class Timeline:
    """Turns events into lines, in the order of the log."""

    def __init__(self) -> None:
        self._refused: set[tuple[str, JsonValue]] = set()

    def line(self, event: Event, call: RecordedCall | None = None) -> Line | None:
        """The line of an event, or nothing where another line says it already."""
        match event.type:
            case "message":
                return _message_line(event)
            case "model.called":
                return _model_line(event)
            case "tool.called":
                return None if self._was_refused(event) else _tool_line(event, call)
            case "tool.refused":
                self._refused.add((event.agent, event.data["tool"]))
        return None if event.type in UNSAID else _plain_line(event)

    def _was_refused(self, event: Event) -> bool:
        """Whether the line of a refusal stands there already."""
        refused = (event.agent, event.data["tool"])
        known = bool(event.data["refused_by"]) and refused in self._refused
        self._refused.discard(refused)
        return known


def lines(events: Sequence[Event], calls: Sequence[RecordedCall]) -> Iterator[Line]:
    """A whole run's lines, with what was asked of tools and what they answered."""
    timeline = Timeline()
    finished = iter(call for call in calls if call.position is not None)
    for event in events:
        line = timeline.line(event, next(finished, None) if event.type in RESULTS else None)
        if line is not None:
            yield line


def print_lines(shown: Iterable[Line], to: Console, *, since: datetime) -> None:
    """Prints lines with their time from an instant."""
    for line in shown:
        figures = (line.tokens, line.cost, line.took) if line.took else ()
        put(_row(line, offset((line.at - since).total_seconds()), line.text, figures), to)
        if line.detail:
            put(_row(replace(line, who="", what=""), "", line.detail), to)


def _row(line: Line, when: str, text: str, figures: Sequence[str] = ()) -> Table:
    style = STYLES[line.mood]
    row = Table.grid(padding=(0, 2, 0, 0), expand=True)
    row.add_column(width=7, justify="right", style="dim", no_wrap=True)
    row.add_column(width=WHO_WIDTH, style="bold", no_wrap=True, overflow="ellipsis")
    row.add_column(width=WHAT_WIDTH, style=style, no_wrap=True)
    row.add_column(
        ratio=1,
        style=style if line.mood in ("bad", "asks") else "",
        no_wrap=bool(figures),
        overflow="ellipsis" if figures else "fold",
    )
    for width in FIGURE_WIDTHS[: len(figures)]:
        row.add_column(width=width, justify="right", style="dim", no_wrap=True)
    row.add_row(when, harmless(line.who), line.what, Text(harmless(text)), *figures)
    return row


def asked(action: JsonObject) -> str:
    """What a person is asked to decide on, on one line."""
    if isinstance(asks := action.get("asks"), Mapping):
        return one_line(f"{_tool(action)} asks: {asks.get('message')}")
    if "tool" in action:
        return one_line(f"{_tool(action)} {_arguments(action)}")
    if "budget" in action:
        return one_line(f"add {_arguments(action)} to the budget {_account(action)}")
    conversation = action.get("conversation")
    if isinstance(conversation, Sequence) and conversation and isinstance(last := conversation[-1], Mapping):
        return one_line(f"{last.get('from')}: {last.get('text')}")
    if "found" in action and (answer := answer_of(action)) is not None:
        found = listed(action["found"]).replace("_", " ")
        return one_line(f"answer{f' ({found})' if found else ''}: {visible(answer)}")
    return one_line(canonical_json(action))


def answer_of(action: JsonObject) -> str | None:
    """The answer that a team wants to give; nothing where something else is decided on."""
    arguments = action.get("arguments")
    answer = arguments.get("answer") if isinstance(arguments, Mapping) and "tool" not in action else None
    return answer if isinstance(answer, str) else None


def _message_line(event: Event) -> Line:
    text = str(event.data["text"]).strip()
    return Line(
        at=event.at,
        who=event.agent,
        what="hands off" if event.data["kind"] == "HandoffMessage" else "says",
        text=text if len(text) <= LONGEST else f"{text[:LONGEST]}…",
        mood="spoken",
    )


def _model_line(event: Event) -> Line:
    data = event.data
    text = str(data["deployment"])
    if data["model"] not in ("", data["deployment"]):
        text += f" ({data['model']})"
    if data.get("cached"):
        text += ", cached"
    if data.get("way") == "batch":
        text += ", by batch"
    if int(str(data["attempts"])) > 1:
        text += f", {data['attempts']} attempts"
    return Line(
        at=event.at,
        who=event.agent,
        what="model",
        text=one_line(text),
        tokens=f"{data['input']}→{data['output']} tok",
        cost=_cost(data),
        took=_took(data),
    )


def _tool_line(event: Event, call: RecordedCall | None) -> Line:
    data = event.data
    text, what, detail = _tool(data), "tool", ""
    mood: Mood = "plain"
    if data["refused_by"]:
        what, mood = "refused", "bad"
        text += f" by {data['refused_by']}"
    elif data["error"]:
        mood = "bad"
        text += " failed"
    text += _mark(data)
    if call is not None and call.outcome is not None:
        detail = f"{_arguments(call.request)} → {call.outcome['text']}"
    return Line(
        at=event.at,
        who=event.agent,
        what=what,
        text=text,
        detail=one_line(detail, DETAIL),
        mood=mood,
        cost=_cost(data),
        took=_took(data),
    )


def _mark(data: JsonObject) -> str:
    """What a tool's answer is, where it isn't anybody's own word or may not go anywhere."""
    label = data.get("label")
    if not isinstance(label, Mapping):
        return ""
    worst = [str(label[name]) for name in ("integrity", "confidentiality") if label[name] in _MARKED]
    return f" [{', '.join(worst)}]" if worst else ""


def _plain_line(event: Event) -> Line:
    mood, what, say = SAYINGS.get(event.type, ("plain", event.type, canonical_json))
    text = one_line(say(event.data))
    if event.type == "run.started":
        text += f", {event.run_id}"
    return Line(at=event.at, who=event.agent or "run", what=what, text=text, mood=mood)


def _nothing(_: JsonObject) -> str:
    return ""


def _rests(data: JsonObject) -> str:
    what = str(data.get("message") or f"its worker {data.get('worker', '')} was lost").partition("\n")[0]
    return f"{what}; taken up again in {data['in_s']} s"


def _asks(data: JsonObject) -> str:
    action = data["action"]
    return f"{asked(action) if isinstance(action, Mapping) else ''} ({data['id']})"


def _decided(data: JsonObject) -> str:
    by = f"{data['by']} " if data["by"] else ""
    comment = f": {data['comment']}" if data["comment"] else ""
    return f"{by}{_past(str(data['decision']))}{comment}"


def _judged(data: JsonObject) -> str:
    return f"{'agrees' if data['agrees'] else 'disagrees'}: {data['reason']}"


def _reviewed(data: JsonObject) -> str:
    by, found = data["by"], listed(data.get("found"))
    whose = f" by {by}" if by else ""
    return f"the answer is {_past(str(data['decision']))}{whose}{f'; found: {found}' if found else ''}"


_PLACES = {
    "input": "the task",
    "tool_result": "a tool's answer",
    "knowledge": "a document",
    "output": "the answer",
    "memory": "a memory",
}
_OUTCOMES = {
    "allow": "may be kept",
    "redact": "something was taken out",
    "escalate": "is for a person to look at",
    "deny": "is refused",
}


def _verdict(data: JsonObject) -> str:
    stage, outcome, tool = (str(data.get(name, "")) for name in ("stage", "outcome", "tool"))
    place = f"the answer of {tool}" if tool else _PLACES.get(stage, stage)
    said = {**_OUTCOMES, "escalate": "counts as suspect"} if stage == "tool_result" else _OUTCOMES
    rules = listed(data.get("rules"))
    return f"{place}: {said.get(outcome, outcome)}" + (f" ({rules})" if rules else "")


def _over_budget(data: JsonObject) -> str:
    spent, limit = _usd(data["spent_micros"]), _usd(data["limit_micros"])
    return f"{_account(data)}: {spent} of {limit} is spent: the call is refused"


def _account(data: JsonObject) -> str:
    """A budget by its name, and for whom and when it is where that says something."""
    subject, period = data.get("subject"), data.get("period")
    whose = f" of {subject}" if subject else ""
    return f"{data['budget']}{whose}{f' for {period}' if period and period != subject else ''}"


def _routed(data: JsonObject) -> str:
    if "shadow" in data:
        return f"auto would have asked {data['shadow']} in the place of {data['asked']}"
    return f"to {data['to']} ({data['tier']}): {data['why']}"


def _batched(data: JsonObject) -> str:
    if data["state"] == "waiting":
        until = instant(datetime.fromisoformat(str(data["until"])))
        return f"{data['deployment']}: waits for a batch, until {until} at most"
    return f"{data['deployment']}: asked at once: {data.get('reason') or 'no batch took it'}"


def _share(data: JsonObject) -> str:
    return f"{_account(data)}: {float(str(data['share'])):.0%} is spent"


def _wasted(data: JsonObject) -> str:
    return f"{data.get('deployment') or data.get('tool')}: {data['outcome']}, for {_usd(data['cost'])}"


def _progress(data: JsonObject) -> str:
    done, total, said = (data.get(name) for name in ("progress", "total", "message"))
    parts = [f"{done}{f' of {total}' if total else ''}" if done is not None else "", str(said or "")]
    return _about(data, "; ".join(filter(None, parts)))


def _logged(data: JsonObject) -> str:
    level = data.get("level")
    return _about(data, f"{level}: {data.get('text', '')}" if level else str(data.get("text", "")))


def _cleaned(data: JsonObject) -> str:
    counts = ((data.get("hidden"), "hidden character"), (data.get("secrets"), "secret"))
    out = ", ".join(f"{number} {what}{'s' * (number != 1)}" for number, what in counts if number)
    return _about(data, f"taken out of its answer: {out}")


def _raised(data: JsonObject) -> str:
    sources = listed(data.get("sources"))
    return f"reads what others may have written{f': {sources}' if sources else ''}"


_CHANGES = {
    "changed": "isn't what was accepted, and is blocked",
    "unpinned": "was never accepted, and is blocked",
    "gone": "isn't offered any more",
}


def _accessed(data: JsonObject) -> str:
    seen, masked = listed(data.get("classes")), listed(data.get("masked"))
    said = [f"{seen} data" if seen else "", f"{masked} data masked" if masked else ""]
    return _about(data, ", ".join(filter(None, said)))


def _about(data: JsonObject, said: str) -> str:
    """Of which tool, or else which server, and what of it."""
    name = _tool(data) if "tool" in data else str(data.get("server", ""))
    return f"{name}: {said}" if name and said else name or said


def listed(values: JsonValue) -> str:
    """Several values as one text."""
    if isinstance(values, Sequence) and not isinstance(values, str):
        return ", ".join(str(value) for value in values)
    return str(values or "")


def _forgotten(data: JsonObject) -> str:
    parts = data["parts"]
    said = [f"{place}: {why}" for place, why in parts.items()] if isinstance(parts, Mapping) else []
    return f"what was known before: {'; '.join(said)}" if data["when"] == "begin" else "; ".join(said)


SAYINGS: Mapping[EventType, tuple[Mood, str, Callable[[JsonObject], str]]] = {
    "run.started": ("plain", "started", lambda data: f"team {data['team']}"),
    "run.resumed": ("plain", "resumed", _nothing),
    "run.rescheduled": ("asks", "rests", _rests),
    "run.completed": ("good", "completed", _nothing),
    "run.failed": ("bad", "failed", lambda data: str(data["message"])),
    "run.refused": ("bad", "refused", lambda data: str(data["reason"])),
    "run.cancelled": ("asks", "cancelled", _nothing),
    "model.retried": (
        "asks",
        "retries",
        lambda data: f"{data['deployment']}: {data['error']}; once more after {data['wait_s']} s",
    ),
    "model.fell_back": (
        "asks",
        "falls back",
        lambda data: f"{data['from']}: {data['error']}; {data['to']} is asked",
    ),
    "model.recalled": (
        "plain",
        "recalls",
        lambda data: f"{data['deployment']}: answered as {data['question']!r} was ({data['similarity']})",
    ),
    "model.routed": ("plain", "routes", _routed),
    "model.hedged": (
        "asks",
        "hedges",
        lambda data: f"{data['deployment']}: asked a second time after {data['after_s']} s",
    ),
    "model.batched": ("plain", "batch", _batched),
    "agent.failed": ("bad", "broke", lambda data: f"{data['code']}: {data['message']}"),
    "agent.replaced": ("asks", "stands in", lambda data: str(data["by"])),
    "loop.detected": ("bad", "loop", lambda data: f"the same {data['kind']} again and again"),
    "run.simplified": ("asks", "simplified", lambda _: "the team's simple form takes the run"),
    "tool.refused": ("bad", "refused", lambda data: f"{_tool(data)}: {data['reason']}"),
    "tool.limit_reached": ("asks", "limit", lambda data: f"{data['iterations']} rounds of tools are used up"),
    "tool.progress": ("plain", "progress", _progress),
    "tool.logged": ("plain", "logs", _logged),
    "tool.quarantined": ("bad", "quarantine", lambda data: _about(data, listed(data.get("reason")))),
    "tool.cleaned": ("asks", "cleaned", _cleaned),
    "tool.pinned": ("plain", "pins", lambda data: _about(data, "as it was first seen")),
    "tool.changed": ("bad", "changed", lambda data: _about(data, _CHANGES[str(data["how"])])),
    "data.accessed": ("plain", "data", _accessed),
    "data.denied": ("bad", "denied", lambda data: _about(data, f"{listed(data.get('classes'))} data")),
    "label.raised": ("asks", "untrusted", _raised),
    "approval.requested": ("asks", "asks", _asks),
    "approval.voted": ("good", "votes", _decided),
    "approval.delegated": ("asks", "delegated", lambda data: f"to {data['to']}"),
    "approval.escalated": ("asks", "escalated", lambda data: f"to {data['to']}"),
    "approval.expired": ("bad", "expired", lambda data: _past(str(data["outcome"]))),
    "approval.decided": ("good", "decided", _decided),
    "policy.verdict": ("asks", "policy", _verdict),
    "output.judged": ("plain", "judge", _judged),
    "output.reviewed": ("good", "reviewed", _reviewed),
    "budget.refused": ("bad", "budget", _over_budget),
    "budget.warned": ("asks", "budget", _share),
    "budget.degraded": ("asks", "budget", lambda data: f"{_share(data)}; {data['to']} is asked"),
    "budget.wrapped_up": ("asks", "budget", lambda data: f"{_share(data)}; the agent is told to finish"),
    "budget.raised": (
        "good",
        "budget",
        lambda data: f"{_account(data)}: {data['by'] or 'a person'} adds {_usd(data['micros'])}",
    ),
    "call.wasted": ("asks", "wasted", _wasted),
    "thread.state_lost": ("asks", "forgets", _forgotten),
}


def _past(decision: str) -> str:
    past = {
        "approve": "approved",
        "edit": "approved with changes",
        "reject": "rejected",
        "respond": "answered",
    }
    return past.get(decision, decision)


def _tool(data: JsonObject) -> str:
    return f"{data['server']}.{data['tool']}"


def _arguments(request: JsonObject) -> str:
    arguments = request.get("arguments")
    if not isinstance(arguments, Mapping) or not arguments:
        return "()"
    return f"({', '.join(f'{name}={canonical_json(value)}' for name, value in arguments.items())})"


def _usd(micros: JsonValue) -> str:
    return format_usd(int(str(micros)))


def _cost(data: JsonObject) -> str:
    return _usd(data["cost"]) if data["cost"] else ""


def _took(data: JsonObject) -> str:
    return duration(float(str(data["ms"])) / 1000)
