"""Costs, budgets and figures over HTTP."""

import httpx2

from servers.rest_desk import Site, opened

LIMIT = {"scope": "team", "of": "desk", "limit_micros": 2_500_000, "outcome": "warn", "at": 0.5}


async def test_costs_are_those_of_the_ledger_and_of_ones_own_tenant_alone(database_url: str) -> None:
    async with opened(database_url) as site:
        for tenant in ("acme", "acme", "other"):
            await site.proctor.run("desk", "How is it?", tenant=tenant)
        whole = await site.get("root", "/costs", by=["tenant", "team"])
        assert [row["key"] for row in whole["rows"]] == [["acme", "desk"], ["other", "desk"]]
        assert whole["total"]["cost_micros"] == sum(row["cost_micros"] for row in whole["rows"]) > 0
        own = await site.get("acme", "/costs", by="tenant")
        assert [row["key"] for row in own["rows"]] == [["acme"]]
        assert own["total"]["requests"] == 2
        [runs] = own["runs"]
        assert (runs["completed"], runs["cost_micros"]) == (2, own["total"]["cost_micros"])
        assert (await site.ask("acme", "GET", "/costs", params={"tenant": "other"})).status_code == 403
        assert (await site.get("root", "/costs", tenant="other"))["total"]["requests"] == 1


async def test_a_time_whose_end_comes_first_holds_nothing(tmp_path) -> None:
    async with opened(f"sqlite:///{tmp_path}/p.db") as site:
        await site.proctor.run("desk", "How is it?")
        for since, until in (
            ("9999-12-31T23:59:59Z", "0001-01-01T00:00:00+14:00"),
            ("2026-12-01T23:59:60.123456789Z", "2026-12-01T00:00:00-23:59"),
        ):
            found = await site.get("root", "/costs", since=since, until=until)
            assert found["rows"] == []
        for wrong in (
            "2026-12-01",
            "1",
            "2026-12-01T00:00:00",
            "2026-13-01T00:00:00Z",
            "٢٠٢٦-12-01T00:00:00Z",
        ):
            assert (await site.ask("root", "GET", "/costs", params={"since": wrong})).status_code == 422


async def test_the_books_agree_and_only_auditors_of_the_platform_are_told(tmp_path) -> None:
    async with opened(f"sqlite:///{tmp_path}/p.db") as site:
        await site.proctor.run("desk", "How is it?")
        assert (await site.get("root", "/costs/reconciliation"))["agrees"] is True
        for caller in ("vic", "acme"):
            assert (await site.ask(caller, "GET", "/costs/reconciliation")).status_code == 403
        assert "conversations" in {
            each["what"] for each in (await site.get("root", "/costs/storage"))["kept"]
        }


async def test_a_budget_is_set_replaced_and_removed_by_who_has_read_it(database_url: str) -> None:
    async with opened(database_url) as site:
        set_ = await _put(site, LIMIT)
        assert set_.status_code == 200, set_.text
        assert (set_.json()["limit_micros"], set_.json()["origin"]) == (2_500_000, "set")
        blind = await _put(site, LIMIT)
        stale = await _put(site, LIMIT, if_match='"old"')
        assert (blind.status_code, stale.status_code) == (428, 412)
        tag = (await site.ask("root", "GET", "/budgets/mine")).headers["ETag"]
        assert tag == set_.headers["ETag"]
        raised = await _put(site, LIMIT | {"limit_micros": 3_000_000}, if_match=tag)
        assert raised.json()["limit_micros"] == 3_000_000
        assert (await _put(site, LIMIT, if_match=tag)).status_code == 412
        path, new = "/budgets/mine", raised.headers["ETag"]
        assert (await site.ask("olga", "DELETE", path, if_match=tag)).status_code == 412
        removed = await site.ask("olga", "DELETE", path, if_match=new)
        assert removed.json() == {"removed": "mine", "holds_again": False}
        assert (await site.ask("olga", "DELETE", path, if_match=new)).status_code == 404
        assert (await site.ask("root", "GET", path)).status_code == 404


async def test_a_budget_of_the_configuration_is_covered_and_holds_again(tmp_path) -> None:
    async with opened(f"sqlite:///{tmp_path}/p.db") as site:
        shown = await site.ask("vic", "GET", "/budgets/daily")
        assert (shown.json()["origin"], shown.json()["limit_micros"]) == ("configuration", 100_000_000)
        rule = {"scope": "global", "limit_micros": 5_000_000}
        put = await site.ask("olga", "PUT", "/budgets/daily", if_match=shown.headers["ETag"], json=rule)
        assert put.json()["origin"] == "set"
        again = await site.ask("olga", "DELETE", "/budgets/daily", if_match=put.headers["ETag"])
        assert again.json()["holds_again"] is True


async def test_a_budget_that_was_set_stops_runs(tmp_path) -> None:
    async with opened(f"sqlite:///{tmp_path}/p.db") as site:
        nothing = {"scope": "team", "of": "desk", "limit_micros": 0}
        assert (await _put(site, nothing)).status_code == 200
        await site.proctor.links.budgets.look()
        run = await site.proctor.run("desk", "How is it?")
        assert (run.state, run.error_code) == ("failed", "budget_exceeded")


async def test_a_budget_that_means_nothing_is_refused(tmp_path) -> None:
    async with opened(f"sqlite:///{tmp_path}/p.db") as site:
        wrong = [
            (LIMIT | {"roles": ["nobody"]}, 409),
            (LIMIT | {"timezone": "Atlantis/Centre"}, 409),
            (LIMIT | {"timezone": "../../etc/passwd"}, 409),
            (LIMIT | {"limit_micros": -1}, 422),
            (LIMIT | {"limit_micros": 10**30}, 422),
            (LIMIT | {"limit_micros": True}, 422),
            (LIMIT | {"limit_micros": "5"}, 422),
            (LIMIT | {"period": "run"}, 422),
            (LIMIT | {"strange": 1}, 422),
            ({"scope": "run", "period": "day", "limit_micros": 1}, 422),
        ]
        assert [(await _put(site, rule)).status_code for rule, _ in wrong] == [code for _, code in wrong]
        assert (await _put(site, {"scope": "run", "limit_micros": 1})).json()["period"] == "run"


async def test_budgets_are_no_tenants_and_set_by_operators(tmp_path) -> None:
    async with opened(f"sqlite:///{tmp_path}/p.db") as site:
        for path in ("/budgets", "/budgets/daily", "/budget-forecasts", "/budget-holdings"):
            assert (await site.ask("acme", "GET", path)).status_code == 403
            assert (await site.ask("vic", "GET", path)).status_code == 200
        assert (await _put(site, LIMIT, caller="vic")).status_code == 403
        assert (await _put(site, LIMIT, caller="acme")).status_code == 403


async def test_figures_are_those_of_the_journal_by_team_and_tenant(database_url: str) -> None:
    async with opened(database_url) as site:
        for tenant in ("acme", "acme", "other"):
            await site.proctor.run("desk", "How is it?", tenant=tenant)
        found = await site.get("root", "/metrics/summary")
        by_kind = {each["kind"]: each for each in found["figures"]}
        assert by_kind["run"]["key"] == by_kind["model"]["key"] == "desk"
        assert (by_kind["run"]["count"], by_kind["run"]["completion_rate"]) == (3, 1.0)
        assert by_kind["run"]["cost_micros"] == by_kind["model"]["cost_micros"] > 0
        quantiles = by_kind["model"]["seconds"]
        assert 0 <= quantiles["p50"] <= quantiles["p95"] <= quantiles["p99"]
        own = await site.get("acme", "/metrics/summary", by="tenant")
        assert {(each["kind"], each["key"], each["count"]) for each in own["figures"]} == {
            ("run", "acme", 2),
            ("model", "acme", 2),
        }
        names = await site.get("root", "/metrics/summary", by="name", team="desk")
        assert {each["key"] for each in names["figures"]} == {"", "small"}


async def test_figures_are_of_a_day_at_most(tmp_path) -> None:
    async with opened(f"sqlite:///{tmp_path}/p.db") as site:
        ends = {"since": "2020-01-01T00:00:00Z", "until": "2026-01-02T00:00:00Z"}
        found = await site.get("root", "/metrics/summary", **ends)
        assert (found["since"], found["figures"]) == ("2026-01-01T00:00:00Z", [])


async def _put(site: Site, rule: object, *, caller: str = "olga", if_match: str = "") -> httpx2.Response:
    return await site.ask(caller, "PUT", "/budgets/mine", if_match=if_match, json=rule)
