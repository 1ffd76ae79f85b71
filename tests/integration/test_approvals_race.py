"""Many processes at the same approvals: each is decided once, used once, and acted on once."""

import asyncio
import multiprocessing
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection

import proctor
from proctor import Decision, approvals
from proctor.core import Question, SystemClock, Terms
from proctor.runs import Desk, runs
from proctor.store import Database
from proctor.testing import ScriptedModel
from teams.payers import clerk, payer, payer_settings, resume
from teams.racers import decide_and_consume, tally

PROCESSES = 8
REQUESTS = 200
NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
ANYBODY = Terms()
PAY = {"server": "python", "tool": "pay", "arguments": {}}


def race(work: Callable[..., None], each: Sequence[tuple[Any, ...]]) -> list[Any]:
    """What each of the processes tells that begin at the same moment."""
    spawn = multiprocessing.get_context("spawn")
    barrier, out = spawn.Barrier(len(each)), spawn.Queue()
    processes = [spawn.Process(target=work, args=(*arguments, barrier, out)) for arguments in each]
    try:
        for process in processes:
            process.start()
        told = [out.get(timeout=180) for _ in processes]
        for process in processes:
            process.join(timeout=20)
        return told
    finally:
        for process in processes:
            if process.is_alive():
                process.kill()


def ask(connection: Connection, terms: Terms = ANYBODY) -> list[str]:
    ids = [f"apr_{number:03}" for number in range(REQUESTS)]
    row = {"team": "desk", "target": "", "tenant": "default", "state": "waiting", "attempt": 1, "task": "t"}
    row |= {"cost": 0, "events": 0, "cancel_requested": False, "created_at": NOON}
    for id in ids:
        connection.execute(runs.insert(), {"id": f"run_{id}", **row})
        question = Question(kind="action", role="", text="May I?", action=PAY, terms=terms)
        approvals.request(
            connection,
            id=id,
            run_id=f"run_{id}",
            call_key="key",
            team="desk",
            agent="clerk",
            question=question,
            at=NOON,
        )
    return ids


@pytest.mark.slow
async def test_of_eight_processes_one_decides_and_one_uses_each_of_200_requests(database_url: str) -> None:
    async with await Database.open(database_url) as database:
        ids = await database.commit(ask)
        arguments = [(database_url, ids, seed) for seed in range(PROCESSES)]
        told = await asyncio.to_thread(race, decide_and_consume, arguments)

        assert tally(told, "decided") == dict.fromkeys(ids, 1)
        assert tally(told, "consumed") == dict.fromkeys(ids, 1)
        assert sum(bool(winner["decided"]) for winner in told) > 1, "it was a race"

        def look(connection: Connection) -> list[approvals.Approval]:
            return [approvals.get(connection, id) for id in ids]

        winners = {id: winner["name"] for winner in told for id in winner["decided"]}
        for approval in await database.read(look):
            assert approval.state == "consumed"
            assert approval.decision is not None
            assert [vote.by for vote in approval.votes] == [approval.decision.by] == [winners[approval.id]]


async def test_two_who_vote_at_the_same_moment_make_a_quorum_of_two(database_url: str) -> None:
    async with await Database.open(database_url) as one, await Database.open(database_url) as other:
        ids = (await one.commit(lambda connection: ask(connection, Terms(quorum=2))))[:30]
        desks = [Desk(database, clock=SystemClock(), roles={}) for database in (one, other)]
        for id in ids:
            voted = await asyncio.gather(
                *(
                    desk.decide(id, Decision(kind="approve", by=f"person {number}"))
                    for number, desk in enumerate(desks)
                )
            )
            assert sorted(approval.state for approval in voted) == ["decided", "pending"]


async def test_two_workers_that_resume_one_approved_run_act_once(database_url: str, tmp_path: Path) -> None:
    effects = tmp_path / "effects.txt"
    async with proctor.open(
        payer(effects),
        settings=payer_settings(database_url),
        providers={"openai": ScriptedModel(clerk)},
    ) as running:
        run = await running.run("desk", "Pay order 7")
        (approval,) = await running.approvals()
    async with proctor.open(
        payer(effects), settings=payer_settings(database_url), executes=False, providers={}
    ) as running:
        await running.decide(approval.id, Decision(kind="approve", by="ann"))
        assert await running.runs.execution.due(1) == (run.id,)
        arguments = [(database_url, effects, run.id)] * 2
        told = await asyncio.to_thread(race, resume, arguments)
        assert sorted(told) == ["completed", "nothing"]
        assert (await running.runs.get(run.id)).state == "completed"
        assert (await running.approval(approval.id)).state == "consumed"
    assert len(effects.read_text(encoding="utf-8").splitlines()) == 1
