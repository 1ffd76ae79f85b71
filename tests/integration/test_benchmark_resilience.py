import asyncio
import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2
import pytest

from benchmarks._resilience._endpoint import FaultyEndpoint
from benchmarks._resilience._faults import FAULTS, fault_of
from benchmarks._resilience._workload import CHECKER, answer_of, task_of
from benchmarks.resilience import Half, Side, complaints_of

ROOT = Path(__file__).parents[2]
BOUND = 30
SEED, SHARE = 3, 0.2


def fault(number, attempt=1):
    return fault_of(SEED, SHARE, model="primary", request=f"{number}/{CHECKER}/2", attempt=attempt)


def number_with(wanted, *, then=None):
    """An order whose first request meets a fault, and whose second one meets another or none."""
    return next(number for number in range(10**6) if fault(number) == wanted and fault(number, 2) == then)


@asynccontextmanager
async def answering():
    endpoint = FaultyEndpoint(SEED, SHARE)
    server = await asyncio.start_server(endpoint.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with (
        asyncio.timeout(BOUND),
        httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=BOUND) as client,
    ):
        yield endpoint, client
    server.close()


async def ask(client, number, *, within=BOUND, **more):
    messages = [{"role": "system", "content": CHECKER}, {"role": "user", "content": task_of(number)}]
    body = {"model": "primary", "messages": messages, **more}
    return await client.post("/v1/chat/completions", json=body, timeout=within)


def test_a_fifth_of_all_requests_fails_each_way_as_often():
    met = Counter(fault(number) for number in range(20_000))
    assert set(met) == {*FAULTS, None}
    assert all(600 < met[kind] < 730 for kind in FAULTS)


async def test_an_answer_is_the_one_that_a_run_is_judged_by():
    async with answering() as (_, client):
        number = number_with(None)
        whole = (await ask(client, number)).json()
        assert whole["choices"][0]["message"]["content"] == answer_of(number)
        streamed = (await ask(client, number, stream=True)).text
    assert streamed.endswith("data: [DONE]\n\n")
    chunks = [json.loads(line.removeprefix("data: ")) for line in streamed.splitlines() if "{" in line]
    words = [choice["delta"].get("content", "") for chunk in chunks for choice in chunk["choices"]]
    assert "".join(words).strip() == answer_of(number)


@pytest.mark.parametrize("streams", [False, True])
async def test_each_fault_is_what_it_is_called_and_passes(streams):
    async with answering() as (endpoint, client):
        late = await ask(client, number_with("too_many_requests"), stream=streams)
        assert (late.status_code, late.headers["retry-after"]) == (429, "1")
        assert (await ask(client, number_with("server_error"), stream=streams)).status_code == 500
        nonsense = await ask(client, number_with("nonsense"), stream=streams)
        with pytest.raises(json.JSONDecodeError):
            json.loads(nonsense.text.removeprefix("data: "))
        with pytest.raises(httpx2.ReadTimeout):
            await ask(client, number_with("hang"), within=1, stream=streams)
        with pytest.raises(httpx2.RemoteProtocolError):
            await ask(client, number_with("half_an_answer"), stream=streams)
        with pytest.raises(httpx2.ReadError):
            await ask(client, number_with("reset"), stream=streams)
        for kind in FAULTS:
            assert (await ask(client, number_with(kind), stream=streams)).status_code == 200
        seen = await endpoint.look()
        assert seen == {"requests": {"primary": 12}, "faults": dict.fromkeys(FAULTS, 1)}
        assert await endpoint.forget() == {"requests": {}, "faults": {}}
        assert (await ask(client, number_with("server_error"), stream=streams)).status_code == 500


def side(completed, *, shown):
    half = Half(
        contender="proctor",
        mode="whole",
        runs=1000,
        completed=completed,
        wrong=0,
        failed=1000 - completed,
        seconds=1,
        errors={},
    )
    books = {"requests": shown}
    return Side(halves=(half,), requests={"primary": 3000}, faults={}, books=books)


def test_the_promises_are_held_by_completed_runs_and_by_every_request_in_the_ledger():
    assert complaints_of(side(995, shown={"primary": 3000})) == []
    assert len(complaints_of(side(994, shown={"primary": 3000}))) == 1
    assert len(complaints_of(side(1000, shown={"primary": 2999}))) == 1


@pytest.mark.slow
@pytest.mark.skipif(
    not (os.environ.get("UV") or shutil.which("uv")), reason="uv makes the contender's environment"
)
def test_a_short_run_holds_what_is_promised_beside_raw_autogen():
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.resilience", "--json", "--runs", "40"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        timeout=900,
        check=False,
    )
    told = json.loads(done.stdout)
    assert told["complaints"] == []
    assert done.returncode == 0
    assert told["completed_share"]["autogen"] < told["completed_share"]["proctor"]
    assert set(told["sides"]["proctor"]["faults"]) == set(FAULTS)
