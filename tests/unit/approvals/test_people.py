"""Names, and pages of what waits, on both databases."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Connection

from proctor import Decision, approvals
from proctor.approvals import Filter, person
from proctor.core import Conflict, Forbidden, InvalidInput, Question, Terms
from proctor.store import Database

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
ROLES = {"manager": ("ann@example.org", "Bob"), "board": ("dora",)}
MANY = 400


def ask(connection: Connection, number: int, *, terms: Terms | None = None, team: str = "desk") -> str:
    id = f"apr_{number:05}"
    approvals.request(
        connection,
        id=id,
        run_id=f"run_{number % 7}",
        call_key=f"key {number}",
        team=team,
        agent="clerk",
        question=Question(
            kind="action",
            role="",
            text="May I?",
            action={"server": "shop", "tool": "pay", "arguments": {}},
            terms=terms or Terms(),
        ),
        at=NOON,
    )
    return id


@pytest.mark.parametrize("name", ["ANN@example.org", " ann@example.org ", "\uff41\uff4e\uff4e@example.org"])
def test_capitals_width_and_blanks_make_no_other_person(name: str) -> None:
    assert person(name) == "ann@example.org"


@pytest.mark.parametrize("name", ["expiry", "standing:std_1", "Standing:std_1"])
async def test_nobody_signs_as_proctor_itself(database_url: str, name: str) -> None:
    async with await Database.open(database_url) as database:

        def work(connection: Connection) -> None:
            decision = Decision(kind="approve", by=name)
            approvals.decide(connection, id=ask(connection, 1), decision=decision, at=NOON)

        with pytest.raises(InvalidInput):
            await database.commit(work)


async def test_all_who_use_a_roles_link_are_one_person(database_url: str) -> None:
    terms = Terms(roles=("manager",), quorum=2)
    async with await Database.open(database_url) as database:

        def vote(connection: Connection, by: str) -> approvals.Approval:
            decision = Decision(kind="approve", by=by)
            return approvals.decide(connection, id="apr_00001", decision=decision, at=NOON, roles=ROLES)

        await database.commit(lambda connection: ask(connection, 1, terms=terms))
        await database.commit(lambda connection: vote(connection, "link:manager"))
        with pytest.raises(Conflict):
            await database.commit(lambda connection: vote(connection, "link:manager"))
        with pytest.raises(Forbidden):
            await database.commit(lambda connection: vote(connection, "link:board"))
        decided = await database.commit(lambda connection: vote(connection, "bob"))
    assert decided.state == "decided"


async def test_a_reminder_is_due_again_and_again_and_each_time_for_one(database_url: str) -> None:
    hour = timedelta(hours=1)
    async with await Database.open(database_url) as database:

        def work(connection: Connection) -> list[int]:
            ask(connection, 1, terms=Terms(remind=hour))
            ask(connection, 2)
            seen = []
            for now in (NOON, NOON + hour, NOON + hour, NOON + 2 * hour):
                due = approvals.due_reminders(connection, now)
                seen.append(sum(approvals.reminded(connection, each, now) for each in due))
                assert not any(approvals.reminded(connection, each, now) for each in due)
            return seen

        assert await database.commit(work) == [0, 1, 0, 1]


async def test_pages_join_without_gaps_and_hold_what_was_asked_for(database_url: str) -> None:
    async with await Database.open(database_url) as database:

        def work(connection: Connection) -> tuple[list[str], list[int]]:
            for number in range(MANY):
                roles = ("manager",) if number % 4 == 0 else ("board",) if number % 4 == 1 else ()
                team = "desk" if number % 2 else "shop"
                ask(connection, number, terms=Terms(roles=roles), team=team)
            seen: list[str] = []
            after = ""
            while found := approvals.page(connection, Filter(), ROLES, after=after, limit=70):
                seen += [approval.id for approval in found]
                after = found[-1].id
            wanted = (
                Filter(team="desk"),
                Filter(role="manager"),
                Filter(run_id="run_3"),
                Filter(person="BOB"),
                Filter(person="dora", team="desk"),
                Filter(state="consumed"),
                Filter(state=None),
            )
            sizes = [len(approvals.page(connection, one, ROLES, limit=1_000)) for one in wanted]
            return seen, sizes

        seen, sizes = await database.commit(work)
    assert seen == [f"apr_{number:05}" for number in range(MANY)]
    assert sizes == [200, 100, 57, 300, 200, 0, 400]


@pytest.mark.parametrize("after", ["", "apr_00003"])
@pytest.mark.parametrize(
    "wanted",
    [Filter(), Filter(team="desk"), Filter(role="board"), Filter(run_id="run_3"), Filter(person="dora")],
)
async def test_a_page_is_read_along_an_index(database_url: str, wanted: Filter, after: str) -> None:
    async with await Database.open(database_url) as database:

        def plan(connection: Connection) -> list[str]:
            for number in range(50):
                ask(connection, number)
            query = approvals.page_query(wanted, ROLES, after=after, limit=20)
            words = str(query.compile(connection, compile_kwargs={"literal_binds": True}))
            if connection.dialect.name == "sqlite":
                return [row[-1] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {words}")]
            for other in ("seqscan", "bitmapscan", "sort"):  # better for so few rows
                connection.exec_driver_sql(f"SET LOCAL enable_{other} = off")
            return [row[0].strip() for row in connection.exec_driver_sql(f"EXPLAIN {words}")]

        found = await database.commit(plan)
    walked = [
        line for line in found if "approvals USING INDEX" in line or "Index Scan using approvals_" in line
    ]
    assert walked, found
    assert not any(
        "TEMP B-TREE" in line or "Sort" in line or "Seq Scan on approvals " in line for line in found
    )
