"""`proctor workers`."""

from datetime import UTC, datetime

from cyclopts import App as Commands
from rich.text import Text

from proctor.cli._options import ConfigFile, Json
from proctor.cli._output import age, console, print_json, print_table
from proctor.cli._reading import with_proctor
from proctor.engine import Worker

workers = Commands(name="workers", help="Show the processes that execute runs.", help_format="plaintext")

STATES = {"working": "green", "stopping": "yellow", "silent": "red"}


@workers.command(name="list")
def list_workers(*, config: ConfigFile = None, json: Json = False) -> None:
    """List the processes that execute runs, and those that fell silent within a day.

    A silent one has said nothing for 15 s: it died, is frozen, or can't reach the database.
    """
    found, now = with_proctor(config, lambda proctor: proctor.workers.page()), datetime.now(UTC)
    if json:
        print_json([_summary(worker, now) for worker in found])
        return
    if not found:
        console().print("No process executes runs of this database.")
        return
    rows = [
        (
            worker.id,
            Text(_state(worker, now), style=STATES[_state(worker, now)]),
            worker.engine,
            str(worker.running),
            age((now - worker.started_at).total_seconds()),
            age((now - worker.seen_at).total_seconds()),
            ", ".join(worker.teams),
        )
        for worker in found
    ]
    columns = ("worker", "state", "engine", "runs", "since", "seen", "teams")
    print_table(console(), columns, rows, right=("runs", "since", "seen"), overflow="ellipsis")


def _state(worker: Worker, now: datetime) -> str:
    if not worker.alive(now):
        return "silent"
    return "stopping" if worker.stopping else "working"


def _summary(worker: Worker, now: datetime) -> dict[str, object]:
    return {
        "id": worker.id,
        "host": worker.host,
        "pid": worker.pid,
        "engine": worker.engine,
        "alive": worker.alive(now),
        "stopping": worker.stopping,
        "running": worker.running,
        "teams": worker.teams,
        "started_at": worker.started_at,
        "seen_at": worker.seen_at,
    }
