"""Pages of every list: the last one says that it is the last, and none is empty."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import insert

from proctor.core import new_id
from proctor.store import metadata
from servers.rest_desk import Site, opened

AT = datetime(2026, 11, 1, tzinfo=UTC)
ROWS: dict[str, dict[str, Any]] = {
    "alerts": {
        "rule": "errors",
        "team": "desk",
        "state": "resolved",
        "text": "12 errors of 80",
        "value": 0.15,
        "runs": "",
        "began_at": AT,
        "seen_at": AT,
    },
    "findings": {
        "kind": "price",
        "severity": "warning",
        "run_id": "",
        "thing": "small",
        "text": "Its price has changed.",
        "first_at": AT,
        "last_at": AT,
    },
    "degradations": {"at": AT, "worker": "w", "level": 1, "previous": 0, "rule": "errors", "detail": "{}"},
}
"""What takes an ill system to come about."""


async def test_the_last_page_of_every_list_says_that_it_is_the_last(tmp_path: Path) -> None:
    async with opened(f"sqlite:///{tmp_path}/p.db") as site:
        thread, run = await _fill(site)
        for path in _lists(site):
            place = path.replace("runs/{id}", f"runs/{run}").replace("threads/{id}", f"threads/{thread}")
            await _walk(site, place.replace("{collection}", "faq"))


def _lists(site: Site) -> list[str]:
    """The paths of all routes that answer in pages."""
    found = []
    for path, operations in site.site.openapi()["paths"].items():
        taken = {each["name"] for each in operations.get("get", {}).get("parameters", [])}
        if {"after", "limit"} <= taken:
            found.append(path.removeprefix("/api/v1"))
    assert len(found) >= 12
    return found


async def _walk(site: Site, path: str) -> None:
    many: dict[str, Any] = {"state": "any"} if path == "/approvals" else {}
    whole = await site.get("root", path, limit=200, **many)
    items = whole["items"]
    assert (len(items) >= 2, whole["next"]) == (True, None), path
    exact = await site.get("root", path, limit=len(items), **many)
    assert exact == whole, path
    begun = await site.get("root", path, limit=len(items) - 1, **many)
    rest = await site.get("root", path, limit=len(items) - 1, after=begun["next"], **many)
    assert (begun["items"], rest["items"], rest["next"]) == (items[:-1], items[-1:], None), path


async def _fill(site: Site) -> tuple[str, str]:
    """The ids of a thread and of a run, where there are two of everything that is listed."""
    proctor = site.proctor
    for name, row in ROWS.items():
        table = metadata.tables[name]
        rows = [{**row, "id": new_id("fnd" if name == "findings" else name[:3])} for _ in range(2)]
        if name == "findings":
            rows = [{**row, "mark": row["id"]} for row in rows]
        await proctor.database.commit(lambda connection, t=table, r=rows: connection.execute(insert(t), r))
    for name in ("a", "b"):
        await proctor.keys.create(name, roles=["viewer"], by="root")
        await site.ask("root", "POST", "/knowledge/faq/documents", json={"name": name, "text": name})
        id = await site.waiting()
        tag = (await site.ask("ann", "GET", f"/approvals/{id}")).headers["ETag"]
        yes = {"kind": "approve", "standing": "run"}
        await site.ask("ann", "POST", f"/approvals/{id}/decision", if_match=tag, json=yes)
        await proctor.wait((await proctor.approval(id)).run_id)
        await proctor.open_thread("desk")
    thread = await proctor.open_thread("desk")
    for _ in range(2):
        run = await proctor.run("desk", "How is it?", thread=thread.id)
    return thread.id, run.id
