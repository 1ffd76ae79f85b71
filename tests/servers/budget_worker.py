"""A worker that spends as fast as it can, by calls of random cost, until a budget refuses each of them.

It prints what it has spent when it ends. Told to hang, it stops answering after so many calls and waits to be
killed.
"""

import asyncio
import json
import sys
from datetime import timedelta
from random import Random

from proctor.core import (
    BudgetExceeded,
    BudgetRule,
    DeploymentSettings,
    ModelCall,
    ModelResult,
    SystemClock,
    Usage,
)
from proctor.ledger import Budgets, Prices
from proctor.store import Database
from proctor.testing import FakeScope

DEPLOYMENTS = {"small": DeploymentSettings(model="m", price={"input": 1, "output": 0}, repeats="free")}
RULES = {
    "all": BudgetRule(usd="0.05"),
    "desk": BudgetRule(usd="0.02", scope="team", of="desk"),
    "each": BudgetRule(usd="0.01", scope="user", period="month"),
}
TEAMS, USERS = ("desk", "shop"), ("ann", "bob", "cleo", "dan", "eve", "finn", "gus")
PATIENCE = timedelta(seconds=0.2)
SIDE_BY_SIDE = 4


def make_budgets(database: Database, worker: str) -> Budgets:
    return Budgets(
        RULES,
        prices=Prices(DEPLOYMENTS),
        database=database,
        worker=worker,
        clock=SystemClock(),
        piece=0.01,
        tools={},
        cheaper=lambda _: None,
        listener=lambda *_: None,
        patience=PATIENCE,
    )


async def main(url: str, worker: str, hang_after: int) -> None:
    rng, calls = Random(worker), 0

    async def provider(call: ModelCall) -> ModelResult:
        nonlocal calls
        calls += 1
        if calls >= hang_after:
            _say("hangs")
            await asyncio.Event().wait()
        await asyncio.sleep(0)
        usage = Usage(input=rng.randint(1, 200))
        return ModelResult(message={}, finish_reason="stop", usage=usage, deployment=call.model, model="m")

    async def spend(budgets: Budgets) -> int:
        spent = refused = 0
        while refused < len(TEAMS) * len(USERS):
            scope = FakeScope(team=rng.choice(TEAMS), requester=rng.choice(USERS))
            call = ModelCall(scope=scope, model="small", messages=({"role": "user", "content": "x" * 60},))

            async def once(made: ModelCall) -> ModelResult:
                return await budgets.model(made, provider)

            try:
                await budgets.thrift(call, once)
            except BudgetExceeded:
                refused += 1
            else:
                refused = 0
            for cost, write in scope.booked:
                await database.commit(write)
                spent += cost
        return spent

    async with await Database.open(url) as database:
        budgets = make_budgets(database, worker)
        async with asyncio.TaskGroup() as group:
            spending = [group.create_task(spend(budgets)) for _ in range(SIDE_BY_SIDE)]
            keeping = group.create_task(_keep(budgets, spending))
        await keeping
        await budgets.close()
    _say(json.dumps({"spent": sum(task.result() for task in spending)}))


async def _keep(budgets: Budgets, spending: "list[asyncio.Task[int]]") -> None:
    while not all(task.done() for task in spending):
        await budgets.tidy()
        await asyncio.wait(spending, timeout=0.2)


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
