"""One question, one decision."""

from datetime import UTC, datetime
from pathlib import Path

from proctor import Decision, approvals
from proctor.core import Question
from proctor.store import Database

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)


async def test_a_decision_is_kept_as_it_was_given(tmp_path: Path) -> None:
    question = Question(kind="reply", role="manager", text="Is this right?", action={"conversation": []})
    given = Decision(kind="approve", by="ann")
    async with await Database.open(f"sqlite:///{tmp_path}/proctor.db") as database:
        await database.commit(
            lambda connection: approvals.request(
                connection,
                id="apr_1",
                run_id="run_1",
                call_key="key",
                team="desk",
                agent="manager",
                question=question,
                at=NOON,
            )
        )
        decided = await database.commit(
            lambda connection: approvals.decide(connection, id="apr_1", decision=given, at=NOON, roles={})
        )
    assert (decided.state, decided.decision) == ("decided", given)
