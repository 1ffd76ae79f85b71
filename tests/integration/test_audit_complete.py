"""Every command and every route that changes something leaves an entry: a new one can't be forgotten."""

import asyncio
import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import pytest
from cyclopts import App as Commands
from sqlalchemy import Connection, text

import proctor
from conftest import make_settings
from proctor import Decision
from proctor.approvals import Filter, standing_page
from proctor.audit import Entry, Wanted, page
from proctor.cli import main
from proctor.cli._main import app as commands
from proctor.core import ToolSpec
from proctor.store import Database
from proctor.testing import ScriptedModel
from proctor.tools import Pins
from servers.openai_endpoint import Endpoint, serving
from servers.rest_desk import ROLES, RULE, Site, application, clerk, opened

T = TypeVar("T")

TOOL_SERVER = Path(__file__).parent.parent / "servers" / "changing_tool_server.py"
CONFIGURATION = """
[models.small]
model = "fake-1"
base_url = "ENDPOINT"
api_key = "sk-test"
retries = 0
price = { input = 3, output = 15 }
[roles.manager]
members = ["ann", "bob"]
[[teams.desk.approvals]]
tools = ["refund"]
roles = ["manager"]
[privacy.purposes.support]
[privacy.vault]
key_env = "OLD"
"""
DOCS = Path(__file__).parents[2] / "docs"
DOCUMENTED = (DOCS / "audit.md").read_text(encoding="utf-8")

COMMANDS: Mapping[str, str] = {
    "run": "run.started_for",
    "runs resume": "run.resumed",
    "runs cancel": "run.cancelled",
    "threads forget": "thread.forgotten",
    "approvals decide": "approval.decided",
    "approvals delegate": "approval.delegated",
    "approvals standing revoke": "standing.revoked",
    "schedules add": "schedule.added",
    "schedules pause": "schedule.paused",
    "schedules resume": "schedule.resumed",
    "schedules run-now": "run.started_for",
    "schedules remove": "schedule.removed",
    "degradation set": "degradation.held",
    "degradation clear": "degradation.released",
    "budget set": "budget.set",
    "budget remove": "budget.removed",
    "budget reconcile": "budget.released",
    "keys create": "key.created",
    "keys rotate": "key.rotated",
    "keys revoke": "key.revoked",
    "tools pin": "pin.accepted",
    "alerts silence": "alert.silenced",
    "alerts unsilence": "alert.unsilenced",
    "privacy consent give": "consent.given",
    "privacy consent withdraw": "consent.withdrawn",
    "privacy hold place": "hold.placed",
    "privacy hold release": "hold.released",
    "privacy export": "export.made",
    "privacy erase": "subject.erased",
    "privacy reseal": "vault.resealed",
    "audit export": "export.made",
    "audit inspect": "inspection.made",
    "serve": "process.started",
    "mcp": "process.started",
    "worker": "process.started",
}
"""What changes something, with what it enters in the record."""
ELSEWHERE = {"serve", "mcp", "worker"}
"""Processes: `test_each_start_is_noted_and_the_change_of_a_setting_once`."""
PROCESSES = {"run", "runs resume", "approvals decide"}
"""What sets up this process's logs as well, and has one of its own therefore."""
READING = {
    "runs": {"list", "show", "watch"},
    "threads": {"list", "show"},
    "approvals": {"list", "show", "reviewers"},
    "approvals standing": {"list"},
    "notices": {"list", "test"},
    "schedules": {"list", "show"},
    "workers": {"list"},
    "degradation": {"show", "history"},
    "costs": {"audit", "storage"},
    "budget": {"show", "forecast"},
    "keys": {"list"},
    "config": {"show", "check", "chain"},
    "models": {"batches", "list", "route"},
    "tools": {"list", "show", "diff", "check"},
    "policy": {"simulate", "check", "explain", "lint"},
    "alerts": {"list", "history", "show", "silences", "test", "rules"},
    "privacy": {"erasures"},
    "privacy consent": {"list"},
    "privacy hold": {"list"},
    "monitoring": {"export", "check"},
    "audit": {"list", "verify", "report", "heads"},
    "": {"costs", "roi", "doctor", "analyze"},
}
"""What changes nothing."""
BESIDE = {
    "init": "makes files of an installation that has no database yet",
    "audit key": "makes a file",
    "models pull": "fetches files",
    "db upgrade": "changes tables, and nothing that stands in them",
    "db check": "changes nothing",
    "db move": "copies all, the record too; the database in use stays as it is",
    "privacy scrub": "writes files anew, with what stood in them",
}
"""What changes no decision, rule, right or datum that an auditor asks for."""


def leaves(app: Commands, above: tuple[str, ...] = ()) -> Iterator[str]:
    """All commands that do something."""
    for name in app:
        if not name.startswith("-"):
            command = app[name]
            if command.default_command is not None:
                yield " ".join((*above, name))
            yield from leaves(command, (*above, name))


def test_each_command_is_known_to_change_something_or_not():
    reading = {f"{group} {name}".strip() for group, names in READING.items() for name in names}
    assert set(leaves(commands)) == {*COMMANDS, *reading, *BESIDE}


@dataclass(frozen=True, slots=True, kw_only=True)
class Shell:
    """A folder with a configuration, and commands that are called in it."""

    folder: Path
    call: Callable[..., str]
    walked: set[str] = field(default_factory=set)

    def does(self, command: str, *more: str, by: str = "olga", code: int = 0) -> str:
        """What a command prints, which must have left its entry."""
        last = len(self.entries())
        said = self.call(*command.split(), *more, code=code)
        fresh = [entry for entry in self.entries()[last:] if entry.action == COMMANDS[command]]
        assert {entry.actor for entry in fresh} == {by}, command
        assert all(_is_documented(entry.action) for entry in fresh), "docs/audit.md tells of it"
        self.walked.add(command)
        return said.strip()

    def makes(self, command: str, *more: str) -> str:
        """The id of what a command has made."""
        return str(json.loads(self.does(command, *more, "--json"))["id"])

    def entries(self) -> tuple[Entry, ...]:
        return self.apply(lambda connection: page(connection, Wanted(), limit=1000))

    def change(self, statement: str) -> None:
        self.apply(lambda connection: connection.execute(text(statement)))

    def apply(self, work: Callable[[Connection], T]) -> T:
        async def applied() -> T:
            async with await Database.open(self.url) as database:
                return await database.commit(work)

        return asyncio.run(applied())

    @property
    def url(self) -> str:
        return f"sqlite:///{self.folder}/proctor.db"

    def things(self) -> dict[str, str]:
        """Ids of a thread, of two questions that wait, and of a standing approval."""
        settings = make_settings(self.url, roles=ROLES, teams={"desk": {"approvals": [RULE]}})

        async def made() -> dict[str, str]:
            providers = {"openai": ScriptedModel(clerk)}
            async with (
                asyncio.timeout(60),
                proctor.open(application(), settings=settings, providers=providers, environ={}) as running,
            ):
                thread = await running.open_thread("desk")
                await running.run("desk", "hello", thread=thread.id)
                asked = [await running.run("desk", "refund order 7", tenant=name) for name in "abc"]
                decide, delegate, stand = [
                    (await running.approvals(Filter(run_id=run.id)))[0].id for run in asked
                ]
                await running.decide(stand, Decision(kind="approve", by="ann", standing="day"))
                await running.wait(asked[2].id)
                now = running.clock.now()
                (given,) = await running.database.read(lambda c: standing_page(c, now=now))
            return {"thread": thread.id, "decide": decide, "delegate": delegate, "standing": given.id}

        return asyncio.run(made())


def _is_documented(action: str) -> bool:
    group, _, word = action.partition(".")
    lines = [line for line in DOCUMENTED.splitlines() if line.startswith("|") and f"`{group}." in line]
    return any(f"`{action}`" in line or f"`.{word}`" in line or f"`{group}.*`" in line for line in lines)


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    with serving() as running:
        yield running


@pytest.fixture
def shell(
    endpoint: Endpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Shell:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "desk.py").write_text("from servers.rest_desk import application\n\napp = application()\n")
    (tmp_path / "tools.json").write_text(json.dumps({"look_up": "Looks an order up."}))
    command = json.dumps([sys.executable, str(TOOL_SERVER), str(tmp_path / "tools.json")])
    written = CONFIGURATION.replace("ENDPOINT", endpoint.url)
    (tmp_path / "proctor.toml").write_text(written + f"[tools.shop]\ncommand = {command}\n")
    for name, value in {"LOGNAME": "olga", "NEW": "a" * 40, "OLD": "b" * 40}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[1]))

    def call(*words: str, code: int) -> str:
        if " ".join(words[:2]) in PROCESSES or words[0] in PROCESSES:
            done = subprocess.run(
                [sys.executable, "-m", "proctor", *words],
                check=False,
                capture_output=True,
                text=True,
                timeout=60,
            )
            assert done.returncode == code, done
            return done.stdout
        monkeypatch.setattr(sys, "argv", ["proctor", *words])
        with pytest.raises(SystemExit) as ended:
            main()
        told = capsys.readouterr()
        assert ended.value.code == code, told
        return told.out

    return Shell(folder=tmp_path, call=call)


@pytest.mark.slow
def test_each_command_that_changes_something_leaves_an_entry(shell: Shell):
    things, does, makes = shell.things(), shell.does, shell.makes
    run = does("run", "desk.py:desk", "hello", "--detach", "--by", "cleo")
    does("runs cancel", run)
    shell.change(f"UPDATE runs SET state = 'failed' WHERE id = '{run}'")
    does("runs resume", run)
    does("threads forget", things["thread"])
    does("approvals decide", things["decide"], "--reject", "--by", "ann", "--no-wait", by="ann")
    does("approvals delegate", things["delegate"], "--by", "ann", "--to", "dora", by="ann")
    does("approvals standing revoke", things["standing"])
    does("schedules add", "daily", "desk.py:desk", "hello", "--cron", "0 8 * * *")
    does("schedules pause", "daily")
    does("schedules resume", "daily")
    does("schedules run-now", "daily", "--by", "cleo")
    does("schedules remove", "daily")
    does("degradation set", "1")
    does("degradation clear")
    does("budget set", "big", "--usd", "5")
    does("budget remove", "big")
    shell.change("INSERT INTO budget_accounts VALUES ('big', '', '2026', 7, 0, 7, 0, NULL)")
    does("budget reconcile", "--release")
    key = makes("keys create", "deploy", "--role", "viewer")
    successor = makes("keys rotate", key)
    does("keys revoke", successor)
    makes("keys create", "laptop", "--role", "viewer", "--person", "ann")
    does("keys revoke", "--person", "Ann")
    does("tools pin", "--yes")
    does("alerts unsilence", makes("alerts silence", "--reason", "known"))
    does("privacy consent give", "--subject", "cleo", "--purpose", "support")
    does("privacy consent withdraw", "--subject", "cleo", "--purpose", "support")
    does("privacy hold release", makes("privacy hold place", "--subject", "cleo", "--reason", "case 12"))
    does("privacy export", "--subject", "cleo")
    does("privacy erase", "--subject", "cleo", "--yes")
    file = shell.folder / "proctor.toml"
    file.write_text(file.read_text().replace('key_env = "OLD"', 'key_env = "NEW"'))
    does("privacy reseal", "--old-key-env", "OLD")
    does("audit export", "--to", "export.jsonl")
    does("audit inspect")
    assert {*shell.walked, *ELSEWHERE} == set(COMMANDS)


ROUTES: Mapping[str, str] = {
    "POST /api/v1/runs": "run.started_for",
    "POST /api/v1/runs/{id}/cancel": "run.cancelled",
    "POST /api/v1/runs/{id}/resume": "run.resumed",
    "POST /api/v1/threads/{id}/messages": "run.started_for",
    "POST /api/v1/keys": "key.created",
    "POST /api/v1/keys/{key_id}/rotate": "key.rotated",
    "POST /api/v1/keys/{key_id}/revoke": "key.revoked",
    "POST /api/v1/revocations": "key.revoked",
    "POST /api/v1/approvals/{id}/decision": "approval.decided",
    "POST /api/v1/approvals/{id}/delegation": "approval.delegated",
    "DELETE /api/v1/standing-approvals/{id}": "standing.revoked",
    "POST /api/v1/silences": "alert.silenced",
    "DELETE /api/v1/silences/{id}": "alert.unsilenced",
    "POST /api/v1/audit/exports": "export.made",
    "PUT /api/v1/budgets/{name}": "budget.set",
    "DELETE /api/v1/budgets/{name}": "budget.removed",
    "POST /api/v1/tools/{server}/{tool}/pin": "pin.accepted",
    "POST /api/v1/knowledge/{collection}/documents": "document.stored",
    "DELETE /api/v1/knowledge/{collection}/documents": "document.removed",
    "PUT /api/v1/degradation/hold": "degradation.held",
    "DELETE /api/v1/degradation/hold": "degradation.released",
}
"""What changes something, with what it enters in the record."""
OTHER_ROUTES: Mapping[str, str] = {
    "POST /api/v1/threads": "opens a conversation in which nothing is said",
    "POST /api/v1/policies/check": "changes nothing",
    "POST /api/v1/policies/explain": "changes nothing",
    "POST /api/v1/knowledge/{collection}/search": "changes nothing",
    "POST /v1/chat/completions": "starts a run in the caller's own name",
    "POST /v1/responses": "starts a run in the caller's own name",
    "POST /v1/responses/{id}/cancel": "cancels a run as the route for runs does",
    "DELETE /v1/responses/{id}": "deletes nothing: it is refused",
    "POST /api/v1/setup": "test_the_setup_token_makes_one_admin_and_no_second_one",
    "DELETE /api/v1/session": "test_who_has_signed_out_is_out_here_and_elsewhere",
}
"""What changes nothing that an auditor asks for, or the test that looks at what it enters."""


def test_each_route_is_known_to_change_something_or_not():
    paths = json.loads((DOCS / "openapi.json").read_text(encoding="utf-8"))["paths"]
    writing = {f"{verb.upper()} {path}" for path, verbs in paths.items() for verb in verbs if verb != "get"}
    assert writing == {*ROUTES, *OTHER_ROUTES}


@dataclass(frozen=True, slots=True, kw_only=True)
class Visitor:
    """Calls routes of a site, and looks at what stands in the record afterwards."""

    site: Site
    walked: set[str] = field(default_factory=set)

    async def does(self, caller: str, route: str, *ids: str, of: str = "", **more: Any) -> Any:
        """The body of an answer; the call must have left its entry. The ETag is that of the thing `of`."""
        tag = (await self.site.ask("root", "GET", of)).headers["ETag"] if of else ""
        last = len(await self.entries())
        verb, _, path = route.partition(" /api/v1")
        for id in ids:
            path = re.sub(r"{.*?}", id, path, count=1)
        answer = await self.site.ask(caller, verb, path, if_match=tag, **more)
        assert answer.is_success, (route, answer.text)
        fresh = [entry for entry in (await self.entries())[last:] if entry.action == ROUTES[route]]
        assert [entry.actor for entry in fresh] == [caller], route
        assert _is_documented(ROUTES[route]), "docs/audit.md tells of it"
        self.walked.add(route)
        return None if route.endswith("/exports") else answer.json()

    async def entries(self) -> tuple[Entry, ...]:
        return await self.site.proctor.database.read(lambda c: page(c, Wanted(), limit=1000))


async def test_each_route_that_changes_something_leaves_an_entry(tmp_path: Path):
    tools = {"shop": {"command": ["true"]}}
    async with opened(f"sqlite:///{tmp_path}/proctor.db", tools=tools) as site:
        visitor = Visitor(site=site)
        await _walk_runs_and_questions(visitor)
        await _walk_the_rest(visitor)
    assert visitor.walked == set(ROUTES)


async def _walk_runs_and_questions(visitor: Visitor) -> None:
    site, does = visitor.site, visitor.does
    for_cleo = {"task": "hello", "requester": "cleo"}
    await does("olga", "POST /api/v1/runs", json={"team": "desk", **for_cleo})
    waiting = await site.proctor.approval(await site.waiting())
    await does("olga", "POST /api/v1/runs/{id}/cancel", waiting.run_id)
    failed = text("UPDATE runs SET state = 'failed' WHERE id = :id").bindparams(id=waiting.run_id)
    await site.proctor.database.commit(lambda c: c.execute(failed))
    await does("olga", "POST /api/v1/runs/{id}/resume", waiting.run_id)
    thread = await site.proctor.open_thread("desk")
    await does("olga", "POST /api/v1/threads/{id}/messages", thread.id, json=for_cleo)
    id = await site.waiting()
    to_bob, of = {"to": "bob"}, f"/approvals/{id}"
    await does("ann", "POST /api/v1/approvals/{id}/delegation", id, of=of, json=to_bob)
    for_today = {"kind": "approve", "standing": "day"}
    await does("bob", "POST /api/v1/approvals/{id}/decision", id, of=of, json=for_today)
    (given,) = (await site.get("root", "/standing-approvals"))["items"]
    await does("ann", "DELETE /api/v1/standing-approvals/{id}", given["id"])


async def _walk_the_rest(visitor: Visitor) -> None:
    site, does = visitor.site, visitor.does
    key = await does("root", "POST /api/v1/keys", json={"name": "deploy", "roles": ["viewer"]})
    key = await does("root", "POST /api/v1/keys/{key_id}/rotate", key["id"])
    await does("root", "POST /api/v1/keys/{key_id}/revoke", key["id"])
    laptop = {"name": "laptop", "roles": ["viewer"], "person": "ann"}
    await does("root", "POST /api/v1/keys", json=laptop)
    await does("root", "POST /api/v1/revocations", json={"person": "Ann"})
    silence = await does("olga", "POST /api/v1/silences", json={"reason": "known"})
    await does("olga", "DELETE /api/v1/silences/{id}", silence["id"])
    await does("root", "POST /api/v1/audit/exports", json={})
    rule = {"limit_micros": 1, "scope": "global", "period": "day"}
    await does("olga", "PUT /api/v1/budgets/{name}", "big", json=rule)
    await does("olga", "DELETE /api/v1/budgets/{name}", "big", of="/budgets/big")
    pins = Pins(site.proctor.database, clock=site.proctor.clock, settings=site.proctor.settings.trust)
    for description in ("Looks up.", "Looks it up."):
        spec = ToolSpec(server="shop", name="look", description=description, parameters={})
        await pins.meet("shop", [spec])
    await does("olga", "POST /api/v1/tools/{server}/{tool}/pin", "shop", "look", of="/tools/shop/look")
    documents = "/api/v1/knowledge/{collection}/documents"
    await does("olga", f"POST {documents}", "papers", json={"name": "a", "text": "hello"})
    await does("olga", f"DELETE {documents}", "papers", params={"name": "a"})
    await does("olga", "PUT /api/v1/degradation/hold", json={"level": 1})
    await does("olga", "DELETE /api/v1/degradation/hold")
