"""The server's door: keys, cookies, hosts, limits and headers, as a real server answers."""

import asyncio
import json
import logging
import re
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeAlias

import httpx2
import pytest
from autogen_agentchat.agents import AssistantAgent
from autogen_agentchat.base import ChatAgent, Team
from autogen_agentchat.teams import RoundRobinGroupChat
from joserfc import jwt
from joserfc.jwk import KeySet, OctKey
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

import proctor
from proctor import Settings
from proctor.api import make_server, make_worker_server
from proctor.api._caller import TRUSTED
from proctor.cli._web import web
from proctor.core import ConfigurationError, MissingSetting, ModelCall
from proctor.testing import FakeClock, Reply, ScriptedModel
from servers.identity_provider import AUDIENCE, SECRET, identity_provider, new_keys, signs_in

HERE = "http://localhost:8700"
HTTPS = "https://proctor.example"
CALLBACK = f"{HERE}/api/v1/session/callback"
GRANTS = [
    {"group": "sre", "roles": ["admin"]},
    {"group": "acme", "roles": ["operator"], "tenant": "acme"},
]


class Site:
    """A server in this process, and a browser or program that calls it."""

    def __init__(self, running: proctor.Proctor, client: httpx2.AsyncClient) -> None:
        self.running = running
        self.client = client

    async def key(self, *roles: str, name: str = "", **more: Any) -> dict[str, str]:
        """The header of a new key."""
        name = name or f"k{len(await self.running.keys.page(limit=200))}"
        made = await self.running.keys.create(name, roles=roles or ["admin"], by="test", **more)  # type: ignore[arg-type]
        return {"authorization": f"Bearer {made.token}"}


Open: TypeAlias = Callable[..., AbstractAsyncContextManager[Site]]


@pytest.fixture
def opened(tmp_path: Path) -> Open:
    @asynccontextmanager
    async def site(
        *,
        host: str = "127.0.0.1",
        clock: Any = None,
        peer: str = "127.0.0.1",
        app: proctor.App | None = None,
        providers: Any = None,
        **sections: Any,
    ) -> AsyncIterator[Site]:
        whole = {
            "database": {"url": f"sqlite:///{tmp_path}/proctor.db"},
            "access": {"authentication": "required"},
            **sections,
        }
        settings = Settings.model_validate(whole)
        async with (
            asyncio.timeout(60),
            proctor.open(
                app or proctor.App(),
                settings=settings,
                executes=app is not None,
                clock=clock,
                providers=providers,
                grace=timedelta(0),
            ) as running,
        ):
            served = make_server(running, host=host, environ={"OIDC_SECRET": SECRET})
            own = httpx2.ASGITransport(served, client=(peer, 1), raise_app_exceptions=False)
            async with httpx2.AsyncClient(mounts={HERE: own, "https://": own}, base_url=HERE) as client:
                yield Site(running, client)

    return site


def code(answer: httpx2.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


async def test_nobody_enters_without_a_key(opened: Open):
    async with opened() as site:
        answer = await site.client.get("/api/v1/keys")
        wrong = await site.client.get("/api/v1/keys", headers={"authorization": "Basic YTpi"})

    assert code(answer) == code(wrong) == (401, "unauthenticated")
    assert answer.headers["www-authenticate"] == 'Bearer realm="proctor"'


async def test_keys_are_made_rotated_and_revoked_over_http_by_admins_of_the_platform_alone(opened: Open):
    async with opened() as site:
        admin = await site.key("admin")
        for roles, tenant in ((["operator", "approver", "auditor"], None), (["admin"], "acme")):
            other = await site.key(*roles, tenant=tenant)
            wanted = {"name": "mine", "roles": ["admin"]}
            answer = await site.client.post("/api/v1/keys", headers=other, json=wanted)
            assert code(answer) == (403, "forbidden")

        made = await site.client.post(
            "/api/v1/keys", headers=admin, json={"name": "ci", "roles": ["operator"], "expires_in": 3600}
        )
        assert made.status_code == 201
        key = made.json()
        rotated = await site.client.post(
            f"/api/v1/keys/{key['id']}/rotate", headers=admin, json={"overlap": 0}
        )
        assert rotated.status_code == 201
        old = await site.client.get("/metrics", headers={"authorization": f"Bearer {key['token']}"})
        new_header = {"authorization": f"Bearer {rotated.json()['token']}"}
        new = await site.client.get("/metrics", headers=new_header)
        assert (old.status_code, new.status_code) == (401, 200)
        gone = await site.client.post(f"/api/v1/keys/{rotated.json()['id']}/revoke", headers=admin)
        assert gone.json()["state"] == "revoked"
        assert (await site.client.get("/metrics", headers=new_header)).status_code == 401
        listed = (await site.client.get("/api/v1/keys", headers=admin, params={"limit": 2})).json()

    assert len(listed["items"]) == 2
    assert listed["next"] == listed["items"][-1]["id"]
    assert "token" not in listed["items"][0]


async def test_a_person_is_shut_out_over_http_by_admins_of_the_platform_alone(opened: Open):
    clock = FakeClock()
    async with opened(clock=clock) as site:
        admin = await site.key("admin")
        theirs = [await site.key("viewer", person=name) for name in ("ann@example.com", "Ann@Example.com")]
        bobs = await site.key("viewer", person="bob@example.com")
        tenants = await site.key("admin", tenant="acme")
        for header in theirs:
            assert (await site.client.get("/metrics", headers=header)).status_code == 200
        ann = {"person": "ann@example.com"}
        refused = await site.client.post("/api/v1/revocations", headers=tenants, json=ann)
        of_nobody = await site.client.post("/api/v1/revocations", headers=admin, json={})
        done = await site.client.post("/api/v1/revocations", headers=admin, json=ann)
        again = await site.client.post("/api/v1/revocations", headers=admin, json=ann)
        clock.advance(2)
        after = [await site.client.get("/metrics", headers=header) for header in (*theirs, bobs)]

    assert code(refused) == (403, "forbidden")
    assert of_nobody.status_code == 422
    assert [(key["person"], key["state"]) for key in done.json()["keys"]] == [
        ("ann@example.com", "revoked"),
        ("Ann@Example.com", "revoked"),
    ]
    assert done.json()["sessions"] == 0
    assert code(again) == (404, "not_found")
    assert [answer.status_code for answer in after] == [401, 401, 200]


async def test_it_is_as_late_as_the_servers_clock_says(opened: Open):
    clock = FakeClock()
    async with opened(clock=clock) as site:
        admin = await site.key("admin")
        wanted = {"name": "ci", "roles": ["viewer"], "expires_in": 60}
        made = (await site.client.post("/api/v1/keys", headers=admin, json=wanted)).json()
        clock.advance(61)
        shown = (await site.client.get(f"/api/v1/keys/{made['id']}", headers=admin)).json()
        reports = [
            (await site.client.get(f"/api/v1/{path}", headers=admin)).json()["until"]
            for path in ("metrics/summary", "costs", "audit/report", "reviewers")
        ]

    assert (made["state"], shown["state"]) == ("active", "expired")
    assert [datetime.fromisoformat(until) for until in reports] == [clock.now()] * 4


async def test_the_first_admin_gets_a_key_by_the_setup_token_once(opened: Open):
    from proctor.access import offer_setup
    from proctor.core import SystemClock

    async with opened() as site:
        token = await offer_setup(site.running.database, clock=SystemClock())
        wrong = await site.client.post("/api/v1/setup", json={"token": "setup_no"})
        made = await site.client.post("/api/v1/setup", json={"token": token})
        again = await site.client.post("/api/v1/setup", json={"token": token, "name": "second"})
        headers = {"authorization": f"Bearer {made.json()['token']}"}
        listed = await site.client.get("/api/v1/keys", headers=headers)

    assert (wrong.status_code, made.status_code, again.status_code) == (401, 201, 401)
    assert [key["created_by"] for key in listed.json()["items"]] == ["setup"]


async def test_a_server_open_to_this_machine_takes_nobody_from_elsewhere(opened: Open):
    async with opened(access={}) as site:
        own = await site.client.get("/api/v1/keys")
        same_page = {"origin": HERE, "sec-fetch-site": "same-origin"}
        wanted = {"name": "a", "roles": ["viewer"]}
        from_page = await site.client.post("/api/v1/keys", headers=same_page, json=wanted)
        refused = [
            await site.client.get("/api/v1/keys", headers={"host": "evil.example:8700"}),
            await site.client.get("/api/v1/keys", headers={"x-forwarded-for": "192.0.2.1"}),
            await site.client.post("/api/v1/keys", headers={"origin": "http://evil.example"}, json=wanted),
            await site.client.post("/api/v1/keys", headers={"sec-fetch-site": "cross-site"}, json=wanted),
            await site.client.post("/api/v1/keys", headers={"origin": "null"}, json=wanted),
            await site.client.get("/api/v1/keys", headers={"authorization": "Bearer pk_wrong"}),
        ]

    assert (own.status_code, from_page.status_code) == (200, 201)
    assert [code(each) for each in refused] == [
        (421, "wrong_host"),
        (401, "unauthenticated"),
        (403, "cross_site"),
        (403, "cross_site"),
        (403, "cross_site"),
        (401, "unauthenticated"),
    ]


async def test_probes_and_scrapers_need_no_name_of_the_server_and_pages_do(opened: Open):
    by_address, statuses = {"host": "10.0.0.7:8700"}, []
    for access in ({"authentication": "required"}, {}):
        async with opened(app=proctor.App(), access=access, server={"url": HTTPS}) as site:
            key = await site.key("viewer") if access else {}
            for path in ("/api/v1/health", "/api/v1/ready", "/metrics", "/api/v1/me"):
                answer = await site.client.get(path, headers=by_address | key)
                statuses.append(answer.status_code)

    assert statuses == [200, 200, 200, 421, 200, 200, 421, 421]


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "proctor.example"])
async def test_no_other_address_is_served_without_authentication(opened: Open, host: str):
    with pytest.raises(ConfigurationError, match="loopback"):
        async with opened(access={}, host=host):
            pass


async def test_people_sign_in_by_https_alone_where_others_can_reach_the_server(opened: Open):
    oidc = {"issuer": "https://login.example.com", "client_id": "proctor"}
    access = {"authentication": "required", "oidc": oidc}
    with pytest.raises(ConfigurationError, match="https"):
        async with opened(access=access, host="0.0.0.0"):
            pass
    with pytest.raises(MissingSetting):
        async with opened(access={**access, "oidc": {**oidc, "client_secret_env": "NOT_THERE"}}):
            pass


async def test_metrics_are_for_viewers_of_the_platform_unless_they_are_open(opened: Open):
    async with opened() as site:
        statuses = [
            (await site.client.get("/metrics", headers=headers)).status_code
            for headers in ({}, await site.key("viewer"), await site.key("viewer", tenant="acme"))
        ]
    async with opened(server={"metrics": "open"}) as site:
        open_to_all = await site.client.get("/metrics")

    assert statuses == [401, 200, 403]
    assert open_to_all.status_code == 200


async def test_a_worker_shows_its_metrics_elsewhere_to_whom_a_server_would(opened: Open):
    for metrics, expected in (("key", [401, 200, 403]), ("open", [200, 200, 200])):
        async with opened(server={"metrics": metrics}) as site:
            worker = httpx2.ASGITransport(make_worker_server(site.running, host="0.0.0.0"))
            async with httpx2.AsyncClient(transport=worker, base_url="http://10.0.0.7:8701") as client:
                given = ({}, await site.key("viewer"), await site.key("viewer", tenant="acme"))
                statuses = [(await client.get("/metrics", headers=each)).status_code for each in given]
                rest = await client.get("/api/v1/runs", headers=given[1])
        assert (statuses, rest.status_code) == (expected, 404)
    async with opened(access={}) as site:
        with pytest.raises(ConfigurationError, match="loopback"):
            make_worker_server(site.running, host="0.0.0.0")


async def test_every_answer_tells_browsers_to_trust_nothing(opened: Open):
    async with opened(server={"url": "https://proctor.example"}) as site:
        answers = [
            await site.client.get("/api/v1/health"),
            await site.client.get("/api/v1/keys"),
            await site.client.get("/nowhere", headers={"origin": "https://other.example"}),
            await site.client.options("/api/v1/keys", headers={"origin": "https://other.example"}),
        ]

    for answer in answers:
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"] == "no-store"
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
        assert answer.headers["strict-transport-security"]
        assert not [name for name in answer.headers if name.startswith("access-control-")]
        assert "server" not in answer.headers


async def test_a_key_that_asks_too_often_waits_and_others_dont(opened: Open):
    access = {"authentication": "required", "requests_per_minute": 5}
    async with opened(access=access) as site:
        eager, calm = await site.key(), await site.key()
        answers = [await site.client.get("/api/v1/keys", headers=eager) for _ in range(6)]
        other = await site.client.get("/api/v1/keys", headers=calm)

    assert [each.status_code for each in answers] == [200] * 5 + [429]
    assert answers[-1].json()["code"] == "rate_limited"
    assert 1 <= int(answers[-1].headers["retry-after"]) <= 60
    assert other.status_code == 200


async def test_requests_begin_no_threads(opened: Open):
    begun = set[str]()
    async with opened(access={"authentication": "required"}) as site:
        key = await site.key()
        await site.client.get("/api/v1/keys", headers=key)
        threading.setprofile(lambda *_: begun.add(threading.current_thread().name))
        try:
            for _ in range(40):
                assert (await site.client.get("/api/v1/keys", headers=key)).status_code == 200
        finally:
            threading.setprofile(None)  # type: ignore[arg-type]
    assert not [name for name in begun if name.startswith("Thread-")], "beside those of pools"


async def test_what_is_refused_before_any_route_is_told_openais_clients_in_their_own_words(opened: Open):
    access = {"authentication": "required", "requests_per_minute": 3}
    async with opened(access=access, server={"longest_body": 2000}) as site:
        app = make_server(site.running, host="127.0.0.1", environ={})
        key, guess = await site.key(), {"authorization": "Bearer pk_no"}
        async with (
            web(app, host="127.0.0.1", port=0) as address,
            httpx2.AsyncClient(base_url=f"{address}/v1") as client,
        ):
            answers = [
                await client.get("/models", headers={"host": "evil.example"}),
                await client.get("/models", headers=guess),
                await client.get("/embeddings"),
                await client.put("/models"),
                await client.post("/responses", headers=key, json={"input": "x" * 2000}),
                *[await client.get("/models", headers=key) for _ in range(4)],
            ]

    told = [(each.status_code, each.json().get("error", each.json()).get("code")) for each in answers]
    assert told == [
        (421, "wrong_host"),
        (401, "unauthenticated"),
        (404, "not_found"),
        (405, "method_not_allowed"),
        (413, "body_too_large"),
        (200, None),
        (200, None),
        (200, None),
        (429, "rate_limit_exceeded"),
    ]
    for each in (*answers[:5], answers[-1]):
        assert each.headers["content-type"] == "application/json"
        assert set(each.json()["error"]) == {"message", "type", "param", "code"}
    assert answers[-1].json()["error"]["type"] == "rate_limit_error"
    assert 1 <= int(answers[-1].headers["retry-after"]) <= 60


async def test_an_address_that_guesses_isnt_listened_to_and_locks_nobody_out(opened: Open):
    access = {"authentication": "required", "failures_per_minute": 3}
    async with opened(access=access) as site:
        known, fresh = await site.key(), await site.key()
        assert (await site.client.get("/api/v1/keys", headers=known)).status_code == 200
        guess = {"authorization": f"Bearer pk_{'0' * 26}_{'A' * 43}"}
        guesses = [(await site.client.get("/api/v1/keys", headers=guess)).status_code for _ in range(5)]
        setup = await site.client.post("/api/v1/setup", json={"token": "x"})
        own = await site.client.get("/api/v1/keys", headers=known)
        never_seen = await site.client.get("/api/v1/keys", headers=fresh)

    assert guesses == [401, 401, 401, 429, 429]
    assert (own.status_code, never_seen.status_code, setup.status_code) == (200, 429, 429)


async def test_tries_of_the_setup_token_at_one_moment_are_counted(opened: Open):
    access = {"authentication": "required", "failures_per_minute": 1}
    async with opened(access=access) as site:
        tries = [site.client.post("/api/v1/setup", json={"token": "x"}) for _ in range(3)]
        answers = await asyncio.gather(*tries)

    assert sorted(each.status_code for each in answers) == [401, 429, 429]


async def test_addresses_are_believed_of_known_proxies_alone(opened: Open):
    access = {"authentication": "required", "failures_per_minute": 1}
    guess = {"authorization": "Bearer pk_no"}

    async def guesses(site: Site) -> list[int]:
        headers = [{**guess, "x-forwarded-for": f"192.0.2.{number}"} for number in range(3)]
        return [(await site.client.get("/api/v1/keys", headers=each)).status_code for each in headers]

    async with opened(access=access, peer="198.51.100.7") as site:
        unknown = await guesses(site)
    async with opened(access=access, peer="10.0.0.1", server={"proxies": ["10.0.0.0/8"]}) as site:
        believed = await guesses(site)

    assert (unknown, believed) == ([401, 429, 429], [401, 401, 401])


async def test_a_request_is_bounded_also_where_it_doesnt_say_its_length(opened: Open):
    async with opened(server={"longest_body": 1000}) as site:
        headers = {**await site.key(), "content-type": "application/json"}

        async def pieces() -> AsyncIterator[bytes]:
            for _ in range(20):
                yield b" " * 100

        announced = await site.client.post("/api/v1/keys", headers=headers, content=b" " * 1001)
        counted = await site.client.post("/api/v1/keys", headers=headers, content=pieces())
        fits = await site.client.post(
            "/api/v1/keys", headers=headers, content=b'{"name":"a","roles":["viewer"]}'.ljust(1000)
        )

    assert code(announced) == code(counted) == (413, "body_too_large")
    assert fits.status_code == 201


async def test_a_server_on_a_real_port_says_nothing_of_itself_and_survives_broken_requests(opened: Open):
    async with opened() as site:
        app = make_server(site.running, host="127.0.0.1", environ={})
        async with web(app, host="127.0.0.1", port=0) as address:
            async with httpx2.AsyncClient(base_url=address) as client:
                health = await client.get("/api/v1/health")
            port = int(address.rpartition(":")[2])
            for sent in (
                b"GET / HTTP/1.1\r\n\r\n",
                b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999999999999\r\n\r\n",
                b"GET /api/v1/keys HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer \xff\xfe\r\n\r\n",
                b"GET /api/v1/keys HTTP/1.1\r\nHost: [::1\r\n\r\n",
            ):
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.write(sent)
                status = await reader.readline()
                writer.close()
                await writer.wait_closed()
                assert status.split()[1] in (b"400", b"401", b"413", b"421"), (sent, status)

    assert health.status_code == 200
    assert "server" not in health.headers


async def test_what_takes_too_long_is_given_up_and_a_stream_isnt(opened: Open):
    released = asyncio.Event()
    app = proctor.App()

    @app.team("slow")
    def slow(ctx: proctor.TeamContext) -> ChatAgent:
        return AssistantAgent("one", model_client=ctx.model("small"))

    async def waits(_call: ModelCall) -> Reply:
        await released.wait()
        return "At last."

    sections = {
        "server": {"timeout": timedelta(seconds=1)},
        "models": {"small": {"model": "gpt-5.4-mini", "price": {"input": 1, "output": 2}}},
    }
    async with opened(app=app, providers={"openai": ScriptedModel(waits)}, **sections) as site:
        headers = await site.key("operator")
        served = make_server(site.running, host="127.0.0.1", environ={})
        async with (
            web(served, host="127.0.0.1", port=0) as address,
            httpx2.AsyncClient(base_url=f"{address}/api/v1", headers=headers, timeout=20) as client,
        ):
            task = {"team": "slow", "task": "hello"}
            run = await site.running.start("slow", "hello")
            answer = await client.post("/runs", json=task, params={"wait": 10})
            asyncio.get_running_loop().call_later(1.5, released.set)
            async with client.stream("GET", f"/runs/{run.id}/events/stream") as stream:
                told = (await stream.aread()).decode()

    assert code(answer) == (504, "answer_too_slow")
    assert "At last." in told


@pytest.mark.parametrize("how", ["revoked", "rotated away"])
async def test_whoever_waits_is_told_nothing_more_once_their_key_holds_no_more(opened: Open, how: str):
    app = proctor.App()

    @app.team("talk")
    def talk(ctx: proctor.TeamContext) -> Team:
        agents: list[ChatAgent] = [
            AssistantAgent(name, model_client=ctx.model("small")) for name in ("one", "two")
        ]
        return RoundRobinGroupChat(agents, max_turns=40)

    async def ponders(call: ModelCall) -> Reply:
        await asyncio.sleep(0.2)
        return f"That makes {len(call.messages)}."

    models = {"small": {"model": "gpt-5.4-mini", "price": {"input": 1, "output": 2}}}
    async with opened(app=app, providers={"openai": ScriptedModel(ponders)}, models=models) as site:
        key, other = await site.key("operator", name="theirs"), await site.key("operator")
        served = make_server(site.running, host="127.0.0.1", environ={})
        async with (
            web(served, host="127.0.0.1", port=0) as address,
            httpx2.AsyncClient(base_url=address, timeout=20, headers=key) as client,
        ):
            run = await site.running.start("talk", "hello")
            path = f"/api/v1/runs/{run.id}/events/stream"
            asked = {"model": "talk", "metadata": {"run": run.id}}
            asked["messages"] = [{"role": "user", "content": "go on"}]
            call = {"name": "continue_run", "arguments": {"run_id": run.id}}
            rpc = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": call}
            task = {"team": "talk", "task": "hello"}
            async with client.stream("GET", path, headers=other) as going_on, asyncio.TaskGroup() as group:
                callers = [
                    group.create_task(each)
                    for each in (
                        client.get(path),
                        client.post("/v1/chat/completions", json={**asked, "stream": True}),
                        client.post("/v1/responses", json={"model": "talk", "input": "hi", "stream": True}),
                        client.post("/v1/chat/completions", json=asked),
                        client.post(
                            "/mcp", json=rpc, headers={"accept": "application/json, text/event-stream"}
                        ),
                        client.post("/api/v1/runs", json=task, params={"wait": 4}),
                    )
                ]
                waiting = len(callers)  # one of them follows nothing, and the other's stream does
                while len(site.running.runs.feed.followers) < waiting:
                    await asyncio.sleep(0.01)
                [mine] = [each for each in await site.running.keys.page() if each.name == "theirs"]
                if how == "revoked":
                    await site.running.keys.revoke(mine.id, by="root")
                else:
                    await site.running.keys.rotate(mine.id, by="root", overlap=timedelta(0))
                await asyncio.wait(callers)
                state = (await site.running.runs.get(run.id)).state
                await site.running.runs.cancel(run.id)
                told = (await going_on.aread()).decode()
        events, chat, response, completion, mcp, started = [caller.result() for caller in callers]

    assert state == "running"
    assert "event: end" in told
    assert events.text.endswith("event: expired\ndata: {}\n\n")
    assert '"code": "unauthenticated"' in chat.text
    assert '"code": "unauthenticated"' in response.text
    assert completion.status_code == started.status_code == 401
    assert "holds no more" in mcp.text


async def test_an_mcp_call_whose_wait_is_over_tells_nothing_once_its_key_holds_no_more(opened: Open):
    app, asked, released = proctor.App(), asyncio.Event(), asyncio.Event()

    @app.team("slow")
    def slow(ctx: proctor.TeamContext) -> ChatAgent:
        return AssistantAgent("a", model_client=ctx.model("small"))

    async def ponders(_call: ModelCall) -> Reply:
        asked.set()
        await released.wait()
        return "At last."

    models = {"small": {"model": "gpt-5.4-mini", "price": {"input": 1, "output": 2}}}
    async with opened(app=app, providers={"openai": ScriptedModel(ponders)}, models=models) as site:
        key = await site.key("operator", name="theirs")
        served = make_server(site.running, host="127.0.0.1", environ={})
        async with (
            web(served, host="127.0.0.1", port=0) as address,
            httpx2.AsyncClient(timeout=20, headers=key) as http,
            Client(streamable_http_client(f"{address}/mcp", http_client=http)) as client,
        ):
            await client.list_tools()  # so that it knows them when the key holds no more
            task = {"task": "hello", "wait_seconds": TRUSTED + 0.5}
            calling = asyncio.create_task(client.call_tool("run_slow", task))
            async with asyncio.timeout(20):
                await asked.wait()  # from here on nothing happens in the run
            [mine] = await site.running.keys.page()
            await site.running.keys.revoke(mine.id, by="root")
            answer = await calling
            released.set()

    assert answer.is_error
    assert "holds no more" in str(answer.content)
    assert "run_" not in str(answer)


async def test_a_request_that_doesnt_come_whole_is_given_up(opened: Open):
    async with opened(server={"timeout": timedelta(seconds=4)}) as site:
        served = make_server(site.running, host="127.0.0.1", environ={})
        async with web(served, host="127.0.0.1", port=0) as address:
            reader, writer = await asyncio.open_connection("127.0.0.1", int(address.rpartition(":")[2]))
            lines = ("POST /api/v1/setup HTTP/1.1", "Host: localhost", "Content-Length: 50", "", "{")
            writer.write("\r\n".join(lines).encode())
            status = await reader.readline()
            writer.close()
            await writer.wait_closed()

    assert status.split()[1] == b"408"


# People, and a real identity provider.


def oidc(issuer: str, **more: Any) -> dict[str, Any]:
    client = {"client_id": "proctor", "client_secret_env": "OIDC_SECRET", "grants": GRANTS}
    return {"authentication": "required", "oidc": {"issuer": issuer, **client, **more}}


async def enter(site: Site, who: str) -> httpx2.Response:
    begun = await site.client.get("/api/v1/session/sign-in", params={"next": "/runs?state=failed"})
    assert begun.status_code == 302
    return await signs_in(site.client, begun, who)


@pytest.fixture(scope="module")
def signing() -> KeySet:
    return new_keys()


@pytest.mark.parametrize("claims", ["id_token", "userinfo"])
async def test_a_person_signs_in_works_and_signs_out(opened: Open, signing: KeySet, claims: Any):
    with identity_provider(callback=CALLBACK, keys=signing, claims=claims) as issuer:
        async with opened(access=oidc(issuer)) as site:
            back = await enter(site, "ann@example.com sre")
            assert back.status_code == 303, back.text
            assert back.headers["location"] == "/runs?state=failed"
            cookie = back.headers["set-cookie"]
            assert all(part in cookie for part in ("HttpOnly", "SameSite=lax", "Path=/"))
            listed = await site.client.get("/api/v1/keys")
            wanted = {"name": "a", "roles": ["viewer"]}
            own = {"origin": HERE}
            made = await site.client.post("/api/v1/keys", headers=own, json=wanted)
            silent = await site.client.post("/api/v1/keys", json=wanted)
            foreign = await site.client.post("/api/v1/keys", headers={"origin": "http://x"}, json=wanted)
            secret = site.client.cookies["proctor_session"]
            out = await site.client.delete("/api/v1/session", headers=own)
            stolen = await site.client.get("/api/v1/keys", headers={"cookie": f"proctor_session={secret}"})

    assert listed.status_code == 200
    assert made.json()["created_by"] == "ann@example.com"
    assert code(silent) == code(foreign) == (403, "cross_site")
    assert (out.status_code, stolen.status_code) == (204, 401)


async def test_who_has_no_role_or_no_verified_address_doesnt_get_in(opened: Open, signing: KeySet):
    with identity_provider(callback=CALLBACK, keys=signing) as issuer:
        for who in ("ben@example.com other", "unverified@example.com sre"):
            async with opened(access=oidc(issuer)) as site:
                back = await enter(site, who)
                assert code(back) == (403, "forbidden")
                assert "proctor_session" not in site.client.cookies


async def test_a_sign_in_belongs_to_the_browser_that_began_it(opened: Open, signing: KeySet):
    with identity_provider(callback=CALLBACK, keys=signing) as issuer:
        async with opened(access=oidc(issuer)) as site:
            begun = await site.client.get("/api/v1/session/sign-in")
            site.client.cookies.delete("proctor_sign_in")
            lost = await signs_in(site.client, begun, "ann@example.com sre")
            await site.client.get("/api/v1/session/sign-in")
            swapped = await site.client.get(lost.request.url)
            invented = await site.client.get(CALLBACK, params={"code": "x", "state": "y"})

    assert code(lost) == code(swapped) == code(invented) == (401, "unauthenticated")


async def test_a_code_is_worth_one_session(opened: Open, signing: KeySet):
    with identity_provider(callback=CALLBACK, keys=signing) as issuer:
        async with opened(access=oidc(issuer)) as site:
            begun = await site.client.get("/api/v1/session/sign-in")
            attempt = site.client.cookies["proctor_sign_in"]
            back = await signs_in(site.client, begun, "ann@example.com sre")
            again = await site.client.get(back.request.url, headers={"cookie": f"proctor_sign_in={attempt}"})

    assert (back.status_code, again.status_code) == (303, 401)


@pytest.mark.parametrize("place", ["//evil.example", "https://evil.example", "/\\evil.example", "/a\r\nb"])
async def test_after_signing_in_nobody_is_sent_elsewhere(opened: Open, signing: KeySet, place: str):
    with identity_provider(callback=CALLBACK, keys=signing) as issuer:
        async with opened(access=oidc(issuer)) as site:
            begun = await site.client.get("/api/v1/session/sign-in", params={"next": place})
            back = await signs_in(site.client, begun, "ann@example.com sre")

    assert back.headers["location"] == "/"


async def test_the_providers_new_keys_are_found(opened: Open, signing: KeySet):
    clock = FakeClock()
    clock.instant = proctor.core.SystemClock().now()
    with identity_provider(callback=CALLBACK, keys=signing) as issuer:
        async with opened(access=oidc(issuer), clock=clock) as site:
            assert (await enter(site, "ann@example.com sre")).status_code == 303
    port = int(issuer.rpartition(":")[2])
    async with opened(access=oidc(issuer), clock=clock) as site:
        with identity_provider(callback=CALLBACK, keys=signing, port=port):
            assert (await enter(site, "ann@example.com sre")).status_code == 303
        clock.advance(11)
        with identity_provider(callback=CALLBACK, keys=new_keys(), port=port):
            site.client.cookies.clear()
            assert (await enter(site, "ann@example.com sre")).status_code == 303
        site.client.cookies.clear()
        clock.advance(3600)
        away = await site.client.get("/api/v1/session/sign-in")

    assert code(away) == (503, "identity_provider_unavailable")


def token(
    keys: KeySet, issuer: str, clock: FakeClock, header: dict[str, Any] | None = None, **more: Any
) -> str:
    now = int(clock.now().timestamp())
    claims = {
        "iss": issuer,
        "aud": AUDIENCE,
        "sub": "ann",
        "exp": now + 60,
        "iat": now,
        "email": "ann@example.com",
        "email_verified": True,
        "groups": ["sre"],
        **more,
    }
    key = keys.keys[0]
    return jwt.encode({"alg": "RS256", "kid": key.kid, **(header or {})}, claims, key)


async def test_tokens_of_the_provider_are_taken_where_they_are_for_this_server_alone(
    opened: Open, signing: KeySet
):
    clock = FakeClock()
    with identity_provider(callback=CALLBACK, keys=signing) as issuer:
        async with opened(access=oidc(issuer, bearer_audience=AUDIENCE), clock=clock) as site:
            now = int(clock.now().timestamp())
            good = [
                token(signing, issuer, clock),
                token(signing, issuer, clock, exp=now - 20),
                token(signing, issuer, clock, aud=["other", AUDIENCE]),
            ]
            bad = [
                token(signing, issuer, clock, exp=now - 31),
                token(signing, issuer, clock, exp=None),
                token(signing, issuer, clock, nbf=now + 60),
                token(signing, issuer, clock, aud="proctor"),
                token(signing, issuer, clock, aud=None),
                token(signing, "https://evil.example", clock),
                token(new_keys(), issuer, clock),
                token(signing, issuer, clock)[:-6] + "AAAAAA",
                jwt.encode(
                    {"alg": "HS256", "kid": signing.keys[0].kid},
                    {"iss": issuer, "aud": AUDIENCE, "sub": "ann", "exp": now + 60},
                    OctKey.import_key(SECRET.encode().ljust(32)),
                ),
                "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhbm4ifQ.",
                "a.b.c",
            ]
            taken, refused = [
                [
                    (
                        await site.client.get("/metrics", headers={"authorization": f"Bearer {each}"})
                    ).status_code
                    for each in tokens
                ]
                for tokens in (good, bad)
            ]
        async with opened(access=oidc(issuer), clock=clock) as site:
            headers = {"authorization": f"Bearer {good[0]}"}
            not_configured = await site.client.get("/metrics", headers=headers)

    assert taken == [200] * len(good)
    assert refused == [401] * len(bad)
    assert not_configured.status_code == 401


async def test_guesses_from_an_address_lock_out_no_token_of_the_provider_and_no_session(
    opened: Open, signing: KeySet
):
    clock = FakeClock()
    clock.instant = proctor.core.SystemClock().now()
    with identity_provider(callback=CALLBACK, keys=signing) as issuer:
        access = {**oidc(issuer, bearer_audience=AUDIENCE), "failures_per_minute": 3}
        async with opened(access=access, clock=clock) as site:

            async def ask(bearer: str = "") -> int:
                headers = {"authorization": f"Bearer {bearer}"} if bearer else {}
                return (await site.client.get("/api/v1/keys", headers=headers)).status_code

            assert (await enter(site, "ann@example.com sre")).status_code == 303
            clock.advance(90)
            noted = await ask()  # when the session was used
            forged = token(new_keys(), issuer, clock)
            guesses = [await ask(each) for each in ("rubbish", forged, forged, forged, "rubbish")]
            session = await ask()
            bearer = await ask(token(signing, issuer, clock))

    assert guesses == [401, 401, 401, 429, 429]
    assert (noted, session, bearer) == (200, 200, 200)


async def test_the_providers_own_access_token_opens_the_door(opened: Open, signing: KeySet):
    from authlib.integrations.httpx_client import AsyncOAuth2Client

    with identity_provider(callback=CALLBACK, keys=signing, claims="bearer") as issuer:
        async with opened(access=oidc(issuer, bearer_audience=AUDIENCE)) as site:
            async with AsyncOAuth2Client(
                "proctor", SECRET, redirect_uri=CALLBACK, scope="openid email", code_challenge_method="S256"
            ) as program:
                address, state = program.create_authorization_url(f"{issuer}/auth", code_verifier="v" * 43)
                back = await signs_in(site.client, await site.client.get(address), "ann@example.com sre")
                tokens = await program.fetch_token(
                    f"{issuer}/token",
                    authorization_response=str(back.request.url),
                    state=state,
                    code_verifier="v" * 43,
                )
            headers = {"authorization": f"Bearer {tokens['access_token']}"}
            entered = await site.client.get("/api/v1/keys", headers=headers)
            signs_only = {"authorization": f"Bearer {tokens['id_token']}"}
            refused = await site.client.get("/api/v1/keys", headers=signs_only)

    assert (entered.status_code, refused.status_code) == (200, 401)


# Secrets.


async def test_no_secret_stays_in_the_database_the_log_or_an_answer(
    opened: Open, signing: KeySet, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    from proctor.access import offer_setup
    from proctor.core import SystemClock

    caplog.set_level(logging.DEBUG)
    answers: list[httpx2.Response] = []
    with identity_provider(callback=CALLBACK, keys=signing) as issuer:
        async with opened(access=oidc(issuer)) as site:
            setup = await offer_setup(site.running.database, clock=SystemClock())
            made = await site.client.post("/api/v1/setup", json={"token": setup})
            key = made.json()["token"]
            headers = {"authorization": f"Bearer {key}"}
            begun = await site.client.get("/api/v1/session/sign-in")
            attempt = site.client.cookies["proctor_sign_in"]
            back = await signs_in(site.client, begun, "ann@example.com sre")
            session = site.client.cookies["proctor_session"]
            for method, path in (("GET", "/api/v1/keys"), ("POST", "/api/v1/keys"), ("GET", "/metrics")):
                answers.append(await site.client.request(method, path, headers=headers))
            answers.append(await site.client.get("/api/v1/keys", headers={"authorization": f"Bearer {key}x"}))
            answers.append(await site.client.post("/api/v1/setup", json={"token": setup, "more": 1}))
            spent = str(back.request.url.params["code"])
            stored = _bytes_in(tmp_path)
    ours = "\n".join(
        record.getMessage() for record in caplog.records if not record.name.startswith(("httpx", "httpcore"))
    )
    shown = "\n".join(answer.text for answer in answers)

    for secret in (setup, key, key.rpartition("_")[2], attempt.partition(".")[0], session, spent, SECRET):
        assert secret
        assert secret.encode() not in stored
        assert secret not in ours
    for secret in (key, session, SECRET):
        assert secret not in shown


def _bytes_in(folder: Path) -> bytes:
    return b"".join(file.read_bytes() for file in folder.glob("proctor.db*"))


# The command.


def greeting(serving: "subprocess.Popen[str]") -> str:
    """What `serve` prints, up to the last of its addresses."""
    assert serving.stdout is not None
    said = ""
    while "Metrics: " not in said:
        line = serving.stdout.readline()
        assert line, said
        said += line
    return said


@pytest.mark.slow
def test_the_first_start_prints_a_token_and_keys_are_made_by_command(tmp_path: Path):
    (tmp_path / "desk.py").write_text("import proctor\n\napp = proctor.App()\n", encoding="utf-8")
    (tmp_path / "proctor.toml").write_text(
        'app = "desk.py"\n[access]\nauthentication = "required"\n', encoding="utf-8"
    )
    command = [sys.executable, "-m", "proctor"]

    def keys(*arguments: str) -> Any:
        done = subprocess.run(
            [*command, "keys", *arguments, "--json"],
            cwd=tmp_path,
            capture_output=True,
            timeout=60,
            check=True,
        )
        return json.loads(done.stdout)

    serving = subprocess.Popen(
        [*command, "serve", "--port", "0"], cwd=tmp_path, stdout=subprocess.PIPE, text=True
    )
    try:
        said = greeting(serving)
        address = re.search(r"API: (\S+/api/v1)\.", said)
        offered = re.search(r'"token": "(setup_\S+)"', said)
        assert address
        assert offered
        made = httpx2.post(f"{address[1]}/setup", json={"token": offered[1]})
        assert made.status_code == 201
        other = keys("create", "ci", "--role", "viewer", "--role", "approver", "--expires", "1d")
        headers = {"authorization": f"Bearer {other['token']}"}
        assert httpx2.get(f"{address[1][:-7]}/metrics", headers=headers).status_code == 200
        assert {key["name"] for key in keys("list")} == {"admin", "ci"}
        assert keys("rotate", other["id"], "--overlap", "1h")["name"] == "ci"
        assert keys("revoke", other["id"])["state"] == "revoked"
    finally:
        serving.send_signal(signal.SIGTERM)
        rest, _ = serving.communicate(timeout=30)
    assert serving.returncode == 0, rest
    with sqlite3.connect(tmp_path / "proctor.db") as database:
        actions = [row[0] for row in database.execute("SELECT action FROM audit_entries ORDER BY seq")]
    database.close()
    assert [action for action in actions if action.startswith("key.")] == [
        "key.created",
        "key.created",
        "key.rotated",
        "key.revoked",
    ]


@pytest.mark.slow
def test_the_addresses_that_are_printed_are_those_by_which_others_call_the_server(tmp_path: Path):
    (tmp_path / "desk.py").write_text("import proctor\n\napp = proctor.App()\n", encoding="utf-8")
    (tmp_path / "proctor.toml").write_text(
        f'app = "desk.py"\n[server]\nurl = "{HTTPS}"\n[access]\nauthentication = "required"\n',
        encoding="utf-8",
    )
    command = [sys.executable, "-m", "proctor", "serve", "--host", "0.0.0.0", "--port", "0"]
    serving = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True)
    try:
        said = greeting(serving)
    finally:
        serving.send_signal(signal.SIGTERM)
        serving.communicate(timeout=30)
    own = re.search(r"Listening on (http://\S+:\d+)\. ", said)
    assert own is not None, said
    assert set(re.findall(r"https?://[^/ ]+", said.replace(own[0], ""))) == {HTTPS}
