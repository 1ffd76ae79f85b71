"""`proctor db` on real installations: upgraded, checked, and moved from a file into PostgreSQL."""

import asyncio
import json
import os
import signal
import sqlite3
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from autogen_agentchat.agents import AssistantAgent
from sqlalchemy import make_url, text

import proctor
from conftest import make_settings
from proctor.cli import main
from proctor.core import Decision, KnowledgeSettings, ModelCall, ModelRefused
from proctor.knowledge import Document, Knowledge
from proctor.runs import Run
from proctor.store import Database, make_engine
from proctor.testing import Reply, ScriptedModel, tool_call
from servers.postgres import Postgres, running_postgres

# Cyclopts takes reading sys.argv for a mistake in a test; here it is what the program does.
pytestmark = pytest.mark.filterwarnings("ignore:Cyclopts application invoked")

LONG = "x" * 70_000 + "ß\u0000\ud83d"
"""Large enough to be kept beside the journal, with characters that databases refuse."""


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    with running_postgres() as running:
        yield running


@pytest.fixture
def target(server: Postgres) -> str:
    return server.create_database()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "proctor.db"


@dataclass
class Shell:
    """`proctor db` as it is called on a database, in this process."""

    capture: pytest.CaptureFixture[str]
    patch: pytest.MonkeyPatch

    def __call__(self, place: Path | str, *arguments: str, code: int = 0) -> str:
        """What a command prints on its output."""
        self.patch.setenv("PROCTOR_DATABASE__URL", place if isinstance(place, str) else f"sqlite:///{place}")
        self.patch.setattr(sys, "argv", ["proctor", "db", *arguments])
        self.capture.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = self.capture.readouterr()
        assert ended.value.code == code, (out, err)
        return out

    def json(self, place: Path | str, *arguments: str, code: int = 0) -> Any:
        return json.loads(self(place, *arguments, "--json", code=code))


@pytest.fixture
def shell(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Shell:
    monkeypatch.chdir(tmp_path)
    return Shell(capsys, monkeypatch)


def broken(findings: Sequence[dict[str, str]]) -> set[str]:
    return {finding["what"] for finding in findings if finding["state"] == "broken"}


class Desk:
    """A team that refunds after a person agreed; one of its runs fails."""

    def __init__(self) -> None:
        self.refunded: list[str] = []
        self.model = ScriptedModel(self.answer)

    def answer(self, call: ModelCall) -> Reply:
        task = str(call.messages[1]["content"])
        results = [message for message in call.messages if message["role"] == "tool"]
        if "fail" in task:
            return ModelRefused("the provider says no")
        if "refund" in task and not results:
            return [tool_call("refund", order="7")]
        return f"Done. {LONG if 'long' in task else ''}"

    def application(self) -> proctor.App:
        app = proctor.App()

        @app.tool(effect="consequential")
        async def refund(order: str) -> str:
            """Pays an order's money back."""
            self.refunded.append(order)
            return f"refunded {order}"

        @app.team("desk", tools=["refund"])
        def desk(ctx: proctor.TeamContext) -> AssistantAgent:
            return AssistantAgent(
                "clerk", model_client=ctx.model("small"), workbench=ctx.tools("refund"), max_tool_iterations=5
            )

        return app

    def opened(self, url: str):
        return proctor.open(self.application(), settings=make_settings(url), providers={"openai": self.model})


async def install(file: Path, desk: Desk) -> list[Run]:
    """A real installation: a finished, a waiting and a failed run, large values, and documents."""
    async with asyncio.timeout(60), desk.opened(f"sqlite:///{file}") as running:
        runs = [
            await running.run("desk", task) for task in ("a long answer", "refund, please", "fail, please")
        ]
        kept = [await running.runs.get(run.id) for run in runs]  # as the database writes odd characters
        knowledge = Knowledge(running.database, KnowledgeSettings(embeddings="none"))
        await knowledge.add("bank", [Document(name="fees", title="Fees", text="A fee is charged.")])
    assert [run.state for run in runs] == ["completed", "waiting", "failed"]
    return kept


async def test_an_installation_goes_on_in_postgresql_where_it_stood(
    shell: Shell, file: Path, target: str
) -> None:
    desk = Desk()
    runs = await install(file, desk)
    moved = await asyncio.to_thread(shell.json, file, "move", "--to", target)
    rows = {table["table"]: table["rows"] for table in moved["tables"]}
    assert (rows["runs"], rows["approvals"], rows["knowledge_chunks"]) == (3, 1, 1)
    assert rows["blobs"] >= 1
    assert broken((await asyncio.to_thread(shell.json, target, "check"))["findings"]) == set()

    async with asyncio.timeout(60), desk.opened(target) as running:
        assert [await running.runs.get(run.id) for run in runs] == runs
        (approval,) = await running.approvals()
        calls = len(desk.model.calls)
        await running.decide(approval.id, Decision(kind="approve", by="ann"))
        finished = await running.wait(runs[1].id)
        assert (finished.state, desk.refunded) == ("completed", ["7"])
        assert len(desk.model.calls) == calls + 1  # what was recorded in the file isn't asked again
        knowledge = Knowledge(running.database, KnowledgeSettings(embeddings="none"))
        await knowledge.add("bank", [Document(name="cards", title="Cards", text="A card is sent.")])
        found = [passage.source for passage in await knowledge.search("bank", "fee card")]
        assert sorted(found) == ["cards", "fees"]
    assert broken((await asyncio.to_thread(shell.json, target, "check"))["findings"]) == set()

    async with asyncio.timeout(60), desk.opened(f"sqlite:///{file}") as running:
        assert [await running.runs.get(run.id) for run in runs] == runs  # the source is as it was


async def test_an_installation_moves_from_one_postgresql_to_another(
    shell: Shell, file: Path, target: str, server: Postgres
) -> None:
    await install(file, Desk())
    further = server.create_database()
    first = await asyncio.to_thread(shell.json, file, "move", "--to", target)
    second = await asyncio.to_thread(shell.json, target, "move", "--to", further)
    assert second["tables"] == first["tables"]


async def test_a_move_ends_with_what_to_write_into_the_configuration(
    shell: Shell, file: Path, target: str
) -> None:
    await install(file, Desk())
    out = await asyncio.to_thread(shell, file, "move", "--to", target)
    assert make_url(tomllib.loads(out[out.index("[database]") :])["database"]["url"]) == make_url(target)


async def test_a_target_that_holds_something_is_refused(shell: Shell, file: Path, target: str) -> None:
    await install(file, Desk())
    await asyncio.to_thread(shell, file, "move", "--to", target)
    again = await asyncio.to_thread(shell.json, file, "move", "--to", target, code=1)
    assert again["error"]["code"] == "conflict"


async def test_a_database_in_use_is_not_moved(shell: Shell, file: Path, target: str) -> None:
    desk = Desk()
    await install(file, desk)
    async with asyncio.timeout(60), desk.opened(f"sqlite:///{file}"):
        refused = await asyncio.to_thread(shell.json, file, "move", "--to", target, code=1)
    assert refused["error"]["code"] == "database_in_use"


def tables_of(url: str) -> list[str]:
    engine = make_engine(url)
    with engine.connect() as connection:
        found = connection.scalars(text("SELECT tablename FROM pg_tables WHERE schemaname = 'public'"))
        names = list(found)
    engine.dispose()
    return names


async def test_a_row_that_the_target_refuses_leaves_nothing_there(
    shell: Shell, file: Path, target: str
) -> None:
    await install(file, Desk())
    with sqlite3.connect(file) as sql:
        sql.execute("UPDATE runs SET team = ?", ["x" * 65])  # SQLite takes more than the column's width
    sql.close()
    refused = await asyncio.to_thread(shell.json, file, "move", "--to", target, code=1)
    assert refused["error"]["code"] == "conflict"
    assert tables_of(target) == []


async def test_an_interrupted_move_leaves_both_as_they_were(file: Path, target: str) -> None:
    desk = Desk()
    runs = await install(file, desk)
    engine = make_engine(target)
    # The move can't pass this lock: it is in its transaction when it is interrupted.
    with engine.connect() as holder:
        holder.execute(text("SELECT pg_advisory_xact_lock(1347571524)"))
        moving = subprocess.Popen(  # noqa: ASYNC220 - it is waited for in a thread
            [sys.executable, "-m", "proctor", "db", "move", "--to", target],
            env=os.environ | {"PROCTOR_DATABASE__URL": f"sqlite:///{file}"},
            cwd=file.parent,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            blocked = text("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
            async with asyncio.timeout(60):
                while not holder.scalar(blocked):
                    await asyncio.sleep(0.02)
            moving.send_signal(signal.SIGINT)
            _, err = await asyncio.to_thread(moving.communicate, timeout=60)
        finally:
            moving.kill()
    engine.dispose()
    assert moving.returncode == 130, err
    assert "Traceback" not in err
    assert tables_of(target) == []
    async with asyncio.timeout(60), desk.opened(f"sqlite:///{file}") as running:
        assert [await running.runs.get(run.id) for run in runs] == runs


async def test_a_check_finds_what_does_not_agree(shell: Shell, file: Path) -> None:
    runs = await install(file, Desk())
    assert broken((await asyncio.to_thread(shell.json, file, "check"))["findings"]) == set()
    with sqlite3.connect(file) as sql:
        sql.execute("DELETE FROM events WHERE run_id = ? AND seq = 1", [runs[0].id])
        sql.execute("UPDATE calls SET position = position + 5 WHERE run_id = ?", [runs[1].id])
        sql.execute("DELETE FROM blobs")
        sql.execute("UPDATE runs SET cost = cost + 1 WHERE id = ?", [runs[1].id])
        sql.execute("DELETE FROM runs WHERE id = ?", [runs[2].id])
        sql.execute("UPDATE approvals SET run_id = 'run_nowhere'")
        sql.execute("PRAGMA foreign_keys = OFF")
        sql.execute("DELETE FROM knowledge_sources")
    sql.close()
    found = (await asyncio.to_thread(shell.json, file, "check", code=1))["findings"]
    assert broken(found) == {
        "events",
        "positions of calls",
        "large values",
        "costs",
        "runs of events",
        "runs of approvals",
        "references",
    }


async def test_a_check_finds_a_file_that_is_damaged(shell: Shell, file: Path) -> None:
    await install(file, Desk())
    with sqlite3.connect(file) as sql:
        sql.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        root, size = sql.execute(
            "SELECT rootpage, (SELECT page_size FROM pragma_page_size) FROM sqlite_schema"
            " WHERE name = 'runs_state'"
        ).fetchone()
    sql.close()
    with file.open("r+b") as damaged:
        damaged.seek((root - 1) * size + size // 2)
        damaged.write(b"\xff" * (size // 2))
    assert "file" in broken((await asyncio.to_thread(shell.json, file, "check", code=1))["findings"])


async def test_an_upgrade_says_from_where_to_where(shell: Shell, file: Path) -> None:
    assert shell.json(file, "check", code=1)["error"]["code"] == "not_found"
    first = shell.json(file, "upgrade")
    assert (first["from"], first["to"]) == (None, shell.json(file, "upgrade")["from"])
    database = await Database.open(f"sqlite:///{file}")
    await database.commit(lambda c: c.execute(text("UPDATE alembic_version SET version_num = '0001'")))
    await database.close()
    assert broken(shell.json(file, "check", code=1)["findings"]) == {"schema"}
