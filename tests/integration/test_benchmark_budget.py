import json
import subprocess
import sys
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest

from benchmarks._budget import _workload as workload
from benchmarks._budget._books import Books, entered, overspent
from benchmarks._budget._provider import Provider
from proctor.core import DeploymentSettings, Usage
from proctor.ledger import Prices

ROOT = Path(__file__).parents[2]
BOUND = 600


def books(models, tools=None) -> Books:
    return Books(
        models=models,
        tools=tools or {},
        requests=0,
        states={},
        refusals=Counter(),
        accounts=(),
        pieces=0,
        differences=0,
    )


def test_what_goes_beyond_a_limit_is_told_for_each_budget():
    limits = {"all": 100, "shop": 10, "lab_runs": 20}
    bills = {0: 50, 1: 11, 2: 20, 5: 21}
    over = overspent(bills, books({}, {2: 3}), limits, first=0)
    assert over == {"all": 5, "shop": 1, "lab_runs": 3 + 1}


def test_runs_that_ended_before_they_had_a_budget_are_beyond_none():
    limits = {"all": 100, "shop": 100, "lab_runs": 20}
    over = overspent({2: 24, 5: 21}, books({}), limits, first=3)
    assert over == {"all": 0, "shop": 0, "lab_runs": 1}


def test_accounts_are_held_against_what_their_orders_cost():
    found = entered(books({0: 5, 1: 7}, {1: 2, 2: 1}))
    assert found == {("daily", ""): 15, ("all", ""): 15, ("shop", "shop"): 9}


def test_the_provider_and_the_ledger_price_alike_though_they_share_no_code():
    price = workload.prices(7)["small"]
    prices = Prices({"small": DeploymentSettings.model_validate({"model": "small", "price": price})})
    at = datetime.now(UTC)
    for number in range(200):
        told = workload.usage_of(f"key {number}", 2_000)
        usage = Usage(
            input=told["prompt_tokens"],
            output=told["completion_tokens"],
            cached_input=told["prompt_tokens_details"]["cached_tokens"],
            reasoning=told["completion_tokens_details"]["reasoning_tokens"],
        )
        assert workload.charge(told, price) == prices.price_of(usage, "small", at=at)


@pytest.mark.parametrize(("bills_repeats", "times"), [(False, 1), (True, 2)])
async def test_a_repeated_request_is_billed_as_agreed(bills_repeats, times):
    provider = Provider(7, bills_repeats=bills_repeats)
    body = json.dumps(
        {"model": "small", "messages": [{"role": "user", "content": workload.task(3)}], "tools": []}
    ).encode()
    key = next(key for key in map(str, range(100)) if workload.chance("busy", key) % 100 >= 50)
    for _ in range(2):
        status, _ = provider._answer(key, body)
        assert status == 200
    once = workload.charge(workload.usage_of(key, len(body)), workload.prices(7)["small"])
    assert (await provider.bills())["bills"] == {"3": times * once}


@pytest.mark.slow
@pytest.mark.parametrize("repeats", ["free", "billed"])
def test_no_budget_is_overspent_though_workers_are_killed(repeats):
    sizes = ["--runs", "60", "--workers", "2", "--kills", "1", "--repeats", repeats]
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.budget", *sizes, "--json"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=BOUND,
        check=False,
    )
    figures = json.loads(done.stdout.splitlines()[-1])
    assert figures["ok"], figures
