"""Names, and pages of what waits, on both databases."""

from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import Connection

from proctor import Decision, approvals
from proctor.approvals import Filter
from proctor.core import Conflict, Forbidden, InvalidInput, Question, Second, Terms, person
from proctor.store import Database

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
ROLES = {"manager": ("ann@example.org", "Bob"), "board": ("dora",)}
MANY = 400


def ask(
    connection: Connection, number: int, *, terms: Terms | None = None, team: str = "desk", call_key: str = ""
) -> str:
    id = f"apr_{number:05}"
    approvals.request(
        connection,
        id=id,
        run_id=f"run_{number % 7}",
        call_key=call_key or f"key {number}",
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


@pytest.mark.parametrize(
    "name", ["expiry", "standing:std_1", "Standing:std_1", "link:manager", "LINK:manager"]
)
async def test_nobody_signs_as_proctor_itself(database_url: str, name: str) -> None:
    async with await Database.open(database_url) as database:

        def work(connection: Connection) -> None:
            decision = Decision(kind="approve", by=name)
            approvals.decide(connection, id=ask(connection, 1), decision=decision, at=NOON, roles=ROLES)

        with pytest.raises(InvalidInput):
            await database.commit(work)


@pytest.mark.parametrize(
    "decision",
    [
        Decision(kind="rejected", by="ann"),  # type: ignore[arg-type]
        Decision(kind="", by="ann"),  # type: ignore[arg-type]
        Decision(kind="approve", by="ann", standing="week"),  # type: ignore[arg-type]
    ],
)
async def test_an_answer_that_there_is_not_decides_nothing(database_url: str, decision: Decision) -> None:
    async with await Database.open(database_url) as database:
        id = await database.commit(lambda connection: ask(connection, 1))

        def work(connection: Connection) -> None:
            approvals.decide(connection, id=id, decision=decision, at=NOON, roles=ROLES)

        with pytest.raises(InvalidInput):
            await database.commit(work)
        assert (await database.read(lambda connection: approvals.get(connection, id))).state == "pending"


async def test_a_roles_link_votes_for_its_role_alone(database_url: str) -> None:
    async with await Database.open(database_url) as database:

        def vote(connection: Connection, role: str) -> approvals.Approval:
            decision = Decision(kind="approve", by=f"link:{role}")
            id = "apr_00001"
            return approvals.decide(
                connection, id=id, decision=decision, at=NOON, roles=ROLES, link_of="board"
            )

        await database.commit(lambda connection: ask(connection, 1, terms=Terms(roles=("board",))))
        with pytest.raises(InvalidInput):
            await database.commit(lambda connection: vote(connection, "manager"))
        decided = await database.commit(lambda connection: vote(connection, "board"))
    assert (decided.state, decided.votes[0].by) == ("decided", "link:board")


@pytest.mark.parametrize(
    "terms",
    [
        Terms(roles=("manager",), quorum=2),
        Terms(roles=("manager",), not_requester=True),
        Terms(roles=("manager",), second=Second(roles=("board",))),
        Terms(roles=("manager",), second=Second(judge="large", rubric="Be strict.")),
        Terms(roles=("manager",), after="key of a call"),
    ],
)
async def test_a_roles_link_doesnt_decide_where_it_matters_who_the_person_is(
    database_url: str, terms: Terms
) -> None:
    async with await Database.open(database_url) as database:

        def work(connection: Connection) -> None:
            id = ask(connection, 1, terms=terms)
            decision = Decision(kind="approve", by="link:manager")
            approvals.decide(connection, id=id, decision=decision, at=NOON, roles=ROLES, link_of="manager")

        with pytest.raises(Forbidden) as raised:
            await database.commit(work)
    assert "proctor approvals decide" in raised.value.hint


async def test_a_programs_key_is_none_of_the_persons_whom_a_question_needs(tmp_path: Path) -> None:
    async with await Database.open(f"sqlite:///{tmp_path}/p.db") as database:

        def decide(connection: Connection, number: int, by: str, terms: Terms) -> str:
            id = ask(connection, number, terms=terms)
            decision = Decision(kind="approve", by=by)
            approvals.decide(connection, id=id, decision=decision, at=NOON, roles=ROLES)
            return approvals.get(connection, id).state

        named = Terms(not_requester=True)
        with pytest.raises(Forbidden, match="a program's key"):
            await database.commit(partial(decide, number=1, by="key:deploy", terms=named))
        assert await database.commit(partial(decide, number=2, by="eve", terms=named)) == "decided"
        anybody = partial(decide, number=3, by="key:deploy", terms=Terms())
        assert await database.commit(anybody) == "decided"


async def test_whoever_agreed_to_a_call_as_asked_or_as_edited_is_not_its_second_person(
    database_url: str,
) -> None:
    async with await Database.open(database_url) as database:

        def work(connection: Connection) -> tuple[str, ...]:
            key = "key 7"
            ask(connection, 7)
            ask(connection, 14, call_key=approvals.key_of(key, "edited"))
            for id, by in (("apr_00007", "ann"), ("apr_00014", "bob")):
                decision = Decision(kind="approve", by=by)
                approvals.decide(connection, id=id, decision=decision, at=NOON, roles=ROLES)
            id = ask(connection, 21, terms=Terms(after=key))
            return approvals.get(connection, id).barred

        assert await database.commit(work) == ("ann", "bob")


class Table:
    """One question that people hand to each other."""

    def __init__(self, database: Database, members: tuple[str, ...], terms: Terms) -> None:
        self.database = database
        self.roles = {"manager": members, "board": ("dora", "ann")}
        self.terms = terms

    async def ask(self) -> None:
        await self.database.commit(lambda connection: ask(connection, 1, terms=self.terms))

    async def hand(self, by: str, to: str) -> approvals.Approval:
        return await self.database.commit(
            lambda connection: approvals.delegate(
                connection, id="apr_00001", by=by, to=to, at=NOON, roles=self.roles
            )
        )

    async def approve(self, by: str) -> approvals.Approval:
        decision = Decision(kind="approve", by=by)
        return await self.database.commit(
            lambda connection: approvals.decide(
                connection, id="apr_00001", decision=decision, at=NOON, roles=self.roles
            )
        )

    async def open_to(self, name: str) -> bool:
        wanted = Filter(person=name)
        found = await self.database.read(lambda connection: approvals.page(connection, wanted, self.roles))
        return bool(found)


async def test_two_who_hand_a_decision_to_each_other_leave_somebody_to_decide(database_url: str) -> None:
    async with await Database.open(database_url) as database:
        table = Table(database, ("ann", "dora"), Terms(roles=("manager",)))
        await table.ask()
        await table.hand("ann", "dora")
        with pytest.raises(Conflict):
            await table.hand("dora", "ann")
        assert (await table.approve("dora")).state == "decided"


async def test_a_decision_isnt_handed_on_where_too_few_would_be_left(database_url: str) -> None:
    async with await Database.open(database_url) as database:
        table = Table(database, ("ann", "dora"), Terms(roles=("manager",), quorum=2))
        await table.ask()
        with pytest.raises(Conflict):
            await table.hand("ann", "dora")
        await table.hand("ann", "eve")
        with pytest.raises(Conflict):
            await table.hand("dora", "eve")
        await table.approve("dora")
        assert (await table.approve("eve")).state == "decided"


@pytest.mark.parametrize("name", ["expiry", "standing:std_1", "link:manager", " "])
async def test_a_decision_is_handed_to_persons_alone(database_url: str, name: str) -> None:
    async with await Database.open(database_url) as database:
        table = Table(database, ("ann", "dora"), Terms(roles=("manager",)))
        await table.ask()
        with pytest.raises(InvalidInput):
            await table.hand("ann", name)


async def test_who_has_handed_a_decision_on_takes_it_back_until_the_other_has_voted(
    database_url: str,
) -> None:
    async with await Database.open(database_url) as database:
        table = Table(database, ("ann", "dora"), Terms(roles=("manager",), quorum=2))
        await table.ask()
        await table.hand("ann", "eve")
        assert not await table.open_to("ann")
        await table.hand("ann", "Ann")
        assert (await table.open_to("ann"), await table.open_to("eve")) == (True, False)
        await table.hand("ann", "eve")
        await table.approve("eve")
        with pytest.raises(Conflict):
            await table.hand("ann", "ann")


async def test_what_was_handed_on_ends_when_others_are_asked(database_url: str) -> None:
    hour = timedelta(hours=1)
    terms = Terms(roles=("manager",), expires=hour, on_expiry="escalate", escalate_to=("board",))
    async with await Database.open(database_url) as database:
        table = Table(database, ("ann", "bob"), terms)
        await table.ask()
        await table.hand("ann", "dora")
        escalated = await database.commit(
            lambda connection: approvals.expire(connection, "apr_00001", NOON + hour)
        )
        assert escalated is not None
        assert (escalated.roles, escalated.delegations) == (("board",), ())
        assert (await table.approve("ann")).state == "decided"


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
