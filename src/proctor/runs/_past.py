"""What earlier attempts at a run left."""

from dataclasses import dataclass

from sqlalchemy import Connection

from proctor import approvals
from proctor.core import JsonObject
from proctor.runs import _sql, _threads_sql
from proctor.runs._values import RecordedCall


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """What earlier attempts at a run left."""

    recorded: tuple[RecordedCall, ...] = ()
    asked: tuple[approvals.Approval, ...] = ()
    said: tuple[str, ...] = ()
    memory: JsonObject | None = None
    """What earlier runs of the thread knew."""
    raised: frozenset[str] = frozenset()
    """Agents of which the log tells that they have read what is untrusted."""
    loss_told: bool = False
    """Whether the log tells already what of it could not be given to the team."""
    verdict_told: bool = False
    """Whether the log tells already what the policy says of the answer."""
    remembered: tuple[str, ...] = ()
    """What the policy said of texts that are to be kept: the outcomes that the log tells already."""
    failed: bool = False
    """Whether the run has ended before, as failed."""

    @classmethod
    def load(cls, connection: Connection, run_id: str) -> "Past":
        """The past of a run."""
        events = _sql.run_events(connection, run_id)
        verdicts = tuple(event.data for event in events if event.type == "policy.verdict")
        said = tuple(
            said_mark(event.agent, str(event.data["text"])) for event in events if event.type == "message"
        )
        return cls(
            recorded=_sql.recorded_calls(connection, run_id),
            asked=approvals.of_run(connection, run_id),
            said=said,
            memory=_threads_sql.begin(connection, run_id),
            raised=frozenset(event.agent for event in events if event.type == "label.raised"),
            loss_told=any(event.type == "thread.state_lost" for event in events),
            verdict_told=any(data.get("stage") == "output" for data in verdicts),
            remembered=tuple(str(data["outcome"]) for data in verdicts if data.get("stage") == "memory"),
            failed=any(event.type == "run.failed" for event in events),
        )


def said_mark(agent: str, shown: str) -> str:
    """What tells messages of the log apart, by the text that it shows."""
    return f"{agent}\n{shown}"
