"""The duties of who processes people's data, one by one, on each database.

Articles are those of the GDPR; PIPL is China's Personal Information Protection Law.
"""

import asyncio
import json
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest
from autogen_agentchat.agents import AssistantAgent
from autogen_agentchat.base import ChatAgent, Team
from autogen_agentchat.conditions import MaxMessageTermination
from autogen_agentchat.teams import RoundRobinGroupChat
from sqlalchemy import Insert, insert, select, update

import proctor
from conftest import make_settings
from proctor import Decision, Settings
from proctor.core import (
    Conflict,
    InvalidInput,
    KnowledgeSettings,
    ModelCall,
    NotFound,
    PrivacySettings,
    SystemClock,
)
from proctor.knowledge import Document, Knowledge
from proctor.ledger import reconcile_ledger
from proctor.privacy import (
    DECISIONS,
    ConsentMissing,
    Erased,
    OnHold,
    Place,
    Privacy,
    Restricted,
    StillRunning,
    Subject,
)
from proctor.runs import Run
from proctor.store import metadata
from proctor.testing import FakeClock, Reply, ScriptedModel, tool_call

ANN, BOB = Subject(name="ann@example.com"), Subject(name="bob@example.com")
HERS, HIS = "Quillfeather", "Brannigan"
"""Words that stand in nothing but one subject's data."""
NO_TEXT = {
    "storage_sizes",
    "budget_accounts",
    "privacy_keys",
    "vault",
    "notices",
    "links",
    "standing_approvals",
}
"""Tables that lose rows of a subject, and hold no text of theirs that could be looked for here."""
KEY = {"VAULT": "k" * 20 + "-0123456789abcdef"}

PURPOSES = {
    "support": {"needs_consent": True, "text_version": "3"},
    "letters": {"needs_consent": True},
    "bookkeeping": {"basis": "legal_obligation"},
    "abroad": {"needs_consent": True, "also": ["letters"]},
}


def application() -> proctor.App:
    app = proctor.App()

    @app.tool(effect="consequential")
    def refund(order: str) -> str:
        """Pays an order's money back."""
        return f"refunded {order}"

    @app.team("desk", tools=["refund"])
    def desk(ctx: proctor.TeamContext) -> ChatAgent:
        return AssistantAgent(
            "clerk",
            model_client=ctx.model("small"),
            workbench=ctx.tools("refund"),
            reflect_on_tool_use=False,
        )

    @app.team("checked")
    def checked(ctx: proctor.TeamContext) -> Team:
        members = [AssistantAgent("writer", model_client=ctx.model("small")), ctx.human("manager")]
        return RoundRobinGroupChat(members, termination_condition=MaxMessageTermination(3))

    return app


def answer(call: ModelCall) -> Reply:
    said = str(call.messages[-1].get("content"))
    if said.startswith("Refund"):
        return [tool_call("refund", order=said.rsplit(" ", maxsplit=1)[-1])]
    return f"I see: {said}"


@dataclass
class Office:
    """A Proctor whose runs are about people."""

    running: proctor.Proctor
    privacy: Privacy
    model: ScriptedModel
    url: str

    async def start(
        self,
        task: str,
        subject: Subject,
        *,
        purpose: str = "bookkeeping",
        team: str = "desk",
        thread: str | None = None,
        requester: str = "",
    ) -> Run:
        more: dict[str, Any] = {} if thread is None else {"thread": thread}
        made = self.running.prepare(team, task, tenant=subject.tenant, requester=requester, **more)
        run = replace(made.run, subject=subject.name, purpose=purpose, state="queued", attempt=0, worker=None)
        await self.privacy.admit(run)
        await self.running.runs.start(replace(made, run=run))
        self.running.engine.wake()
        return run

    async def run(self, task: str, subject: Subject, **more: Any) -> Run:
        run = await self.start(task, subject, **more)
        ended = await self.running.wait(run.id)
        assert ended.error is None, ended.error
        return ended

    async def exported(self, subject: Subject) -> dict[str, Any]:
        return json.loads("".join([piece async for piece in self.privacy.export(subject)]))

    async def holds_anywhere(self, word: str) -> list[str]:
        """The tables whose rows hold a word."""

        def look(connection: Any) -> list[str]:
            return [
                table.name
                for table in metadata.sorted_tables
                if any(word in repr(tuple(row)) for row in connection.execute(select(table)))
            ]

        return await self.running.database.read(look)


def in_files(url: str, word: str) -> list[str]:
    """SQLite's files that hold a word."""
    file = Path(url.removeprefix("sqlite:///"))
    beside = (file, file.with_name(f"{file.name}-wal"), file.with_name(f"{file.name}-shm"))
    return [each.name for each in beside if each.exists() and word.encode() in each.read_bytes()]


@asynccontextmanager
async def office(
    url: str, *, clock: Any = None, settings: Settings | None = None, answers: Any = answer, **privacy: Any
) -> AsyncIterator[Office]:
    model = ScriptedModel(answers)
    read = PrivacySettings.model_validate({"purposes": PURPOSES, **privacy})
    configured = (settings or make_settings(url)).model_copy(update={"privacy": read})
    environ = {**os.environ, **KEY}
    async with (
        asyncio.timeout(60),
        proctor.open(
            application(), settings=configured, providers={"openai": model}, environ=environ
        ) as running,
    ):
        made = Privacy(running.database, read, running.runs, clock=clock or SystemClock(), environ=environ)
        yield Office(running=running, privacy=made, model=model, url=url)


def batch_request(run: Run, word: str) -> Any:
    """A request that a provider has, for a run that ended before it was answered."""
    at = datetime.now(UTC)
    texts = {"key": f"{run.id}:1", "agent": "clerk", "thread_id": "", "deployment": "small", "state": "sent"}
    sizes = {"run_id": run.id, "team": run.team, "tenant": run.tenant, "requester": run.subject, "size": 1}
    times = {"created_at": at, "ready_at": at, "deadline_at": at}
    return insert(metadata.tables["batch_requests"]).values(
        **texts, **sizes, **times, body=f'{{"said": "{word}"}}'
    )


async def fill(office: Office, subject: Subject, word: str) -> list[Run]:
    """One of all that Proctor keeps on a person."""
    first = await office.run(f"Tell {word} the price", subject)
    asked = await office.run(f"Refund {word}", subject)
    [approval] = [each for each in await office.running.approvals() if each.run_id == asked.id]
    await office.running.decide(approval.id, Decision(kind="approve", comment=f"{word} may", by="mia"))
    await office.running.wait(asked.id)
    thread = await office.running.open_thread("desk", tenant=subject.tenant)
    talked = await office.run(f"I am {word}", subject, thread=thread.id)
    long = await office.run(f"{word} " + "writes at length " * 8000, subject)
    request = batch_request(long, word)
    await office.running.database.commit(lambda c: c.execute(request).rowcount)
    knowledge = Knowledge(office.running.database, KnowledgeSettings(embeddings="none"))
    await knowledge.add(
        "cases",
        [
            Document(
                name=f"case-{word}", text=f"{word} complained.", subject=subject.name, tenant=subject.tenant
            )
        ],
    )
    await office.running.schedules.add(
        f"daily-{word}",
        "desk",
        f"Remind {word}",
        cron="0 8 * * *",
        requester=subject.name,
        tenant=subject.tenant,
    )
    return [first, asked, talked, long]


async def test_consent_can_be_shown_with_text_time_channel_and_recorder(database_url: str) -> None:
    """Article 7 (1); PIPL 14."""
    async with office(database_url) as here:
        before = datetime.now(UTC)
        given = await here.privacy.give(ANN, "support", channel="web", by="mia")
        [shown] = await here.privacy.consents(ANN)
        assert shown == given
        assert (shown.version, shown.channel, shown.recorded_by, shown.act) == ("3", "web", "mia", "give")
        assert before <= shown.at <= datetime.now(UTC)
        with pytest.raises(NotFound):
            await here.privacy.give(ANN, "suport")


async def test_nothing_is_processed_without_the_consent_that_a_purpose_needs(database_url: str) -> None:
    """Article 6 (1) (a); PIPL 13."""
    async with office(database_url) as here:
        with pytest.raises(ConsentMissing) as refused:
            await here.start("Hello", ANN, purpose="support")
        assert refused.value.purpose == "support"
        assert "consent give" in refused.value.hint
        await here.privacy.give(ANN, "support")
        assert (await here.run("Hello", ANN, purpose="support")).state == "completed"
        with pytest.raises(ConsentMissing):
            await here.start("Hello", BOB, purpose="support")
        with pytest.raises(ConsentMissing):
            await here.start("Hello", replace(ANN, tenant="other"), purpose="support")


async def test_a_consent_to_another_text_is_none(database_url: str) -> None:
    """Article 7 (2): consent is informed, and to this text."""
    async with office(database_url) as here:
        await here.privacy.give(ANN, "support", version="2")
        with pytest.raises(ConsentMissing):
            await here.start("Hello", ANN, purpose="support")
        await here.privacy.give(ANN, "support", version="3")
        await here.start("Hello", ANN, purpose="support")


async def test_withdrawing_is_as_easy_as_giving_and_changes_no_history(database_url: str) -> None:
    """Article 7 (3); PIPL 15."""
    async with office(database_url) as here:
        await here.privacy.give(ANN, "support", channel="web")
        run = await here.run("Hello", ANN, purpose="support")
        await here.privacy.withdraw(ANN, "support", channel="phone")
        with pytest.raises(ConsentMissing):
            await here.start("Hello again", ANN, purpose="support")
        with pytest.raises(ConsentMissing):
            await here.privacy.admit(run)
        await here.privacy.give(ANN, "support", channel="web")
        await here.privacy.admit(run)
        said = await here.privacy.consents(ANN, purpose="support")
        assert [each.act for each in said] == ["give", "withdraw", "give"]
        assert (await here.privacy.standing(ANN))["support"].lives


async def test_a_withdrawal_stops_what_runs(database_url: str) -> None:
    """Article 7 (3): what follows the withdrawal isn't covered by what was given before."""
    asked = asyncio.Event()

    async def never(_: ModelCall) -> Reply:
        asked.set()
        await asyncio.Event().wait()
        raise AssertionError

    async with office(database_url, answers=never) as here:
        await here.privacy.give(ANN, "support")
        run = await here.start("Hello", ANN, purpose="support")
        await asked.wait()
        await here.privacy.withdraw(ANN, "support")
        assert (await here.running.wait(run.id)).state == "cancelled"


async def test_a_consent_covers_its_own_purpose_alone(database_url: str) -> None:
    """Article 5 (1) (b), purpose limitation; PIPL 23, 29, 39: separate consent to hand data on or abroad."""
    async with office(database_url) as here:
        await here.privacy.give(ANN, "letters")
        with pytest.raises(ConsentMissing):
            await here.start("Hello", ANN, purpose="support")
        with pytest.raises(ConsentMissing):
            await here.start("Hello", ANN, purpose="abroad")
        await here.privacy.give(ANN, "abroad")
        run = await here.run("Hello", ANN, purpose="abroad")
        await here.privacy.withdraw(ANN, "letters")
        with pytest.raises(ConsentMissing) as refused:
            await here.start("Hello", ANN, purpose="abroad")
        assert refused.value.purpose == "letters"
        tags = {item["purpose"] for item in (await here.exported(ANN))["items"] if item["kind"] == "run"}
        assert (tags, run.purpose) == ({"abroad"}, "abroad")


async def test_a_person_is_told_all_that_is_held_on_them_and_nothing_on_others(database_url: str) -> None:
    """Articles 15 and 20, access and portability; PIPL 45."""
    async with office(database_url, retention={"runs": "90d"}) as here:
        hers = await fill(here, ANN, HERS)
        await fill(here, BOB, HIS)
        await here.privacy.give(ANN, "support")
        told = await here.exported(ANN)
        assert (told["format"], told["subject"]) == ("proctor-subject-export/1", ANN.name)
        kinds = {item["kind"] for item in told["items"]}
        assert kinds >= {
            "run",
            "call",
            "event",
            "approval",
            "memory",
            "document",
            "schedule",
            "consent",
            "ledger",
        }
        assert {item["data"]["id"] for item in told["items"] if item["kind"] == "run"} == {
            run.id for run in hers
        }
        one = next(item for item in told["items"] if item["kind"] == "run")
        ended = datetime.fromisoformat(one["data"]["finished_at"])
        assert datetime.fromisoformat(one["deleted_after"]) == ended + timedelta(days=90)
        assert one["purpose"] == "bookkeeping"
        assert told["purposes"]["bookkeeping"]["basis"] == "legal_obligation"
        whole = json.dumps(told)
        assert HERS in whole
        assert HIS not in whole
        assert "mia" not in whole


async def test_a_person_can_be_forgotten_and_nobody_else_is(database_url: str) -> None:
    """Article 17; PIPL 47."""
    small = {"model": "gpt-5.4-mini", "price": {"input": 1, "output": 2}, "cache": {"ttl": 600}}
    async with office(database_url, settings=make_settings(database_url, models={"small": small})) as here:
        hers = await fill(here, ANN, HERS)
        await fill(here, BOB, HIS)
        await here.privacy.give(ANN, "support", channel="web")
        his = await here.holds_anywhere(HIS)
        emptied = {name for name, decided in DECISIONS.items() if decided.fate in ("deleted", "emptied")}
        assert emptied - set(await here.holds_anywhere(HERS)) == NO_TEXT
        survey = await here.privacy.survey(ANN)
        assert survey.runs == len(hers)
        assert HERS in json.dumps(await here.exported(ANN))  # a survey changes nothing
        erasure = await here.privacy.erase(ANN, by="mia")
        assert await here.holds_anywhere(HERS) == []
        assert await here.holds_anywhere(ANN.name) == []
        assert await here.holds_anywhere(HIS) == his
        assert dict(erasure.tombstone.counts) == survey.counts
        assert set(erasure.tombstone.counts) <= {
            name for name, decided in DECISIONS.items() if decided.fate != "kept"
        }
        assert erasure.tombstone.kept == {}
        [stone] = await here.privacy.tombstones(ANN)
        assert (stone.erased_by, stone.finished_at is not None) == ("mia", True)
        assert ANN.name not in repr(stone)
        # The books still agree, and what was agreed to can still be shown to who knows the name.
        assert await here.running.database.read(reconcile_ledger) == ()
        assert [each.act for each in await here.privacy.consents(ANN)] == ["give"]
        assert not await here.privacy.standing(ANN)
        for run in hers:
            erased = await here.running.runs.get(run.id)
            with pytest.raises(Erased):
                await here.privacy.admit(erased)
            assert await here.running.runs.calls(run.id) == ()
        again = await here.privacy.erase(ANN)
        assert dict(again.tombstone.counts) == {}


async def test_erased_bytes_are_in_no_file(tmp_path: Path) -> None:
    """Article 17: what is deleted can't be read from the disk either, as far as the database sees to that."""
    url = f"sqlite:///{tmp_path}/proctor.db"
    async with office(url) as here:
        await fill(here, ANN, HERS)
        await fill(here, BOB, HIS)
        assert in_files(url, HERS)
        erasure = await here.privacy.erase(ANN)
        assert erasure.files_are_clean
        # The index of the full text keeps words in small letters.
        assert in_files(url, HERS) == in_files(url, HERS.lower()) == in_files(url, ANN.name) == []
        assert in_files(url, HIS)


def many_runs(rng: Random) -> Iterator[Insert]:
    """Hundreds of runs of all lengths, half of them hers: deleting these moves the others' rows about."""
    at = datetime.now(UTC)
    for number in range(600):
        id, hers = f"run_{number:026d}", rng.random() < 0.5
        word = HERS if hers else "nobody"
        yield insert(metadata.tables["runs"]).values(
            id=id,
            team="t",
            target="",
            tenant="default",
            state="completed",
            attempt=1,
            cost=0,
            events=0,
            cancel_requested=False,
            created_at=at,
            finished_at=at,
            subject=(ANN if hers else BOB).name,
            task=word * rng.randrange(1, 60),
            result=word * rng.randrange(1, 60),
        )
        for place in range(3):
            yield insert(metadata.tables["calls"]).values(
                run_id=id,
                agent="a",
                kind="model",
                occurrence=0,
                position=place,
                attempt=1,
                outcome="{}",
                cost=0,
                started_at=at,
                fingerprint=f"{rng.random()}"[:30],
                request=f'{{"m":"{word * rng.randrange(1, 90)}"}}',
            )


async def test_bytes_that_other_rows_moved_about_are_gone_as_well(tmp_path: Path) -> None:
    """Article 17. SQLite overwrites what is deleted, but not what it copied to another page before."""
    url = f"sqlite:///{tmp_path}/proctor.db"
    async with office(url) as here:
        await here.running.database.commit(
            lambda connection: [connection.execute(each).rowcount for each in many_runs(Random(4))]
        )
        erasure = await here.privacy.erase(ANN, scrubbed="later")
        assert not erasure.files_are_clean
        assert await here.holds_anywhere(HERS) == []
        assert await here.privacy.scrub()
        assert in_files(url, HERS) == []


async def test_a_conversation_is_forgotten_whole(database_url: str) -> None:
    """Article 17: a later message's requests repeat what was said before."""
    async with office(database_url) as here:
        thread = await here.running.open_thread("desk")
        await here.run(f"I am {HERS}", ANN, thread=thread.id)
        unnamed = await here.running.run("desk", "And then?", thread=thread.id)
        assert HERS in json.dumps([call.request for call in await here.running.runs.calls(unnamed.id)])
        await here.privacy.erase(ANN)
        assert await here.holds_anywhere(HERS) == []


async def test_who_asked_is_the_subject_where_nobody_is_named(database_url: str) -> None:
    """Articles 15 and 17 reach what was kept before subjects were named."""
    async with office(database_url) as here:
        await here.running.run("desk", f"For {HERS}", requester=ANN.name)
        assert HERS in json.dumps(await here.exported(ANN))
        await here.privacy.erase(ANN)
        assert await here.holds_anywhere(HERS) == await here.holds_anywhere(ANN.name) == []


async def test_namesakes_of_two_tenants_are_two_people(database_url: str) -> None:
    """Article 32: one tenant's request tells and erases nothing of another's."""
    async with office(database_url) as here:
        other = Subject(name=ANN.name, tenant="other")
        await fill(here, ANN, HERS)
        await fill(here, other, HIS)
        assert HIS not in json.dumps(await here.exported(ANN))
        await here.privacy.erase(ANN)
        assert await here.holds_anywhere(HERS) == []
        assert HIS in json.dumps(await here.exported(other))


async def test_runs_that_go_on_are_cancelled_before_they_are_forgotten(database_url: str) -> None:
    """Article 17: without undue delay."""
    asked = asyncio.Event()

    async def never(_: ModelCall) -> Reply:
        asked.set()
        await asyncio.Event().wait()
        raise AssertionError

    async with office(database_url, answers=never) as here:
        run = await here.start(f"For {HERS}", ANN)
        await asked.wait()
        await here.privacy.erase(ANN)
        assert (await here.running.runs.get(run.id)).state == "cancelled"
        assert await here.holds_anywhere(HERS) == []
        with pytest.raises(Conflict):
            await here.running.resume(run.id)


async def test_what_is_held_for_a_court_is_neither_erased_nor_too_old(database_url: str) -> None:
    """Articles 17 (3) (e) and 18 (1) (c)."""
    clock = FakeClock(datetime.now(UTC))
    async with office(database_url, clock=clock, retention={"journal": "1d", "runs": "1d"}) as here:
        run = await here.run(f"For {HERS}", ANN)
        hold = await here.privacy.hold(subject=ANN, reason="case 12", by="mia")
        with pytest.raises(OnHold) as refused:
            await here.privacy.erase(ANN)
        assert refused.value.holds == (hold.id,)
        clock.advance(3 * 86_400)
        await here.privacy.tick()
        assert HERS in json.dumps(await here.exported(ANN))
        await here.privacy.release(hold.id, by="mia")
        mine = await here.privacy.hold(run_id=run.id, reason="case 13")
        with pytest.raises(OnHold):
            await here.privacy.erase(ANN)
        await here.privacy.release(mine.id)
        await here.privacy.erase(ANN)
        assert await here.holds_anywhere(HERS) == []
        assert next(iter(await here.privacy.holds(all=True))).reason == "[erased]"
        with pytest.raises(InvalidInput):
            await here.privacy.hold(subject=ANN, run_id=run.id, reason="both")


async def test_restricted_data_is_kept_and_not_processed(database_url: str) -> None:
    """Article 18 (1)."""
    async with office(database_url) as here:
        await here.run(f"For {HERS}", ANN)
        hold = await here.privacy.hold(subject=ANN, kind="restriction", reason="accuracy is contested")
        with pytest.raises(Restricted):
            await here.start("More", ANN)
        with pytest.raises(Restricted):
            await here.privacy.admit(here.running.prepare("desk", "More", requester=ANN.name).run)
        with pytest.raises(OnHold):
            await here.privacy.erase(ANN)
        await here.privacy.release(hold.id)
        await here.start("More", ANN)


async def test_what_is_too_old_goes_by_its_class(database_url: str) -> None:
    """Article 5 (1) (e), storage limitation; PIPL 19."""
    clock = FakeClock(datetime.now(UTC))
    retention = {"journal": "30d", "events": "30d", "runs": "90d", "memory": "30d", "knowledge": "90d"}
    async with office(database_url, clock=clock, retention=retention | {"consents": "365d"}) as here:
        runs = await fill(here, ANN, HERS)
        await here.privacy.give(ANN, "support", version="2")
        await here.privacy.give(ANN, "support", version="3")
        await here.privacy.tick()
        assert await here.running.runs.calls(runs[0].id)
        clock.advance(31 * 86_400)
        await here.privacy.tick()
        assert await here.running.runs.calls(runs[0].id) == ()
        assert HERS in (await here.running.runs.get(runs[0].id)).task
        assert not {"calls", "events", "blobs", "thread_states"} & set(await here.holds_anywhere(HERS))
        clock.advance(60 * 86_400)
        await here.privacy.tick()
        kept = await here.running.runs.get(runs[0].id)
        assert (kept.task, kept.result, kept.requester) == ("[erased]", None, "")
        assert ANN.name not in kept.subject
        clock.advance(300 * 86_400)
        await here.privacy.tick()
        assert [each.version for each in await here.privacy.consents(ANN)] == ["3"]
        assert await here.running.database.read(reconcile_ledger) == ()
        # What is left is still found, and can be erased.
        assert "approval" in {item["kind"] for item in (await here.exported(ANN))["items"]}
        await here.privacy.erase(ANN)
        assert await here.holds_anywhere(HERS) == []


async def test_what_the_law_demands_is_kept_said_so_and_erased_when_its_time_is_over(
    database_url: str,
) -> None:
    """Article 17 (3) (b); PIPL 47."""
    clock = FakeClock(datetime.now(UTC))
    async with office(database_url, clock=clock, retention={"approvals": {"floor": "365d"}}) as here:
        await fill(here, ANN, HERS)
        survey = await here.privacy.survey(ANN)
        erasure = await here.privacy.erase(ANN)
        assert list(erasure.tombstone.kept) == list(survey.kept) == ["approvals"]
        left = erasure.tombstone.kept["approvals"]
        assert left.rows == 1
        assert set(await here.holds_anywhere(HERS)) == {"approvals", "approval_votes"}
        assert HERS in json.dumps(await here.exported(ANN))
        clock.advance(366 * 86_400)
        await here.privacy.tick()
        assert await here.holds_anywhere(HERS) == []
        [stone] = await here.privacy.tombstones(ANN)
        assert (stone.kept, stone.due_at) == ({}, None)


async def test_values_stand_behind_tokens_and_only_there(database_url: str) -> None:
    """Articles 5 (1) (c) and (f), 25 and 32: minimisation, confidentiality, pseudonyms; PIPL 51."""
    async with office(database_url, vault={"key_env": "VAULT"}) as here:
        vault = here.privacy.vault
        assert vault is not None
        run = await here.run("Hello", ANN)
        scope = await here.privacy.scope_of(run)
        said = f"Write to {HERS}@x.org, and again to {HERS}@x.org or 你好@例子.cn"
        places = [
            Place(kind="email", start=start, end=start + len(word))
            for word in (f"{HERS}@x.org", "你好@例子.cn")
            for start in range(len(said))
            if said.startswith(word, start)
        ]
        hidden = await vault.hide(said, places, scope=scope)
        assert HERS not in hidden
        assert hidden.count(hidden.split()[2].rstrip(",")) == 2
        assert await vault.hide(said, places, scope=scope) == hidden
        assert await vault.restore({"to": [hidden]}, scope=scope) == {"to": [said]}
        assert await here.holds_anywhere(HERS) == []
        elsewhere = await here.privacy.scope_of(await here.run("Hello", BOB))
        assert await vault.restore(hidden, scope=elsewhere) == hidden
        assert HERS in json.dumps(await here.exported(ANN))
        await here.privacy.erase(ANN)
        assert await vault.restore(hidden, scope=scope) == hidden


async def test_an_erasure_that_broke_off_is_ended_by_the_next(database_url: str) -> None:
    """Article 17: it isn't done until it is done."""
    async with office(database_url) as here:
        await fill(here, ANN, HERS)
        whose = await here.privacy._whose(ANN)
        eraser = here.privacy._eraser
        from proctor.privacy import _tombstones

        stone = await here.running.database.commit(
            lambda c: _tombstones.begin(c, whose, by="mia", at=datetime.now(UTC))
        )
        await here.running.database.commit(
            lambda c: eraser._erase_page(c, whose=whose, stone=stone.id, after="")
        )
        [unfinished] = await here.privacy.tombstones(ANN)
        assert unfinished.finished_at is None
        ended = (await here.privacy.erase(ANN)).tombstone
        assert (ended.id, ended.counts["runs"]) == (stone.id, 4)
        assert await here.holds_anywhere(HERS) == []


async def test_who_does_not_stop_is_not_erased(database_url: str) -> None:
    """A run that somebody executes and that doesn't end would write more."""
    clock = FakeClock(datetime.now(UTC))
    async with office(database_url, clock=clock) as here:
        run = await here.run(f"For {HERS}", ANN)
        runs = metadata.tables["runs"]
        stuck = update(runs).where(runs.c.id == run.id).values(state="running", finished_at=None)
        await here.running.database.commit(lambda c: c.execute(stuck).rowcount)
        with pytest.raises(StillRunning):
            await here.privacy.erase(ANN)
        assert HERS in json.dumps(await here.exported(ANN))


def test_each_table_has_its_decision() -> None:
    """Article 30: nothing is kept of which nobody knows why. A new table fails here until it is decided."""
    assert sorted(DECISIONS) == sorted(metadata.tables)


def test_a_floor_above_its_ceiling_is_refused() -> None:
    with pytest.raises(ValueError, match="floor lies above"):
        PrivacySettings.model_validate({"retention": {"runs": {"floor": "90d", "ceiling": "30d"}}})
