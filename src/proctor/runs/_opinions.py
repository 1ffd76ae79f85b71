"""What judge models have said of the answers of runs, as the log tells."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import Connection, select

from proctor.core import EventType, read_object
from proctor.runs._tables import events

_JUDGED: EventType = "output.judged"

_RUNS = 400
"""Runs that are looked up at a time."""


def answers_judged(
    connection: Connection, run_ids: Sequence[str]
) -> Mapping[str, Sequence[tuple[datetime, bool]]]:
    """When a judge said of each run's answer whether it agrees, in the log's order."""
    found: defaultdict[str, list[tuple[datetime, bool]]] = defaultdict(list)
    for start in range(0, len(run_ids), _RUNS):
        query = (
            select(events.c.run_id, events.c.at, events.c.data)
            .where(events.c.run_id.in_(run_ids[start : start + _RUNS]), events.c.type == _JUDGED)
            .order_by(events.c.run_id, events.c.seq)
        )
        for row in connection.execute(query):
            found[row.run_id].append((row.at, read_object(row.data)["agrees"] is True))
    return found
