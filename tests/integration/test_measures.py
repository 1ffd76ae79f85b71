"""What a stretch of time held, out of real runs, on both databases."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, text

import proctor
from proctor.core import Measure, Signs
from proctor.runs import behind, events, measures, runs, signs
from proctor.store import Database, insert_into

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
UNTIL = NOON + timedelta(minutes=1)


def add_run(
    connection: Connection,
    name: str,
    *,
    ended: datetime | None,
    state: str = "completed",
    tenant: str = "default",
) -> None:
    row = {
        "id": name,
        "team": "desk",
        "target": "",
        "tenant": tenant,
        "state": state,
        "attempt": 1,
        "task": "t",
        "cost": 700,
        "events": 0,
        "cancel_requested": False,
        "created_at": NOON - timedelta(seconds=30),
        "finished_at": ended,
        "release": "1.2",
    }
    connection.execute(insert_into(connection, runs), row)


def log(connection: Connection, run: str, at: datetime, entries: Sequence[tuple[str, str]]) -> None:
    for seq, (type, data) in enumerate(entries, start=1):
        row = {"run_id": run, "seq": seq, "at": at, "type": type, "agent": "clerk", "data": data}
        connection.execute(insert_into(connection, events), row)


MODEL = '{"deployment":"small","input":100,"output":20,"cost":300,"ms":1500.0}'
TOOL = '{"server":"shop","tool":"look","error":%s,"refused_by":"%s","cost":0,"ms":20.0}'


def fill(connection: Connection) -> None:
    add_run(connection, "run_1", ended=NOON)
    add_run(connection, "run_2", ended=NOON + timedelta(seconds=30), state="failed", tenant="other")
    add_run(connection, "run_3", ended=UNTIL)
    first: list[tuple[str, str]] = [
        ("run.started", "{}"),
        ("model.called", MODEL),
        ("message", '{"text":"x"}'),
        ("tool.called", TOOL % ("true", "")),
        ("tool.called", TOOL % ("true", "rule")),
    ]
    log(connection, "run_1", NOON, first)
    second: list[tuple[str, str]] = [
        ("agent.failed", '{"code":"model_unreachable","message":"m"}'),
        ("agent.failed", '{"code":"agent_failed","message":"m"}'),
        ("loop.detected", "{}"),
        ("policy.verdict", '{"outcome":"deny"}'),
        ("policy.verdict", '{"outcome":"escalate"}'),
        ("approval.requested", "{}"),
    ]
    log(connection, "run_2", NOON + timedelta(seconds=1), second)
    log(connection, "run_3", UNTIL, [("model.called", MODEL)])


def measure(kind: str, **values: object) -> Measure:
    zero = {
        "count": 0,
        "errors": 0,
        "refused": 0,
        "cost": 0,
        "input_tokens": 0,
        "output_tokens": 0,
        "seconds": (),
    }
    same = {"team": "desk", "tenant": "default", "release": "1.2", "agent": "", "name": ""}
    return Measure(kind=kind, **{**zero, **same, **values})  # type: ignore[arg-type]


async def test_a_stretch_of_time_holds_what_ended_in_it_and_nothing_else(database_url: str) -> None:
    async with await Database.open(database_url) as database:
        await database.commit(fill)
        found = await database.read(lambda connection: measures(connection, NOON, UNTIL))
        model = {"agent": "clerk", "name": "small", "cost": 300, "input_tokens": 100, "output_tokens": 20}
        assert found == (
            measure("model", **model, count=1, seconds=(1.5,), costs=(300,)),
            measure("model", agent="clerk", tenant="other", count=1, errors=1),
            measure("run", count=1, cost=700, seconds=(30.0,), costs=(700,)),
            measure("run", tenant="other", count=1, errors=1, cost=700, seconds=(60.0,), costs=(700,)),
            measure(
                "tool",
                agent="clerk",
                name="shop.look",
                count=2,
                errors=1,
                refused=1,
                seconds=(0.02, 0.02),
                costs=(0, 0),
            ),
        )
        mine = await database.read(lambda connection: measures(connection, NOON, UNTIL, tenant="other"))
        assert mine == tuple(one for one in found if one.tenant == "other")


async def test_signs_tell_of_loops_verdicts_and_questions(database_url: str) -> None:
    async with await Database.open(database_url) as database:
        await database.commit(fill)
        found = await database.read(lambda connection: signs(connection, NOON, UNTIL))
        none = {"started": 0, "loops": 0, "denied": 0, "escalated": 0, "calls_per_run": (0,)}
        assert found == (
            Signs(team="desk", tenant="default", **{**none, "started": 1}),  # type: ignore[arg-type]
            Signs(team="desk", tenant="other", **{**none, "loops": 1, "denied": 1, "escalated": 2}),  # type: ignore[arg-type]
        )


async def test_the_runs_behind_a_number_come_the_worst_first(database_url: str) -> None:
    async with await Database.open(database_url) as database:
        await database.commit(fill)

        def query(connection: Connection) -> list[tuple[str, ...]]:
            later = UNTIL + timedelta(minutes=1)
            return [
                behind(connection, NOON, later, "loops"),
                behind(connection, NOON, later, "seconds", team="desk"),
                behind(connection, NOON, later, "verdicts", limit=1),
                behind(connection, NOON, later, "cost", team="nobody"),
            ]

        found = await database.read(query)
        assert found[0][0] == "run_2"
        assert found[1] == ("run_1", "run_3")
        assert found[2] == ("run_2",)
        assert found[3] == ()


async def test_measures_are_found_by_an_index(settings: proctor.Settings) -> None:
    async with await Database.open(settings.database.url) as database:

        def plan(connection: Connection) -> str:
            said = text(
                "EXPLAIN QUERY PLAN SELECT 1 FROM events JOIN runs ON runs.id = events.run_id WHERE type IN "
                "('run.started', 'run.rescheduled', 'run.failed', 'loop.detected', 'agent.failed', "
                "'model.called', 'tool.called', 'approval.requested', 'policy.verdict') AND at >= :since"
            )
            return " ".join(str(row[-1]) for row in connection.execute(said, {"since": "2026-01-01"}))

        assert "events_measured" in await database.read(plan)
