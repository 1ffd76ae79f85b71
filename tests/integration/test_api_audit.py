"""The audit record over HTTP: read, checked, exported."""

from pathlib import Path

from sqlalchemy import text

from proctor.audit import verify_export
from servers.rest_desk import Site, opened


async def decided(site: Site, tenant: str) -> str:
    """The id of a question that somebody has rejected."""
    id = await site.waiting(tenant)
    tag = (await site.ask("ann", "GET", f"/approvals/{id}")).headers["ETag"]
    path = f"/approvals/{id}/decision"
    answer = await site.ask("ann", "POST", path, if_match=tag, json={"kind": "reject"})
    assert answer.status_code == 200
    return id


async def test_the_record_is_listed_newest_first_in_pages(database_url: str) -> None:
    async with opened(database_url) as site:
        ids = [await decided(site, "default") for _ in range(3)]
        first = await site.get("root", "/audit/entries", action="approval", limit=2)
        rest = await site.get("root", "/audit/entries", action="approval", limit=2, after=first["next"])
        found = [*first["items"], *rest["items"]]
        assert [each["thing"] for each in found] == ids[::-1]
        assert {(each["actor"], each["action"]) for each in found} == {("ann", "approval.decided")}


async def test_auditors_of_a_tenant_read_what_was_done_to_its_things_alone(tmp_path: Path) -> None:
    async with opened(f"sqlite:///{tmp_path}/p.db") as site:
        theirs, _ = await decided(site, "acme"), await decided(site, "default")
        found = await site.get("acme", "/audit/entries")
        assert [each["thing"] for each in found["items"] if each["action"] == "approval.decided"] == [theirs]
        assert {each["tenant"] for each in found["items"]} == {"acme"}
        assert (await site.get("other", "/audit/entries"))["items"] == []
        for path in ("/audit/verification", "/audit/findings", "/audit/report"):
            assert (await site.ask("acme", "GET", path)).status_code == 403
            assert (await site.ask("olga", "GET", path)).status_code == 403
        assert (await site.ask("acme", "POST", "/audit/exports", json={})).status_code == 403


async def test_a_changed_entry_is_found(tmp_path: Path) -> None:
    async with opened(f"sqlite:///{tmp_path}/p.db") as site:
        await decided(site, "default")
        assert (await site.get("root", "/audit/verification"))["sound"] is True
        triggers = "SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'audit_entries'"

        def forge(connection) -> None:
            for (name,) in connection.execute(text(triggers)).all():
                connection.execute(text(f'DROP TRIGGER "{name}"'))
            connection.execute(text("UPDATE audit_entries SET actor = 'eve' WHERE actor = 'ann'"))

        await site.proctor.database.commit(forge)
        found = await site.get("root", "/audit/verification")
        assert (found["sound"], found["faults"][0]["kind"]) == (False, "changed")


async def test_an_export_proves_itself_and_is_an_entry(tmp_path: Path) -> None:
    async with opened(f"sqlite:///{tmp_path}/p.db") as site:
        await decided(site, "default")
        answer = await site.ask("root", "POST", "/audit/exports", json={"since": "2020-01-01T00:00:00Z"})
        assert answer.headers["content-type"] == "application/jsonl"
        file = tmp_path / "export.jsonl"
        file.write_bytes(answer.content)
        assert verify_export(file).sound
        file.write_bytes(answer.content.replace(b'"ann"', b'"eve"'))
        assert not verify_export(file).sound
        [entry] = (await site.get("root", "/audit/entries", action="export.made"))["items"]
        assert entry["actor"] == "root"


async def test_a_report_tells_who_decided_how_much(tmp_path: Path) -> None:
    async with opened(f"sqlite:///{tmp_path}/p.db") as site:
        id = await decided(site, "default")
        told = await site.get("root", "/audit/report")
        [deed] = [each for each in told["deeds"]["decisions"] if each["action"] == "approval.decided"]
        assert (deed["actor"], deed["times"]) == ("ann", 1)
        assert [each["thing"] for each in told["overruled"]] == [id]
        assert (await site.get("root", "/audit/findings"))["items"] == []
