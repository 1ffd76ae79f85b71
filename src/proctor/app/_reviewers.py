"""How people have decided, with what notices and runs know of it."""

from datetime import datetime
from functools import partial

from sqlalchemy import Connection

from proctor import approvals
from proctor.approvals import Reviewer
from proctor.notices import first_told
from proctor.runs import answers_judged
from proctor.store import Database


async def reviewers(
    database: Database, *, since: datetime, until: datetime, role: str = ""
) -> tuple[Reviewer, ...]:
    """Everybody who decided something in a period, the busiest first; of one role's questions, if named."""

    def read(connection: Connection) -> tuple[Reviewer, ...]:
        return approvals.reviewers(
            connection,
            since=since,
            until=until,
            role=role,
            told=partial(first_told, connection),
            judged=partial(answers_judged, connection),
        )

    return await database.read(read)
