"""Alerts over HTTP: listed, shown, silenced."""

from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import insert

from proctor.alerts import alerts
from proctor.core import new_id
from servers.rest_desk import Site, opened


async def alert(site: Site, *, state: str, team: str = "desk") -> str:
    """The id of an alert that a rule has raised."""
    at = datetime.now(UTC)
    row = {
        "id": new_id("alr"),
        "rule": "errors",
        "team": team,
        "state": state,
        "text": "12 errors of 80 (15 %); usual is 1 %",
        "value": 0.15,
        "usual": 0.01,
        "runs": "",
        "began_at": at,
        "seen_at": at,
        "fired_at": at,
    }
    await site.proctor.database.commit(lambda connection: connection.execute(insert(alerts), row))
    return str(row["id"])


async def test_alerts_are_listed_newest_first_by_state_and_shown(database_url: str) -> None:
    async with opened(database_url) as site:
        over, firing = await alert(site, state="resolved", team="old"), await alert(site, state="firing")
        assert [each["id"] for each in (await site.get("vic", "/alerts"))["items"]] == [firing, over]
        [one] = (await site.get("vic", "/alerts", state=["firing", "silenced"]))["items"]
        assert one == await site.get("vic", f"/alerts/{firing}")
        first = await site.get("vic", "/alerts", limit=1)
        rest = await site.get("vic", "/alerts", limit=1, after=first["next"])
        assert [each["id"] for each in rest["items"]] == [over]
        assert [each["id"] for each in (await site.get("vic", "/alerts", team="old"))["items"]] == [over]
        assert "errors" in {each["rule"] for each in (await site.get("vic", "/alert-rules"))["rules"]}


async def test_a_silence_is_made_and_ended_by_operators_and_stands_in_the_record(tmp_path: Path) -> None:
    async with opened(f"sqlite:///{tmp_path}/p.db") as site:
        firing = await alert(site, state="firing")
        body = {"rule": "errors", "team": "desk", "seconds": 600, "reason": "We know."}
        assert (await site.ask("vic", "POST", "/silences", json=body)).status_code == 403
        assert (await site.ask("olga", "POST", "/silences", json=body | {"reason": " \t"})).status_code == 422
        made = await site.ask("olga", "POST", "/silences", json=body)
        assert (made.status_code, made.json()["by"]) == (201, "olga")
        assert (await site.get("vic", f"/alerts/{firing}"))["state"] == "silenced"
        assert [each["id"] for each in (await site.get("vic", "/silences"))["silences"]] == [
            made.json()["id"]
        ]
        path = f"/silences/{made.json()['id']}"
        assert (await site.ask("olga", "DELETE", path)).status_code == 200
        assert (await site.ask("olga", "DELETE", path)).status_code == 404
        deeds = (await site.get("root", "/audit/entries", action="alert"))["items"]
        assert [each["action"] for each in deeds] == ["alert.unsilenced", "alert.silenced"]


async def test_alerts_are_no_tenants(tmp_path: Path) -> None:
    async with opened(f"sqlite:///{tmp_path}/p.db") as site:
        firing = await alert(site, state="firing")
        for path in ("/alerts", f"/alerts/{firing}", "/silences", "/alert-rules"):
            assert (await site.ask("acme", "GET", path)).status_code == 403
