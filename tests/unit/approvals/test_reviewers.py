"""How people have decided: figures, agreement, and signs that somebody didn't look."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Connection

from proctor import approvals
from proctor.approvals import Agreement, Reviewer, Spread, reviewers
from proctor.core import Decision, DecisionKind, Question, QuestionKind, Second, Terms
from proctor.store import Database
from proctor.testing import FakeClock

ROLES = {"manager": ("ann", "bob", "cem"), "board": ("dora",)}
EDITABLE = {"type": "object"}
LONG = "word " * 500
"""Two minutes of reading."""


class Office:
    """Questions and people, and a clock that passes while they think."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.clock = FakeClock()
        self.begun = self.clock.now()
        self.asked = 0
        self.told: dict[str, datetime] = {}
        self.judged: dict[str, list[tuple[datetime, bool]]] = {}

    async def ask(
        self,
        *,
        text: str = "May I?",
        kind: QuestionKind = "action",
        key: str = "",
        run: str = "",
        terms: Terms | None = None,
        action: Mapping[str, object] | None = None,
    ) -> str:
        self.asked += 1
        id = f"apr_{self.asked:05}"
        await self.database.commit(
            lambda connection: approvals.request(
                connection,
                id=id,
                run_id=run or f"run_{id}",
                call_key=key or f"key {id}",
                team="desk",
                agent="clerk",
                question=Question(
                    kind=kind,
                    role="",
                    text=text,
                    action=action or {"server": "shop", "tool": "pay", "arguments": {"to": "eve"}},
                    terms=terms or Terms(editable=EDITABLE),
                ),
                at=self.clock.now(),
            )
        )
        return id

    async def decide(
        self, id: str, by: str, kind: DecisionKind = "approve", *, after: float = 0, link_of: str = ""
    ) -> None:
        self.clock.advance(after)
        arguments = {"to": "mallory"} if kind == "edit" else None
        decision = Decision(kind=kind, by=by, arguments=arguments)
        await self.database.commit(
            lambda connection: approvals.decide(
                connection, id=id, decision=decision, at=self.clock.now(), roles=ROLES, link_of=link_of
            )
        )

    async def people(self, *, role: str = "", since: datetime | None = None) -> dict[str, Reviewer]:
        def told(ids: Sequence[str]) -> Mapping[str, datetime]:
            return {id: self.told[id] for id in ids if id in self.told}

        def read(connection: Connection) -> tuple[Reviewer, ...]:
            return reviewers(
                connection,
                since=since or self.begun,
                until=self.clock.now() + timedelta(seconds=1),
                told=told,
                judged=lambda _: self.judged,
                role=role,
            )

        return {each.name: each for each in await self.database.read(read)}

    def signs(self, reviewer: Reviewer) -> set[str]:
        return {sign.kind for sign in reviewer.signs}


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[Office]:
    async with await Database.open(url) as database:
        yield Office(database)


@pytest.fixture
async def office(database_url: str) -> AsyncIterator[Office]:
    async with opened(database_url) as there:
        yield there


async def test_decisions_are_counted_by_kind_and_timed(office: Office) -> None:
    for after, kind in ((10, "approve"), (20, "edit"), (30, "reject"), (100, "respond")):
        await office.decide(await office.ask(), "ann", kind, after=after)  # type: ignore[arg-type]
    office.clock.advance(60)
    later = office.clock.now()
    await office.decide(await office.ask(), "Bob", after=1)

    found = await office.people()

    assert list(found) == ["ann", "Bob"], "the busiest first"
    ann = found["ann"]
    assert (ann.who, ann.decisions, ann.approved) == ("person", 4, 0.25)
    assert ann.kinds == {"approve": 1, "edit": 1, "reject": 1, "respond": 1}
    assert (ann.waited, ann.told, ann.looked) == (
        Spread(median=25, p90=100),
        None,
        Spread(median=25, p90=100),
    )
    assert ann.signs == ()
    assert list(await office.people(since=later)) == ["Bob"]


async def test_a_person_is_one_person_however_the_name_is_written(office: Office) -> None:
    for name in ("ann", "ANN", " Ann "):
        await office.decide(await office.ask(), name, after=1)
    [ann] = (await office.people()).values()
    assert ann.decisions == 3


async def test_time_is_counted_from_the_first_notice_where_there_was_one(office: Office) -> None:
    first, second = await office.ask(), await office.ask()
    office.told[first] = office.clock.now() + timedelta(seconds=40)
    await office.decide(first, "ann", after=60)
    await office.decide(second, "ann", after=60)
    ann = (await office.people())["ann"]
    assert ann.told == Spread(median=20, p90=20)
    assert ann.waited == Spread(median=90, p90=120)


async def test_who_gives_no_name_and_who_uses_a_roles_link_are_shown_as_such(office: Office) -> None:
    for _ in range(25):
        await office.decide(await office.ask(), "", after=1)
        id = await office.ask(terms=Terms(roles=("manager",)))
        await office.decide(id, "link:manager", after=1, link_of="manager")
    found = {each.who: each for each in (await office.people()).values()}
    assert {who: (each.name, each.decisions) for who, each in found.items()} == {
        "unnamed": ("", 25),
        "link": ("manager", 25),
    }
    assert all(each.signs == () for each in found.values()), "nobody knows how many they are"


async def test_a_second_person_and_later_votes_agree_or_do_not(office: Office) -> None:
    two = Terms(roles=("manager",), quorum=2)
    for last in ("approve", "reject"):
        id = await office.ask(terms=two)
        await office.decide(id, "ann")
        await office.decide(id, "bob", last)  # type: ignore[arg-type]
    id = await office.ask(terms=Terms(roles=("manager",), second=Second(roles=("board",))))
    await office.decide(id, "ann", after=5)
    await office.decide(id, "dora", "reject", after=7)

    found = await office.people()

    assert found["ann"].others == Agreement(compared=3, agreed=1)
    assert found["bob"].others == Agreement(compared=2, agreed=1)
    assert found["dora"].others == Agreement(compared=1, agreed=0)
    assert found["dora"].waited.median == 7, "the second person is asked when the first has approved"
    assert list(await office.people(role="board")) == ["dora"]
    assert set(await office.people(role="manager")) == {"ann", "bob"}


async def consumed(office: Office, id: str) -> None:
    await office.database.commit(lambda connection: approvals.consume(connection, id))


async def test_a_judge_agrees_with_an_approval_or_a_second_person_is_asked(office: Office) -> None:
    judged = Terms(second=Second(judge="large", rubric="Be strict."))
    for number, objects in enumerate((False, True, True)):
        key = f"key of call {number}"
        first = await office.ask(run="run_1", key=key, terms=judged)
        await office.decide(first, "ann")
        if objects:
            terms = Terms(after=key)
            asked = await office.ask(
                run="run_1", key=approvals.key_of(key, "second"), kind="second", terms=terms
            )
            await office.decide(asked, "bob", "approve" if number == 1 else "reject")
        await consumed(office, first)
    undecided = await office.ask(terms=judged)
    await office.decide(undecided, "ann")  # the run hasn't gone on: no judge was asked yet

    found = await office.people()

    assert found["ann"].judge == Agreement(compared=3, agreed=1)
    assert found["ann"].others == found["bob"].others == Agreement(compared=2, agreed=1)


async def test_who_decides_on_an_answer_agrees_with_the_judge_or_does_not(office: Office) -> None:
    answer = {"arguments": {"answer": "All is well."}, "found": []}
    for run, kind in (("run_1", "approve"), ("run_2", "reject"), ("run_3", "respond"), ("run_4", "approve")):
        if run != "run_4":
            office.judged[run] = [(office.clock.now(), False)]
        id = await office.ask(run=run, kind="output", action=answer)
        await office.decide(id, "ann", kind)  # type: ignore[arg-type]
    assert (await office.people())["ann"].judge == Agreement(compared=3, agreed=2)


async def many(office: Office, number: int, *, after: float, text: str = "May I?", noes: int = 0) -> None:
    for place in range(number):
        id = await office.ask(text=text)
        await office.decide(id, "ann", "reject" if place < noes else "approve", after=after)


@pytest.mark.parametrize(
    ("number", "after", "text", "noes", "signs"),
    [
        (20, 4.0, "May I?", 0, {"glance", "burst"}),
        (19, 4.0, "May I?", 0, {"burst"}),
        (20, 4.0, "May I?", 1, {"burst"}),
        (50, 4.0, "May I?", 1, {"glance", "burst"}),
        (20, 7.0, "May I?", 0, set()),
        (20, 60.0, LONG, 0, {"unread"}),
        (20, 130.0, LONG, 0, set()),
        (20, 60.0, "请批准这笔付款" * 100, 0, {"unread"}),
        (20, 60.0, "请批准这笔付款" * 20, 0, set()),
    ],
)
async def test_fast_approvals_of_nearly_everything_are_a_sign(
    tmp_path: Path, *, number: int, after: float, text: str, noes: int, signs: set[str]
) -> None:
    async with opened(f"sqlite:///{tmp_path}/proctor.db") as office:
        await many(office, number, after=after, text=text, noes=noes)
        assert office.signs((await office.people())["ann"]) == signs


async def test_questions_that_waited_long_and_are_approved_in_a_row_are_a_sign(office: Office) -> None:
    waiting = [await office.ask() for _ in range(30)]
    office.clock.advance(8 * 3600)
    for id in waiting:
        await office.decide(id, "ann", after=2)
    ann = (await office.people())["ann"]
    assert ann.waited.median > 8 * 3600
    assert ann.looked.median == 2
    assert [sign.text for sign in ann.signs] == [
        "approved 30 of 30, half of them within 2.0 s",
        "approved 30 within a minute, from 2026-01-01 08:00:02 UTC",
    ]


async def test_what_is_rejected_in_a_row_is_none(office: Office) -> None:
    for id in [await office.ask() for _ in range(30)]:
        await office.decide(id, "ann", "reject", after=0.1)
    assert (await office.people())["ann"].signs == ()


async def test_a_long_answer_is_read_too(office: Office) -> None:
    answer = {"arguments": {"answer": LONG}, "found": []}
    for _ in range(20):
        await office.decide(await office.ask(kind="output", action=answer), "ann", after=30)
    assert office.signs((await office.people())["ann"]) == {"unread"}


async def test_whoever_is_asked_after_an_escalation_is_timed_from_there(office: Office) -> None:
    terms = Terms(
        roles=("manager",), expires=timedelta(hours=1), on_expiry="escalate", escalate_to=("board",)
    )
    id = await office.ask(terms=terms)
    office.clock.advance(3700)
    await office.database.commit(lambda connection: approvals.expire(connection, id, office.clock.now()))
    await office.decide(id, "dora", after=15)
    dora = (await office.people(role="board"))["dora"]
    assert dora.waited.median == 15
    assert await office.people(role="manager") == {}


async def test_a_period_in_which_nobody_decided_has_nobody(office: Office) -> None:
    await office.ask()
    assert await office.people() == {}
