"""A run's events as lines: when, who, what, and what it took."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from rich.console import Console
from rich.table import Table
from rich.text import Text

from proctor.cli._output import duration, offset, one_line, put
from proctor.core import Event, JsonObject, JsonValue, canonical_json, format_usd
from proctor.runs import RecordedCall

Mood = Literal["plain", "spoken", "good", "bad", "asks"]

STYLES: dict[Mood, str] = {"plain": "", "spoken": "cyan", "good": "green", "bad": "red", "asks": "yellow"}
WHO_WIDTH = 14
WHAT_WIDTH = 10
FIGURE_WIDTHS = (12, 9, 8)
LONGEST = 4_000
"""Characters of a message that are shown."""
DETAIL = 300
"""Characters of a tool call that are shown."""

RESULTS = frozenset({"model.called", "tool.called", "human.answered"})
"""Events that are recorded together with a call's outcome, in the same order."""


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
        data, who = event.data, event.agent or "run"
        match event.type:
            case "message":
                what = "hands off" if data["kind"] == "HandoffMessage" else "says"
                text = str(data["text"]).strip()
                text = text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
                return Line(at=event.at, who=who, what=what, text=text, mood="spoken")
            case "model.called":
                return _model_line(event)
            case "tool.refused":
                self._refused.add((event.agent, data["tool"]))
                text = f"{_tool(data)}: {data['reason']}"
                return Line(at=event.at, who=who, what="refused", text=one_line(text), mood="bad")
            case "tool.called":
                if data["refused_by"] and (event.agent, data["tool"]) in self._refused:
                    self._refused.discard((event.agent, data["tool"]))
                    return None
                return _tool_line(event, call)
            case "human.answered" | "run.waiting":
                return None  # the decision and the question stand there already
            case _:
                what, text, mood = _plain(event)
                return Line(at=event.at, who=who, what=what, text=text, mood=mood)


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
    row.add_row(when, line.who, line.what, Text(text), *figures)
    return row


def asked(action: JsonObject) -> str:
    """What a person is asked to decide on, on one line."""
    if "tool" in action:
        return one_line(f"{_tool(action)} {_arguments(action)}")
    conversation = action.get("conversation")
    if isinstance(conversation, Sequence) and conversation and isinstance(last := conversation[-1], dict):
        return one_line(f"{last.get('from')}: {last.get('text')}")
    return one_line(canonical_json(action))


def _model_line(event: Event) -> Line:
    data = event.data
    text = str(data["deployment"])
    if data["model"] not in ("", data["deployment"]):
        text += f" ({data['model']})"
    if data["attempts"] != 1:
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


def _plain(event: Event) -> tuple[str, str, Mood]:
    """What happened, in what detail, and how grave it is."""
    data = event.data
    match event.type:
        case "run.started":
            return "started", f"team {data['team']}, {event.run_id}", "plain"
        case "run.completed":
            return "completed", "", "good"
        case "run.failed":
            return "failed", one_line(str(data["message"])), "bad"
        case "run.refused":
            return "refused", one_line(str(data["reason"])), "bad"
        case "run.resumed" | "run.cancelled":
            return event.type.removeprefix("run."), "", "plain"
        case "model.retried":
            text = f"{data['deployment']}: {data['error']}; once more after {data['wait_s']} s"
            return "retries", text, "asks"
        case "tool.limit_reached":
            return "limit", f"{data['iterations']} rounds of tools are used up", "asks"
        case "approval.requested":
            action = data["action"]
            return "asks", f"{asked(action) if isinstance(action, dict) else ''} ({data['id']})", "asks"
        case "approval.decided":
            comment = f": {data['comment']}" if data["comment"] else ""
            by = f"{data['by']} " if data["by"] else ""
            return "decided", one_line(f"{by}{_past(str(data['decision']))}{comment}"), "good"
        case "policy.verdict":
            rules = data["rules"]
            said = ", ".join(map(str, rules)) if isinstance(rules, Sequence) else str(rules)
            return "policy", f"{data['stage']}: {data['outcome']} ({said})", "asks"
        case "budget.refused":
            spent, limit = _usd(data["spent_micros"]), _usd(data["limit_micros"])
            return "budget", f"{spent} of {limit} is spent: the call is refused", "bad"
        case _:
            return event.type, one_line(canonical_json(data)), "plain"


def _past(decision: str) -> str:
    return {"approve": "approved", "reject": "rejected", "respond": "answered"}.get(decision, decision)


def _tool(data: JsonObject) -> str:
    return f"{data['server']}.{data['tool']}"


def _arguments(request: JsonObject) -> str:
    arguments = request.get("arguments")
    if not isinstance(arguments, dict) or not arguments:
        return "()"
    return f"({', '.join(f'{name}={canonical_json(value)}' for name, value in arguments.items())})"


def _usd(micros: JsonValue) -> str:
    return format_usd(int(str(micros)))


def _cost(data: JsonObject) -> str:
    return _usd(data["cost"]) if data["cost"] else ""


def _took(data: JsonObject) -> str:
    return duration(float(str(data["ms"])) / 1000)
