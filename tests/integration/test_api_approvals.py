"""Approvals over HTTP: who is shown what, and how it is decided."""

import asyncio

import httpx2
import pytest

from servers.rest_desk import CALLERS, Site, opened


def codes(*answers: httpx2.Response) -> list[tuple[int, str]]:
    return [(each.status_code, each.json()["code"]) for each in answers]


async def test_a_question_is_listed_read_with_its_tag_and_decided_by_the_callers_name(
    database_url: str,
) -> None:
    async with opened(database_url) as site:
        id = await site.waiting()
        [line] = (await site.get("vic", "/approvals"))["items"]
        assert (line["id"], line["roles"], line["state"]) == (id, ["manager"], "pending")
        shown = await site.ask("ann", "GET", f"/approvals/{id}")
        assert shown.json()["action"]["arguments"] == {"order": "7", "amount": 5}
        decided = await site.ask(
            "ann",
            "POST",
            f"/approvals/{id}/decision",
            if_match=shown.headers["ETag"],
            json={"kind": "approve", "comment": "Fine."},
        )
        assert decided.status_code == 200
        assert decided.json()["decision"] == {
            "kind": "approve",
            "comment": "Fine.",
            "by": "ann",
            "arguments": None,
        }
        assert decided.headers["ETag"] != shown.headers["ETag"]
        run = await site.proctor.wait(decided.json()["run"])
        assert (run.state, run.result) == ("completed", "refunded 5 of order 7")


async def test_whoever_only_reads_learns_that_something_waits_and_not_what(tmp_path) -> None:
    review = {"desk": {"review": {"mode": "manual"}}}
    async with opened(f"sqlite:///{tmp_path}/p.db", teams=review) as site:
        run = await site.proctor.run("desk", "Hello?")
        assert run.state == "waiting"
        for who in ("vic", "olga"):
            [line] = (await site.get(who, "/approvals"))["items"]
            assert line["text"] == "desk asks whether it may go on: output, output."
        [line] = (await site.get("ann", "/approvals"))["items"]
        assert line["text"].startswith("The team wants to answer.")
        told = {}
        for who in ("vic", "olga", "ann", "root"):
            log = await site.ask(who, "GET", f"/runs/{run.id}/events")
            stream = await site.ask(who, "GET", f"/runs/{run.id}/events/stream", params={"seconds": 1})
            many = await site.ask(who, "GET", "/events/stream", params={"run": run.id, "seconds": 1})
            told[who] = [each.text.count("All done.") > 0 for each in (log, stream, many)]
            assert {"message", "approval.requested"} <= {each["type"] for each in log.json()["items"]}
        assert told == {"vic": [False] * 3} | {who: [True] * 3 for who in ("olga", "ann", "root")}
        events = {each["type"]: each for each in (await site.get("vic", f"/runs/{run.id}/events"))["items"]}
        assert events["approval.requested"]["data"] == {"id": line["id"], "kind": "output"}
        assert events["model.called"]["data"].keys() >= {"deployment", "cost", "output"}
        assert events["message"]["agent"]


async def test_an_edit_is_what_is_carried_out(tmp_path) -> None:
    async with opened(f"sqlite:///{tmp_path}/p.db") as site:
        id = await site.waiting()
        tag = (await site.ask("ann", "GET", f"/approvals/{id}")).headers["ETag"]
        edit = {"kind": "edit", "arguments": {"order": "7", "amount": 3}}
        decided = await site.ask("ann", "POST", f"/approvals/{id}/decision", if_match=tag, json=edit)
        assert decided.json()["decision"]["kind"] == "edit"
        run = await site.proctor.wait(decided.json()["run"])
        assert run.state == "completed"
        events = await site.proctor.runs.events(run.id)
        assert any(event.data.get("arguments") == {"order": "7", "amount": 3} for event in events)


async def test_nothing_is_decided_without_the_tag_of_what_was_read_or_with_an_old_one(tmp_path) -> None:
    async with opened(f"sqlite:///{tmp_path}/p.db") as site:
        id = await site.waiting()
        path, yes = f"/approvals/{id}/decision", {"kind": "approve"}
        tag = (await site.ask("ann", "GET", f"/approvals/{id}")).headers["ETag"]
        missing = await site.ask("ann", "POST", path, json=yes)
        other = await site.ask("ann", "POST", path, if_match='"another"', json=yes)
        whatever = await site.ask("ann", "POST", path, if_match="*", json=yes)
        assert codes(missing, other, whatever) == [
            (428, "precondition_required"),
            (412, "precondition_failed"),
            (412, "precondition_failed"),
        ]
        assert (await site.ask("ann", "POST", path, if_match=f'"x", {tag}', json=yes)).status_code == 200
        again = await site.ask("bob", "POST", path, if_match=tag, json=yes)
        assert codes(again) == [(412, "precondition_failed")]


async def test_of_two_who_decide_at_once_one_is_told_that_it_is_decided(database_url: str) -> None:
    async with opened(database_url) as site:
        id = await site.waiting()
        tag = (await site.ask("ann", "GET", f"/approvals/{id}")).headers["ETag"]
        answers = await asyncio.gather(
            *(
                site.ask(who, "POST", f"/approvals/{id}/decision", if_match=tag, json={"kind": kind})
                for who, kind in (("ann", "approve"), ("bob", "reject"))
            )
        )
        assert sorted(each.status_code for each in answers) in ([200, 409], [200, 412])


async def test_roles_of_the_server_and_roles_of_the_rule_both_have_to_fit(tmp_path) -> None:
    async with opened(f"sqlite:///{tmp_path}/p.db") as site:
        id = await site.waiting()
        tag = (await site.ask("ann", "GET", f"/approvals/{id}")).headers["ETag"]
        path, yes = f"/approvals/{id}/decision", {"kind": "approve"}
        nobody = await site.ask("", "POST", path, if_match=tag, json=yes)
        operator = await site.ask("olga", "POST", path, if_match=tag, json=yes)
        stranger = await site.ask("root", "POST", path, if_match=tag, json=yes)
        assert codes(nobody, operator, stranger) == [
            (401, "unauthenticated"),
            (403, "forbidden"),
            (403, "forbidden"),
        ]
        assert (await site.ask("vic", "GET", f"/approvals/{id}")).status_code == 403


async def test_a_decision_is_handed_on_and_taken_back(tmp_path) -> None:
    async with opened(f"sqlite:///{tmp_path}/p.db") as site:
        id = await site.waiting()
        tag = (await site.ask("ann", "GET", f"/approvals/{id}")).headers["ETag"]
        path = f"/approvals/{id}/delegation"
        handed = await site.ask("ann", "POST", path, if_match=tag, json={"to": "root"})
        assert handed.json()["delegations"][0]["to"] == "root"
        [mine] = (await site.get("root", "/approvals", mine=True))["items"]
        assert mine["id"] == id
        assert (await site.get("ann", "/approvals", mine=True))["items"] == []
        back = await site.ask("ann", "POST", path, if_match=tag, json={"to": "ann"})
        assert back.json()["delegations"] == []


async def test_another_tenants_question_is_as_if_there_were_none(database_url: str) -> None:
    async with opened(database_url) as site:
        theirs, ours = await site.waiting("acme"), await site.waiting()
        assert [each["id"] for each in (await site.get("acme", "/approvals"))["items"]] == [theirs]
        assert {each["id"] for each in (await site.get("root", "/approvals"))["items"]} == {theirs, ours}
        [one] = (await site.get("root", "/approvals", tenant="acme"))["items"]
        assert one["id"] == theirs
        never = f"apr_{'0' * 26}"
        for path in ("", "/decision", "/delegation"):
            body = {"to": "bob"} if path == "/delegation" else {"kind": "approve"}
            method = "POST" if path else "GET"
            answers = [
                await site.ask("other", method, f"/approvals/{id}{path}", if_match='"x"', json=body)
                for id in (theirs, ours, never)
            ]
            assert codes(*answers) == [(404, "not_found")] * 3
            texts = [
                each.text.replace(id, "ID") for each, id in zip(answers, (theirs, ours, never), strict=True)
            ]
            assert len(set(texts)) == 1
        refused = await site.ask("acme", "GET", "/approvals", params={"tenant": "default"})
        assert codes(refused) == [(403, "forbidden")]


async def test_what_was_approved_in_advance_is_listed_and_ended_by_its_own_tenant_alone(tmp_path) -> None:
    async with opened(f"sqlite:///{tmp_path}/p.db") as site:
        id = await site.waiting("acme")
        tag = (await site.ask("acme", "GET", f"/approvals/{id}")).headers["ETag"]
        yes = {"kind": "approve", "standing": "day"}
        decided = await site.ask("acme", "POST", f"/approvals/{id}/decision", if_match=tag, json=yes)
        assert decided.status_code == 200
        [given] = (await site.get("acme", "/standing-approvals"))["items"]
        assert (given["tool"], given["made_by"]) == ("refund", "ann")
        assert (await site.get("other", "/standing-approvals"))["items"] == []
        path = f"/standing-approvals/{given['id']}"
        assert (await site.ask("other", "DELETE", path)).status_code == 404
        assert (await site.ask("acme", "DELETE", path)).json()["revoked_by"] == "ann"
        assert (await site.ask("acme", "DELETE", path)).status_code == 409


async def test_pages_of_questions_go_on_where_the_one_before_ended(tmp_path) -> None:
    async with opened(f"sqlite:///{tmp_path}/p.db") as site:
        waiting = sorted([await site.waiting() for _ in range(3)])
        first = await site.get("vic", "/approvals", limit=2)
        rest = await site.get("vic", "/approvals", limit=2, after=first["next"])
        assert [each["id"] for each in (*first["items"], *rest["items"])] == waiting
        assert rest["next"] is None


async def test_reviewers_are_shown_to_auditors_of_the_platform(tmp_path) -> None:
    async with opened(f"sqlite:///{tmp_path}/p.db") as site:
        id = await site.waiting()
        tag = (await site.ask("ann", "GET", f"/approvals/{id}")).headers["ETag"]
        await site.ask("ann", "POST", f"/approvals/{id}/decision", if_match=tag, json={"kind": "reject"})
        found = await site.get("root", "/reviewers")
        assert [(each["name"], each["kinds"]["reject"]) for each in found["reviewers"]] == [("ann", 1)]
        assert [(await site.ask(who, "GET", "/reviewers")).status_code for who in ("ann", "acme")] == [
            403,
            403,
        ]


@pytest.mark.parametrize(
    "body",
    [
        b'{"kind":"approve","comment":"\\ud800"}',
        b'{"kind":"approve","comment":"\\u0000"}',
        b'{"kind":"approve","\\ud800":1}',
        b'{"kind":"\\ud800"}',
        b'{"kind":"edit","arguments":{"a":NaN}}',
        b'{"kind":"edit","arguments":' + b'{"a":' * 100 + b"1" + b"}" * 101,
        b'{"kind":"edit","arguments":{"a":' + b"9" * 5000 + b"}}",
        b"[" * 100_000,
        b"\xff\xfe",
    ],
)
async def test_a_body_that_nothing_can_keep_is_told_as_a_problem(tmp_path, body: bytes) -> None:
    assert "ann" in CALLERS
    async with opened(f"sqlite:///{tmp_path}/p.db") as site:
        answer = await _sent(site, body)
        assert answer.status_code in (400, 422), answer.text
        assert answer.headers["content-type"] == "application/problem+json"


async def _sent(site: Site, body: bytes) -> httpx2.Response:
    path = f"/approvals/apr_{'0' * 26}/decision"
    transport = httpx2.ASGITransport(app=site.site, raise_app_exceptions=False)
    headers = {"Authorization": "Bearer ann", "Content-Type": "application/json", "If-Match": '"x"'}
    async with httpx2.AsyncClient(transport=transport, base_url="http://proctor") as client:
        return await client.post(f"/api/v1{path}", headers=headers, content=body)
