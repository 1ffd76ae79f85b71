"""Reports that take long, beside runs that go on."""

import asyncio
import threading

from sqlalchemy import Connection, event

from servers.rest_desk import BOUND, opened

REPORTS = (
    ("GET", "/metrics/summary"),
    ("GET", "/costs"),
    ("GET", "/costs/reconciliation"),
    ("GET", "/audit/entries"),
    ("GET", "/audit/verification"),
    ("GET", "/audit/report"),
    ("POST", "/audit/exports"),
)
OF_REPORTS = ("CASE WHEN (ledger_entries.", "AS idle", "FROM audit_entries", "runs.finished_at >=")
"""In the statements of all of them, and of no run."""


async def test_reports_that_take_long_hold_no_run_up(database_url: str) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def hold(_: Connection, __: object, statement: str, *___: object) -> None:
        if statement.startswith("SELECT") and any(part in statement for part in OF_REPORTS):
            begun.set()
            go_on.wait(BOUND)

    async with opened(database_url) as site:
        engine = site.proctor.database.engine
        event.listen(engine, "before_cursor_execute", hold)
        reports = [
            asyncio.create_task(site.ask("root", method, path, **({"json": {}} if method == "POST" else {})))
            for method, path in REPORTS
        ]
        try:
            await asyncio.to_thread(begun.wait, BOUND)
            asked = {"team": "desk", "task": "How is it?"}
            async with asyncio.timeout(BOUND / 2):
                run = await site.ask("root", "POST", "/runs", params={"wait": 30}, json=asked)
            assert run.json()["state"] == "completed"
            assert not any(report.done() for report in reports)
        finally:
            go_on.set()
        assert [answer.status_code for answer in await asyncio.gather(*reports)] == [200] * len(REPORTS)
        event.remove(engine, "before_cursor_execute", hold)
