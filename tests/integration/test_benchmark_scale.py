import asyncio
import json
import subprocess
import sys
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2
import pytest

from benchmarks import scale, soak
from benchmarks._scale._endpoint import FLAKY, LateEndpoint
from benchmarks._scale._slope import slope

ROOT = Path(__file__).parents[2]
BOUND = 30


@asynccontextmanager
async def answering(endpoint):
    server = await asyncio.start_server(endpoint.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=BOUND) as client:
        yield client
    server.close()


async def ask(client, model="steady", text="?"):
    body = {"model": model, "messages": [{"role": "user", "content": text}]}
    answer = await client.post("/v1/chat/completions", json=body)
    return answer.status_code


async def test_the_endpoint_holds_what_comes_until_it_is_told_to_answer():
    endpoint = LateEndpoint(0.0)
    async with answering(endpoint) as client, asyncio.timeout(BOUND):
        await endpoint.hold()
        asked = [asyncio.create_task(ask(client)) for _ in range(5)]
        while (await endpoint.look())["in_hand"] < 5:
            await asyncio.sleep(0.01)
        assert not any(task.done() for task in asked)
        await endpoint.release()
        assert await asyncio.gather(*asked) == [200] * 5
    assert await endpoint.look() == {"requests": 5, "in_hand": 0, "most_in_hand": 5}


async def test_the_flaky_model_fails_the_first_request_of_each_conversation():
    async with answering(LateEndpoint(0.0)) as client, asyncio.timeout(BOUND):
        assert [await ask(client, FLAKY, text) for text in ("a", "a", "b", "b", "a")] == [
            503,
            200,
            503,
            200,
            503,
        ]


def test_a_slope_is_told_with_its_error():
    assert slope([0, 1, 2, 3], [1, 3, 5, 7]) == (pytest.approx(2), pytest.approx(0))
    assert slope([0, 1, 2, 3], [0, 1, 0, 1]) == (pytest.approx(0.2), pytest.approx(0.2828, abs=1e-3))


VITALS = {
    "rss_mb": 100.0,
    "tasks": 10,
    "fds": 20,
    "threads": 8,
    "children": 1,
    "connections": 5,
    "series": 400,
    "objects": 1000,
}


def soaked(*, growth=0.0, faults=0, **after):
    """What a process tells that was soaked for an hour; `growth` in MB."""
    samples = [
        {**VITALS, "seconds": float(at), "rss_mb": 100 + growth * at / 3600 + at % 2}
        for at in range(0, 3600, 15)
    ]
    told = {"done": {"one_call": 9}, "faults": faults, "told": [], "most_in_flight": 1, "most_behind": 0.0}
    end = {**told, "after": {**VITALS, **after}, "cpu_share": 0.1, "commits": 99}
    lines = [{"before": VITALS}, *({"sample": sample} for sample in samples), end]
    return soak.figures(lines, minutes=60, rate=8, engine="embedded")


def test_a_soaked_process_that_stays_as_it_was_passes():
    figures = soaked()
    assert figures["ok"]
    assert abs(figures["rss_slope_mb_per_hour"]) < 2 * figures["rss_slope_standard_error"]


@pytest.mark.parametrize("held", ["tasks", "fds", "threads", "children", "connections", "series"])
def test_whatever_a_soaked_process_keeps_is_a_leak(held):
    figures = soaked(**{held: VITALS[held] + 1})
    assert (figures["ok"], figures["leaked"]) == (False, {held: 1})


def test_growing_memory_and_unexpected_runs_are_told():
    assert not soaked(growth=40.0)["ok"]
    assert soaked(growth=10.0)["ok"]
    assert not soaked(faults=1)["ok"]


def cell(workers, runs_per_s, *, right=10):
    work = {"scenario": "one_call_agent", "concurrency": 8, "runs": 10, "right": right}
    return {**work, "workers": workers, "runs_per_s": runs_per_s}


def held(*cells):
    sizes = scale.Sizes(
        runs=10,
        workers=(1, 2),
        concurrency=(8,),
        levels=(10,),
        waiting=0,
        parts=("workers",),
        against=(),
    )
    return scale.figures(sizes, {"workers": list(cells)})["ok"]


def test_two_workers_must_do_what_one_does_and_lose_nothing():
    assert held(cell(1, 20.0), cell(2, 19.0), cell(4, 3.0))
    assert not held(cell(1, 20.0), cell(2, 17.0))
    assert not held(cell(1, 20.0), cell(2, 40.0, right=9))


def benchmark(name, *options):
    done = subprocess.run(
        [sys.executable, "-m", f"benchmarks.{name}", "--json", *options],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        timeout=900,
        check=False,
    )
    told = json.loads(done.stdout)
    assert done.returncode == (0 if told["ok"] else 1)
    return told


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["embedded", "temporal"])
def test_a_short_soak_ends_every_run_as_expected_and_leaks_nothing(engine):
    told = benchmark("soak", "--minutes", "0.2", "--rate", "3", "--every", "1", "--engine", engine)
    assert told["unexpected"] == 0, told["faults"]
    assert set(told["runs"]) == {"one_call", "mcp_tool", "approval", "rescheduled", "thread"}
    assert told["leaked"] == {}
    assert told["samples_counted"] > 3


@pytest.mark.slow
def test_a_short_scale_run_measures_every_part_and_loses_nothing():
    few = ["--runs", "16", "--workers", "1", "--workers", "2", "--concurrency", "4", "--waiting", "120"]
    levels = ["--levels", "5", "--levels", "10", "--levels", "20"]
    told = benchmark("scale", *few, *levels, "--no-against")
    assert [one["right"] for one in told["workers"]] == [16] * 4
    assert all(one["right"] == one["runs"] for one in told["process"])
    assert [(one["peak"], one["right"]) for one in told["memory"]] == [(20, 20)] * 2
    assert [(one["waiting"], one["listed"]) for one in told["waiting"]] == [(120, 120)] * 2
    # Three pages of a busy machine say nothing of how long one takes: that is the full run's to check.
    assert all(0 < one["page_ms"]["p50"] <= one["page_ms"]["max"] for one in told["waiting"])
    assert [one["page_ms"]["pages"] for one in told["waiting"]] == [3, 3]
