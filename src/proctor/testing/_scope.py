"""A run for a single call: what a middleware asks of its scope, kept for reading."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Never

from proctor.core import (
    TRUSTED,
    Decision,
    EventType,
    JsonObject,
    Label,
    Micros,
    Pace,
    Question,
    QuestionKind,
    Suspended,
)


@dataclass(slots=True, kw_only=True)
class FakeScope:
    """The scope of a call that belongs to no real run. Every start is durable at once."""

    run_id: str = "run_1"
    team: str = "support"
    tenant: str = "default"
    agent: str = "clerk"
    key: str = "call_key_1"
    requester: str = ""
    thread: str = ""
    pace: Pace = "prompt"
    release: str = ""
    spent: Micros = 0
    """What the run has cost so far; `book` adds to it."""
    number: int = 1
    """Which tool call of the run this is."""
    rank: int = 1
    """Which one of those it is that one answer asked for."""
    left: float = 600.0
    """Seconds until the attempt must have ended."""
    booked: list[tuple[Micros, Callable[[Any], None]]] = field(default_factory=list)
    """What calls cost, each with the statement that enters it, in order."""
    suspended: list[datetime] = field(default_factory=list)
    """Until when calls wanted the run torn down."""
    events: list[tuple[EventType, JsonObject]] = field(default_factory=list)
    """What the middlewares reported, in order."""
    asked: list[Question] = field(default_factory=list)
    """What a person was asked, in order."""
    decisions: list[Decision] = field(default_factory=list)
    """What the person answers, in order."""
    label: Label = TRUSTED
    labels: dict[str, Label] = field(default_factory=dict)
    """Of texts, by the texts."""
    origins: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """The untrusted sources of values, by the values."""
    excerpts: dict[str, str] = field(default_factory=dict)
    """What untrusted sources said, by the sources."""
    begun: int = 0
    """How often a call asked for its start to be durable."""

    def event(self, type: EventType, data: JsonObject) -> None:
        """Keeps the event."""
        self.events.append((type, data))

    def label_of(self, text: str) -> Label:
        """As prepared; else the scope's own."""
        return self.labels.get(text, self.label)

    def origins_of(self, value: str) -> tuple[str, ...]:
        """As prepared."""
        return self.origins.get(value, ())

    def excerpt_of(self, source: str, _value: str = "") -> str:
        """As prepared."""
        return self.excerpts.get(source, "")

    def seconds_left(self) -> float:
        """As prepared."""
        return self.left

    def book(self, cost: Micros, write: Callable[[Any], None]) -> None:
        """Keeps what was booked."""
        self.booked.append((cost, write))
        self.spent += cost

    async def suspend(self, *, until: datetime) -> Never:
        """Keeps the time and raises `Suspended`, where a real run would be torn down."""
        self.suspended.append(until)
        raise Suspended

    async def begin(self) -> None:
        """Counts."""
        self.begun += 1

    def is_decided(self, _kind: QuestionKind, _action: JsonObject | None = None) -> bool:
        """Nothing is before it was asked."""
        return False

    async def decision(self, question: Question) -> Decision:
        """The next of the prepared decisions; the question is kept."""
        self.asked.append(question)
        return self.decisions.pop(0)
