import asyncio

import httpx2
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_open
from prometheus_client.parser import text_string_to_metric_families as read_plain
from starlette.applications import Starlette
from starlette.routing import Route

from proctor.core import DatabaseUnavailable
from proctor.telemetry import BudgetStanding, Metrics, MetricsPage, SharedState

STATE = SharedState(
    runs={("support", "queued"): 3, ("support", "running"): 1},
    queued_seconds={"support": 12.5},
    approvals={"support": 2},
    approval_seconds={"support": 600.0},
    budgets=(BudgetStanding(name="daily", limit=100, spent=40, set_aside=5, lost=1),),
    workers={"working": 2, "silent": 1},
)
OPEN = "application/openmetrics-text; version=1.0.0"


class Database:
    """Tells the state as often as it is asked, or that it is away."""

    def __init__(self) -> None:
        self.looks = 0
        self.away = False
        self.slow: asyncio.Event | None = None

    async def look(self) -> SharedState:
        self.looks += 1
        if self.slow is not None:
            await self.slow.wait()
        if self.away:
            raise DatabaseUnavailable("it is away")
        return STATE


def samples(text: str, read=read_plain) -> dict[tuple[str, ...], float]:
    return {
        (sample.name, *(f"{name}={value}" for name, value in sorted(sample.labels.items()))): sample.value
        for family in read(text)
        for sample in family.samples
    }


async def test_a_scrape_reads_what_all_processes_share():
    page = MetricsPage(Metrics(), Database().look)
    body, kind = await page.read()
    found = samples(body.decode())
    assert kind.startswith("text/plain")
    assert found["proctor_open_runs", "state=queued", "team=support"] == 3
    assert found["proctor_queue_oldest_seconds", "team=support"] == 12.5
    assert found["proctor_approvals_open", "team=support"] == 2
    assert found["proctor_approval_oldest_seconds", "team=support"] == 600
    assert found["proctor_budget_set_aside_micros", "budget=daily"] == 5
    assert found["proctor_workers", "state=silent"] == 1
    assert found["proctor_shared_state_up",] == 1


async def test_many_scrapes_ask_the_database_once():
    database = Database()
    page = MetricsPage(Metrics(), database.look)
    await asyncio.gather(*(page.read() for _ in range(10)))
    await page.read()
    assert database.looks == 1


async def test_a_database_that_is_away_is_told_of_and_the_rest_of_the_page_stays():
    database, metrics = Database(), Metrics()
    database.away = True
    metrics.run_finished("support", "completed", 1.0, "v7")
    body, _ = await MetricsPage(metrics, database.look).read()
    found = samples(body.decode())
    assert found["proctor_shared_state_up",] == 0
    assert ("proctor_workers", "state=silent") not in found
    assert found["proctor_runs_total", "release=v7", "status=completed", "team=support"] == 1


async def test_a_database_that_hangs_holds_up_one_reader_and_no_scrape():
    database = Database()
    database.slow = asyncio.Event()
    page = MetricsPage(Metrics(), database.look, patience=0.05)
    for _ in range(3):
        async with asyncio.timeout(5):
            body, _ = await page.read()
        assert samples(body.decode())["proctor_shared_state_up",] == 0
    assert database.looks == 1
    database.slow.set()
    body, _ = await page.read()
    assert samples(body.decode())["proctor_shared_state_up",] == 1
    database.slow.clear()
    await page.close()


async def test_the_page_speaks_openmetrics_and_tells_no_series_births():
    metrics = Metrics()
    metrics.run_finished("support", "completed", 1.0, "v7")
    page = MetricsPage(metrics, Database().look)
    site = Starlette(routes=[Route("/metrics", page)])
    transport = httpx2.ASGITransport(app=site)
    async with httpx2.AsyncClient(transport=transport, base_url="http://here") as http:
        told = await http.get("/metrics", headers={"Accept": OPEN})
    assert told.headers["content-type"].startswith("application/openmetrics-text")
    found = samples(told.text, read_open)
    assert found["proctor_runs_total", "release=v7", "status=completed", "team=support"] == 1
    assert not [name for name, *_ in found if name.endswith("_created")]


async def test_no_metric_is_labelled_with_a_tenant_or_a_person():
    body, _ = await MetricsPage(Metrics(), Database().look).read()
    for forbidden in ("tenant=", "requester=", "user=", "run="):
        assert forbidden not in body.decode()
