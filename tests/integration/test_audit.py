"""The record of a real system: what gets into it, where its heads go, and what inspections find."""

import asyncio
import base64
import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest
from autogen_agentchat.agents import AssistantAgent
from autogen_agentchat.base import ChatAgent
from sqlalchemy import Connection, insert, select, text, update
from sqlalchemy.exc import OperationalError

import proctor
from conftest import make_settings
from proctor import Decision, audit
from proctor.approvals import Filter
from proctor.audit import Wanted
from proctor.core import BudgetRule, DatabaseUnavailable, MissingSetting, ModelCall, ToolSpec
from proctor.inspection import Filed, Inspector, Rules
from proctor.ledger import remove_budget, set_budget
from proctor.privacy import Subject
from proctor.store import Database, metadata
from proctor.testing import FakeClock, Reply, ScriptedModel, tool_call
from proctor.tools import form_of

RECORDER = Path(__file__).parent.parent / "servers" / "recorder.py"
KEY = {"AUDIT_KEY": base64.b64encode(bytes(32)).decode()}
EVER = datetime(2020, 1, 1, tzinfo=UTC)
ROLES = {"manager": {"members": ["ann", "bob"]}}
RULE = {"tools": ["refund"], "roles": ["manager"], "not_requester": True}


class Office:
    """A desk that pays back what a manager lets it, on one database."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.refunds: list[str] = []

    @asynccontextmanager
    async def opened(self, **more: Any) -> AsyncIterator[proctor.Proctor]:
        app = proctor.App()

        @app.tool(effect="consequential")
        def refund(order: str) -> str:
            """Pays an order back."""
            self.refunds.append(order)
            return f"{order} is paid back"

        @app.tool(effect="read_only")
        def look(order: str) -> str:
            """Looks an order up."""
            return f"{order} is pending"

        @app.team("desk", tools=["refund", "look"])
        def desk(ctx: proctor.TeamContext) -> ChatAgent:
            return AssistantAgent(
                "clerk",
                model_client=ctx.model("small"),
                workbench=ctx.tools("refund", "look"),
                max_tool_iterations=5,
            )

        settings = make_settings(
            self.url, **{"teams": {"desk": {"approvals": [RULE]}}, "roles": ROLES, **more}
        )
        async with (
            asyncio.timeout(100),
            proctor.open(
                app, settings=settings, providers={"openai": ScriptedModel(clerk)}, environ=KEY
            ) as here,
        ):
            yield here


def clerk(call: ModelCall) -> Reply:
    done = [str(message["content"]) for message in call.messages if message["role"] == "tool"]
    if done:
        return " / ".join(done)
    order = str(call.messages[-1]["content"])
    return [tool_call("look" if order.startswith("look") else "refund", order=order)]


@pytest.fixture
def office(database_url: str) -> Office:
    return Office(database_url)


async def record_of(here: proctor.Proctor, **wanted: str) -> list[tuple[str, str, str]]:
    found = await here.database.read(lambda connection: audit.page(connection, Wanted(**wanted), limit=500))
    return [(entry.actor, entry.action, entry.thing) for entry in found]


async def paid_back(
    here: proctor.Proctor, order: str, *, by: str = "ann", kind: str = "approve"
) -> proctor.Run:
    run = await here.run("desk", order, requester="cleo", tenant="default")
    assert run.state == "waiting", run.error
    (question,) = await here.approvals(Filter(run_id=run.id))
    await here.decide(question.id, Decision(kind=kind, by=by))
    return await here.wait(run.id)


async def found_by(here: proctor.Proctor) -> list[tuple[str, str]]:
    """Kinds and runs of what an inspection finds anew."""
    done = await here.record.inspector.inspect(EVER)
    return [(filed.kind, filed.run_id) for filed in done.fresh]


async def change(here: proctor.Proctor, *statements: Any) -> None:
    def apply(connection: Connection) -> None:
        for statement in statements:
            connection.execute(statement)

    await here.database.commit(apply)


# What gets into the record.


async def test_who_decided_what_is_in_the_record_and_no_text_is(office: Office):
    async with office.opened() as here:
        run = await paid_back(here, "SECRET-ORDER-77")
        entries = await here.database.read(lambda c: audit.page(c, Wanted(action="approval")))
        (entry,) = entries
        question = await here.approval(entry.thing)
        assert (entry.actor, entry.action, entry.thing) == ("ann", "approval.decided", question.id)
        assert entry.details["run"] == run.id
        assert entry.details["decision"] == "approve"
        assert entry.details["digest"] == question.digest
        everything = await here.database.read(lambda c: audit.page(c, Wanted(), limit=500))
        assert "SECRET-ORDER-77" not in "".join(each.data + each.thing for each in everything)


async def test_what_people_change_and_set_is_in_the_record(office: Office):
    at = datetime.now(UTC)
    async with office.opened() as here:
        rule = BudgetRule(usd=5, scope="user", of="cleo")
        await here.database.commit(lambda c: set_budget(c, "big", rule, at=at, by="ann"))
        await here.database.commit(lambda c: remove_budget(c, "big", at=at, by="bob"))
        await here.database.commit(lambda c: remove_budget(c, "big", at=at, by="bob"))
        await here.degradation.hold(1, span=timedelta(minutes=5), reason="drill", by="ann")
        await here.degradation.release(by="bob")
        await here.schedules.add("daily", "desk", "look 1", cron="0 8 * * *", by="ann")
        await here.schedules.pause("daily", by="bob")
        await here.schedules.resume("daily", by="bob")
        await here.schedules.remove("daily", by="bob")
        waiting = await here.run("desk", "7", requester="cleo")
        await here.runs.cancel(waiting.id, by="bob")
        entries = await record_of(here)
        told = [(who, did) for who, did, _ in entries if not did.startswith(("settings", "process"))]
        assert told == [
            ("ann", "budget.set"),
            ("bob", "budget.removed"),
            ("ann", "degradation.held"),
            ("bob", "degradation.released"),
            ("ann", "schedule.added"),
            ("bob", "schedule.paused"),
            ("bob", "schedule.resumed"),
            ("bob", "schedule.removed"),
            ("bob", "run.cancelled"),
        ]
        (budget,) = await here.database.read(lambda c: audit.page(c, Wanted(action="budget.set")))
        assert "cleo" not in budget.data


async def test_a_subject_stands_in_the_record_as_a_mark(office: Office):
    ann = Subject(name="Quillfeather", tenant="default")
    async with office.opened(privacy={"purposes": {"support": {}}}) as here:
        await here.privacy.give(ann, "support", by="mia")
        await here.privacy.withdraw(ann, "support", by="mia")
        hold = await here.privacy.hold(subject=ann, reason="case 12", by="mia")
        await here.privacy.release(hold.id, by="mia")
        _ = [piece async for piece in here.privacy.export(ann, by="mia")]
        await here.privacy.erase(ann, by="mia")
        entries = await here.database.read(lambda c: audit.page(c, Wanted(actor="mia")))
        assert [entry.action for entry in entries] == [
            "consent.given",
            "consent.withdrawn",
            "hold.placed",
            "hold.released",
            "export.made",
            "subject.erased",
        ]
        marks = {entry.thing for entry in entries if not entry.action.startswith("hold")}
        assert len(marks) == 1
        assert marks.pop().startswith("erased:")
        assert "Quillfeather" not in "".join(f"{entry.thing}{entry.data}" for entry in entries)


async def test_each_start_is_noted_and_the_change_of_a_setting_once(office: Office):
    async with office.opened():
        pass
    async with office.opened():
        pass
    more = {"budget": {"daily_usd": 3}, "tools": {"x": {"command": ["true"], "env": {"TOKEN": "hunter2"}}}}
    async with office.opened(**more) as here:
        entries = await here.database.read(lambda c: audit.page(c, Wanted()))
    actions = [entry.action for entry in entries]
    assert actions == ["settings.changed", *["process.started"] * 2, "settings.changed", "process.started"]
    changed = entries[3].details["changed"]
    assert changed["budget.daily_usd"][1] == "3"
    assert "tools.x.command" in changed
    assert "hunter2" not in "".join(entry.data for entry in entries)
    assert entries[1].details["policy"] == here.policy.version


async def test_several_processes_append_without_a_gap(database_url: str):
    await (await Database.open(database_url)).close()
    each = 100
    command = [sys.executable, str(RECORDER), database_url]
    started = [await asyncio.create_subprocess_exec(*command, f"p{number}", str(each)) for number in range(3)]
    async with asyncio.timeout(100):
        assert [await process.wait() for process in started] == [0, 0, 0]
    async with await Database.open(database_url) as database:
        found = await database.read(audit.verify)
        deeds = await database.read(lambda c: audit.deeds(c, Wanted()))
    assert (found.entries, found.faults) == (3 * each, ())
    assert {deed.actor: deed.times for deed in deeds} == {"p0": each, "p1": each, "p2": each}


async def test_appending_with_other_rows_locked_never_deadlocks(postgres_url: str):
    """Two processes that take the same two rows in one order, and append in between."""
    async with await Database.open(postgres_url) as one, await Database.open(postgres_url) as other:
        await one.commit(
            lambda c: c.execute(
                insert(metadata.tables["privacy_keys"]),
                [{"name": name, "key": b"", "sealed": False} for name in "ab"],
            )
        )

        def work(connection: Connection) -> None:
            for name in "ab":
                audit.append(connection, at=EVER, actor="ann", action="run.read", thing=name)
                keys = metadata.tables["privacy_keys"]
                connection.execute(update(keys).where(keys.c.name == name).values(sealed=True))

        async with asyncio.timeout(30):
            await asyncio.gather(*(each.commit(work) for each in (one, other) for _ in range(200)))
        found = await one.read(audit.verify)
    assert (found.entries, found.faults) == (800, ())


# Heads.


async def test_heads_are_kept_outside_at_the_start_and_at_the_end(office: Office, tmp_path: Path):
    file = tmp_path / "heads.jsonl"
    section = {"key_env": "AUDIT_KEY", "heads": str(file)}
    async with office.opened(audit=section) as here:
        assert [head.seq for head in audit.read_heads(file)[0]] == [2]
        await paid_back(here, "7")
    heads, faults = audit.read_heads(file)
    assert not faults
    async with await Database.open(office.url) as database:
        position = await database.read(audit.stands)
        found = await database.read(lambda c: audit.verify(c, heads=heads, trusted={heads[0].key}))
    assert position is not None
    assert [head.seq for head in heads] == [2, position.seq]
    assert (found.sound, found.unproven) == (True, ())


async def test_a_broken_record_is_not_signed(
    office: Office, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    file = tmp_path / "heads.jsonl"
    section = {"key_env": "AUDIT_KEY", "heads": str(file)}
    async with office.opened(audit=section):
        pass
    async with await Database.open(office.url) as database:
        await forge(database, "UPDATE audit_entries SET actor = 'eve' WHERE seq = 1")
        await forge(database, "UPDATE audit_entries SET hash = repeat('a', 64) WHERE seq = 2")
    before = file.read_text()
    async with office.opened(audit=section):
        pass
    assert file.read_text() == before
    assert "isn't signed" in caplog.text


@pytest.mark.parametrize("how", ["cut", "the last one edited", "all gone"])
async def test_a_record_that_comes_behind_what_was_signed_is_told_in_the_log_at_the_next_look(
    office: Office, tmp_path: Path, caplog: pytest.LogCaptureFixture, how: str
):
    section = {"key_env": "AUDIT_KEY", "heads": str(tmp_path / "heads.jsonl")}
    async with office.opened(audit=section) as here:
        if how == "the last one edited":
            await forge(here.database, "UPDATE audit_entries SET hash = repeat('a', 64) WHERE seq = 2")
            await forge(here.database, "UPDATE audit_head SET hash = repeat('a', 64)")
        else:
            await forge(here.database, f"DELETE FROM audit_entries WHERE seq > {1 if how == 'cut' else 0}")
            gone = "UPDATE audit_head SET seq = 1" if how == "cut" else "DELETE FROM audit_head"
            await forge(here.database, gone)
        assert "isn't signed" not in caplog.text
        await here.record.end()
        assert "isn't signed" in caplog.text


async def test_heads_of_every_place_count_and_not_those_of_the_first_alone(office: Office, tmp_path: Path):
    near, far = tmp_path / "near.jsonl", tmp_path / "far.jsonl"
    section = {"key_env": "AUDIT_KEY", "heads": [str(near), str(far)]}
    async with office.opened(audit=section) as here:
        near.write_text("")  # by whoever has the database and this machine
        assert [head.seq for head in here.record.kept_heads()] == [2]
        await forge(here.database, "DELETE FROM audit_entries WHERE seq > 1")
        await forge(here.database, "UPDATE audit_head SET seq = 1, hash = (SELECT hash FROM audit_entries)")
    async with office.opened(audit=section):
        pass
    assert near.read_text() == "", "what was cut is not signed either"


async def test_a_place_that_cannot_be_reached_holds_nobody_up(office: Office, tmp_path: Path):
    file = tmp_path / "heads.jsonl"
    nowhere = [str(tmp_path), str(tmp_path / "nowhere" / "heads.jsonl")]
    places = [*nowhere, "http://127.0.0.1:9/heads?token=t0p", str(file)]
    async with office.opened(audit={"key_env": "AUDIT_KEY", "heads": places}):
        pass
    assert [head.seq for head in audit.read_heads(file)[0]] == [2]


async def test_a_head_is_sent_to_an_address(office: Office):
    taken: list[dict[str, Any]] = []

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        (length,) = [
            int(line.split(b":")[1]) for line in head.splitlines() if line.lower().startswith(b"content-l")
        ]
        taken.append(json.loads(await reader.readexactly(length)))
        writer.write(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(take, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        async with office.opened(audit={"key_env": "AUDIT_KEY", "heads": f"http://127.0.0.1:{port}/heads"}):
            pass
    assert audit.head_of(taken[0]).is_signed
    assert [head["seq"] for head in taken] == [2]


async def test_a_key_that_is_missing_keeps_a_process_from_executing(office: Office):
    with pytest.raises(MissingSetting):
        async with office.opened(audit={"key_env": "NO_SUCH_KEY"}):
            pass


async def forge(database: Database, statement: str) -> None:
    """What whoever owns the database can do."""
    sqlite = database.engine.dialect.name == "sqlite"
    free = (
        ["DROP TRIGGER IF EXISTS audit_entries_update", "DROP TRIGGER IF EXISTS audit_entries_delete"]
        if sqlite
        else ["ALTER TABLE audit_entries DISABLE TRIGGER ALL"]
    )
    if sqlite:
        statement = statement.replace("repeat('a', 64)", f"'{'a' * 64}'")

    def apply(connection: Connection) -> None:
        for each in (*free, statement):
            connection.execute(text(each))

    await database.commit(apply)


FORGERIES = {
    "edit": ("UPDATE audit_entries SET actor = 'eve' WHERE seq = 3", "changed"),
    "delete": ("DELETE FROM audit_entries WHERE seq = 3", "gap"),
    "swap": (
        "UPDATE audit_entries SET actor = CASE seq WHEN 3 THEN 'p4' ELSE 'p3' END WHERE seq IN (3, 4)",
        "changed",
    ),
    "cut": ("DELETE FROM audit_entries WHERE seq > 4", "head"),
    "empty": ("DELETE FROM audit_entries", "head"),
    "head": ("UPDATE audit_head SET seq = 3", "head"),
    "other record": ("UPDATE audit_head SET chain = 'aud_other'", "replaced"),
}


@pytest.mark.parametrize("how", FORGERIES)
async def test_forgeries_are_found_on_every_engine(database_url: str, how: str):
    statement, kind = FORGERIES[how]
    signer = audit.Signer(bytes(32))
    async with await Database.open(database_url) as database:
        for number in range(1, 7):
            await database.commit(
                lambda c, n=number: audit.append(c, at=EVER, actor=f"p{n}", action="run.read", thing="run_1")
            )
        position = await database.read(audit.stands)
        assert position is not None
        head = audit.sign(position, signer, EVER)
        await forge(database, statement)
        found = await database.read(lambda c: audit.verify(c, heads=[head], trusted={signer.public}))
    assert kind in {fault.kind for fault in found.faults}


async def test_an_export_is_an_entry_itself(office: Office, tmp_path: Path):
    file = tmp_path / "export.jsonl"
    async with office.opened(audit={"key_env": "AUDIT_KEY"}) as here:
        with file.open("wb") as out:
            written = await here.record.export(out.write, Wanted(), by="ann")
        assert await record_of(here, action="export.made") == [("ann", "export.made", "audit")]
        found = audit.verify_export(file, trusted=here.record.trusted)
    assert (found.entries, found.sound, found.unproven) == (written, True, ())


async def test_an_export_that_is_cut_off_is_not_begun_again_in_the_same_file(tmp_path: Path):
    told: list[bytes] = []

    def write(piece: bytes) -> None:
        if told:  # as if the server went away between two pages
            raise OperationalError("SELECT", {}, ConnectionError("gone"))
        told.append(piece)

    async with Office(f"sqlite:///{tmp_path}/p.db").opened() as here:
        with pytest.raises(DatabaseUnavailable, match="while the record was written out"):
            await here.record.export(write, Wanted(), by="ann")
    assert len(told) == 1


# Inspections.


async def test_an_inspection_of_honest_work_finds_nothing(office: Office):
    async with office.opened() as here:
        await paid_back(here, "7")
        await paid_back(here, "8", kind="reject")
        await here.run("desk", "look 9")
        assert await found_by(here) == []
    assert office.refunds == ["7"]


Seed = Callable[[proctor.Proctor, proctor.Run], Any]


async def spend_more(here: proctor.Proctor, run: proctor.Run) -> None:
    entries = metadata.tables["ledger_entries"]
    runs = metadata.tables["runs"]
    # All books agree with each other, and none with the price list.
    await change(
        here,
        update(entries).where(entries.c.run_id == run.id).values(cost_micros=entries.c.cost_micros * 2),
        update(runs).where(runs.c.id == run.id).values(cost=runs.c.cost * 2),
        text("UPDATE calls SET cost = cost * 2"),
    )


async def lose_an_entry(here: proctor.Proctor, run: proctor.Run) -> None:
    await change(here, text("UPDATE runs SET cost = cost + 1000"))


async def forget_the_question(here: proctor.Proctor, run: proctor.Run) -> None:
    await change(here, text("DELETE FROM approvals"), text("DELETE FROM approval_votes"))


async def swap_the_arguments(here: proctor.Proctor, run: proctor.Run) -> None:
    await change(here, text("UPDATE calls SET request = replace(request, '\"7\"', '\"700\"')"))


async def turn_a_no_into_a_yes(here: proctor.Proctor, run: proctor.Run) -> None:
    await change(here, text("UPDATE approvals SET decision = 'reject' WHERE kind = 'action'"))


async def sign_for_another(here: proctor.Proctor, run: proctor.Run) -> None:
    await change(
        here,
        text("UPDATE approval_votes SET person = 'bob', name = 'bob'"),
        text("UPDATE approvals SET decided_by = 'bob'"),
    )


async def decide_ones_own(here: proctor.Proctor, run: proctor.Run) -> None:
    await change(
        here,
        text("UPDATE approval_votes SET person = 'cleo', name = 'cleo'"),
        text("UPDATE approvals SET decided_by = 'cleo'"),
    )


async def execute_unseen(here: proctor.Proctor, run: proctor.Run) -> None:
    await change(here, text("UPDATE runs SET worker = 'nobody:1:abc'"))


async def keep_too_long(here: proctor.Proctor, run: proctor.Run) -> None:
    runs = metadata.tables["runs"]
    long_ago = datetime.now(UTC) - timedelta(days=40)
    await change(here, update(runs).values(finished_at=long_ago))


async def pin_by_hand(here: proctor.Proctor, run: proctor.Run) -> None:
    pins = metadata.tables["tool_pins"]
    form = form_of(ToolSpec(server="shop", name="pay", description="Pays.", parameters={}))
    spec = json.dumps({**form.said, "effect": "consequential"})
    row = {"server": "shop", "tool": "pay", "digest": form.digest, "spec": spec}
    await change(here, insert(pins).values(**row, pinned_at=datetime.now(UTC), pinned_by="eve"))


async def call_unpinned(here: proctor.Proctor, run: proctor.Run) -> None:
    data = {"server": "shop", "tool": "pay", "effect": "read_only", "refused_by": ""}
    events = metadata.tables["events"]
    row = {"run_id": run.id, "seq": 999, "at": datetime.now(UTC), "type": "tool.called", "agent": "clerk"}
    await change(here, insert(events).values(**row, data=json.dumps(data)))


async def spoil_a_pin(here: proctor.Proctor, run: proctor.Run) -> None:
    await pin_by_hand(here, run)
    await change(here, text("UPDATE tool_pins SET spec = '{}'"))


async def forge_an_entry(here: proctor.Proctor, run: proctor.Run) -> None:
    await forge(here.database, "UPDATE audit_entries SET tenant = 'x' WHERE seq = 1")


SEEDS: dict[str, tuple[Seed, str]] = {
    "a price that the list doesn't know": (spend_more, "price"),
    "a cost that no entry has": (lose_an_entry, "ledger"),
    "an action that nobody was asked about": (forget_the_question, "approval"),
    "an action with other arguments": (swap_the_arguments, "approval"),
    "an action against a no": (turn_a_no_into_a_yes, "approval"),
    "a decision in another's name": (sign_for_another, "decision"),
    "a decision on one's own request": (decide_ones_own, "decision"),
    "a process without a start": (execute_unseen, "policy"),
    "texts that are too old": (keep_too_long, "retention"),
    "a pin that nobody accepted": (pin_by_hand, "pin"),
    "a call of a tool without a pin": (call_unpinned, "pin"),
    "a pin that can't be read": (spoil_a_pin, "pin"),
    "a forged entry": (forge_an_entry, "record"),
}


@pytest.mark.parametrize("what", SEEDS)
async def test_a_seeded_violation_is_found_once(tmp_path: Path, what: str):
    office = Office(f"sqlite:///{tmp_path}/proctor.db")
    seed, kind = SEEDS[what]
    async with office.opened(privacy={"retention": {"journal": "30d"}}) as here:
        run = await paid_back(here, "7")
        assert await found_by(here) == []
        await seed(here, run)
        assert kind in {found for found, _ in await found_by(here)}
        assert await found_by(here) == [], "what is known isn't filed again"
        entries = await record_of(here, action="inspection.found")
        assert {who for who, _, _ in entries} == {"proctor"}


async def test_votes_and_hand_overs_from_before_the_period_are_known(tmp_path: Path):
    office = Office(f"sqlite:///{tmp_path}/proctor.db")
    rule = {**RULE, "quorum": 2}
    roles = {"manager": {"members": ["ann", "bob", "cem"]}}
    async with office.opened(teams={"desk": {"approvals": [rule]}}, roles=roles) as here:
        run = await here.run("desk", "7", requester="cleo")
        (question,) = await here.approvals(Filter(run_id=run.id))
        await here.runs.desk.delegate(question.id, by="ann", to="dora")
        await here.decide(question.id, Decision(kind="approve", by="dora"))
        between = datetime.now(UTC)
        await here.decide(question.id, Decision(kind="approve", by="bob"))
        assert (await here.wait(run.id)).state == "completed"
        done = await here.record.inspector.inspect(between)
        assert done.fresh == ()


async def test_what_is_erased_is_no_finding(tmp_path: Path):
    office = Office(f"sqlite:///{tmp_path}/proctor.db")
    async with office.opened() as here:
        await paid_back(here, "7")
        await here.privacy.erase(Subject(name="cleo"), by="mia")
        assert await found_by(here) == []


async def test_a_finding_that_is_mended_is_gone(tmp_path: Path):
    office = Office(f"sqlite:///{tmp_path}/proctor.db")
    async with office.opened() as here:
        await paid_back(here, "7")
        await change(here, text("UPDATE runs SET cost = cost + 1000"))
        assert [kind for kind, _ in await found_by(here)] == ["ledger"]
        await change(here, text("UPDATE runs SET cost = cost - 1000"))
        assert await found_by(here) == []
        assert await kept(here) == []
        (filed,) = await kept(here, all=True)
        assert filed.gone_at is not None


async def kept(here: proctor.Proctor, *, all: bool = False) -> list[Filed]:
    from proctor import inspection

    return list(await here.database.read(lambda c: inspection.page(c, all=all)))


async def test_a_rule_that_is_stricter_now_finds_nothing_in_what_was_before(tmp_path: Path):
    office = Office(f"sqlite:///{tmp_path}/proctor.db")
    lax = {"desk": {"approval": "never"}}
    async with office.opened(teams=lax) as here:
        run = await here.run("desk", "7", requester="cleo")
        assert run.state == "completed"
        assert await found_by(here) == []
    async with office.opened() as here:
        assert await found_by(here) == []


async def test_the_clock_inspects_once_a_day_whoever_is_first(office: Office):
    async with office.opened() as here:
        for inspector in (here.record.inspector, here.record.inspector):
            inspector._begun -= timedelta(hours=1)
            inspector._day = ""
            await inspector.look()
        days = await here.database.read(lambda c: c.execute(select(metadata.tables["inspections"])).all())
        (made,) = await here.database.read(lambda c: audit.page(c, Wanted(action="inspection.made")))
    assert len(days) == 1
    assert (made.actor, made.thing, made.details["found"]) == ("proctor", "daily", 0)


@pytest.mark.parametrize("by", ["the clock", "hand"])
@pytest.mark.parametrize("later", ["finds it", "finds it gone"])
async def test_what_an_inspection_says_that_began_later_stands(office: Office, later: str, by: str):
    now, later_finds = datetime.now(UTC), later == "finds it"
    breaks, mends = (text(f"UPDATE runs SET cost = cost {change} 1000") for change in "+-")
    async with office.opened() as here:
        await paid_back(here, "7")
        rules = here.record.inspector._rules

        def inspector(clock: FakeClock, rules: Callable[[], Awaitable[Rules]]) -> Inspector:
            made = Inspector(here.database, rules=rules, clock=clock, worker="w", on_found=lambda _: None)
            clock.advance(3600)
            return made

        second = inspector(FakeClock(now + timedelta(seconds=2)), rules)
        if not later_finds:
            await change(here, breaks)
            await inspector(FakeClock(now - timedelta(seconds=2)), rules).inspect(EVER)

        async def overtaken() -> Rules:
            await change(here, breaks if later_finds else mends)
            await second.look()
            await change(here, mends if later_finds else breaks)  # as who began first has read it
            return await rules()

        earlier = inspector(FakeClock(now), overtaken)
        await (earlier.look() if by == "the clock" else earlier.inspect(EVER))
        made = await record_of(here, action="inspection.made")
        found = [filed.kind for filed in await kept(here)]
    assert found == ["ledger"] * later_finds
    inspections = [*([] if later_finds else ["by hand"]), "daily", *(["by hand"] if by == "hand" else [])]
    assert [thing for _, _, thing in made] == inspections


async def test_no_row_that_somebody_writes_keeps_the_clock_from_inspecting(office: Office):
    today, never = f"{datetime.now(UTC):%Y-%m-%d}", "9999-12-31"
    async with office.opened() as here:
        inspections = metadata.tables["inspections"]
        row = {"at": datetime.now(UTC), "worker": "eve", "findings": 0}
        await change(here, *(insert(inspections).values(day=day, **row) for day in (today, never)))
        here.record.inspector._begun -= timedelta(hours=1)
        await here.record.inspector.look()
        assert len(await record_of(here, action="inspection.made")) == 1


async def test_a_finding_that_somebody_deletes_is_found(tmp_path: Path):
    office = Office(f"sqlite:///{tmp_path}/proctor.db")
    async with office.opened() as here:
        run = await paid_back(here, "7")
        await lose_an_entry(here, run)
        assert await found_by(here) == [("ledger", run.id)]
        await change(here, text("UPDATE runs SET cost = cost - 1000"), text("DELETE FROM findings"))
        assert await found_by(here) == [("record", run.id)]


async def test_an_inspection_of_a_long_random_workload_finds_nothing(tmp_path: Path):
    office = Office(f"sqlite:///{tmp_path}/proctor.db")
    rng = Random(7)
    for _ in range(3):
        async with office.opened() as here:
            for number in range(12):
                match rng.choice(["pay", "refuse", "look", "cancel", "standing"]):
                    case "pay":
                        await paid_back(here, str(number), by=rng.choice(["ann", "bob"]))
                    case "refuse":
                        await paid_back(here, str(number), kind="reject")
                    case "look":
                        await here.run("desk", f"look {number}")
                    case "cancel":
                        run = await here.run("desk", str(number), requester="cleo")
                        if run.state == "waiting":
                            await here.runs.cancel(run.id, by="ann")
                    case _:
                        run = await here.run("desk", "day", requester="cleo")
                        if run.state == "waiting":
                            (question,) = await here.approvals(Filter(run_id=run.id))
                            decision = Decision(kind="approve", by="ann", standing="day")
                            await here.decide(question.id, decision)
                            await here.wait(run.id)
            assert await found_by(here) == []
            assert (await here.database.read(audit.verify)).sound
