"""`proctor models batches`."""

from datetime import UTC, datetime
from functools import partial

from rich.text import Text
from sqlalchemy import Connection

from proctor.cli._options import ConfigFile, Json, Limit
from proctor.cli._output import age, console, print_json, print_table
from proctor.cli._reading import with_proctor
from proctor.models import Batch, Unbatched, batch_page, unbatched

STATES = {
    "made": ("to be sent", "yellow"),
    "submitting": ("sending", "yellow"),
    "submitted": ("at the provider", "cyan"),
    "ended": ("ended", "green"),
}


def batches(*, limit: Limit = 50, config: ConfigFile = None, json: Json = False) -> None:
    """List the batches in which calls of patient runs go to providers, newest first.

    Parameters
    ----------
    limit
        How many at most.
    """
    found, queue = with_proctor(config, lambda proctor: proctor.database.read(partial(_read, limit=limit)))
    now = datetime.now(UTC)
    if json:
        print_json({"waiting": [_waiting(each) for each in queue], "batches": list(map(_summary, found))})
        return
    out = console()
    for each in queue:
        count = "1 request waits" if each.requests == 1 else f"{each.requests} requests wait"
        since = age((now - each.since).total_seconds())
        out.print(Text(f"{count} for others before a batch goes to {each.deployment}, for {since} so far."))
    if not found:
        out.print("There are no batches.")
        return
    rows = [
        (
            batch.id,
            batch.deployment,
            _state(batch),
            str(batch.requests),
            str(batch.unanswered),
            age((now - batch.created_at).total_seconds()),
            batch.error or batch.provider_id,
        )
        for batch in found
    ]
    columns = ("batch", "model", "state", "requests", "open", "age", "provider's id, or what went wrong")
    print_table(out, columns, rows, right=("requests", "open", "age"))


def _read(connection: Connection, *, limit: int) -> tuple[tuple[Batch, ...], tuple[Unbatched, ...]]:
    return batch_page(connection, limit), unbatched(connection)


def _state(batch: Batch) -> Text:
    words, colour = STATES[batch.state]
    return (
        Text("failed", style="red") if batch.state == "ended" and batch.error else Text(words, style=colour)
    )


def _waiting(each: Unbatched) -> dict[str, object]:
    return {"deployment": each.deployment, "requests": each.requests, "since": each.since}


def _summary(batch: Batch) -> dict[str, object]:
    return {
        "id": batch.id,
        "deployment": batch.deployment,
        "state": batch.state,
        "provider_id": batch.provider_id,
        "requests": batch.requests,
        "open": batch.unanswered,
        "created_at": batch.created_at,
        "next_at": batch.next_at,
        "ended_at": batch.ended_at,
        "error": batch.error,
    }
