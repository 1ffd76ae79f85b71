"""A run for a single call: what a middleware asks of its scope, kept for reading."""

from dataclasses import dataclass, field

from proctor.core import Decision, EventType, JsonObject, Question, QuestionKind


@dataclass(slots=True, kw_only=True)
class FakeScope:
    """The scope of a call that belongs to no real run. Every start is durable at once."""

    run_id: str = "run_1"
    team: str = "support"
    tenant: str = "default"
    agent: str = "clerk"
    key: str = "call_key_1"
    events: list[tuple[EventType, JsonObject]] = field(default_factory=list)
    """What the middlewares reported, in order."""
    asked: list[Question] = field(default_factory=list)
    """What a person was asked, in order."""
    decisions: list[Decision] = field(default_factory=list)
    """What the person answers, in order."""
    begun: int = 0
    """How often a call asked for its start to be durable."""

    def event(self, type: EventType, data: JsonObject) -> None:
        """Keeps the event."""
        self.events.append((type, data))

    async def begin(self) -> None:
        """Counts."""
        self.begun += 1

    def is_decided(self, _kind: QuestionKind) -> bool:
        """Nothing is before it was asked."""
        return False

    async def decision(self, question: Question) -> Decision:
        """The next of the prepared decisions; the question is kept."""
        self.asked.append(question)
        return self.decisions.pop(0)
