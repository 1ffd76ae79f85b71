"""The record itself, the policies of the processes, the tools' pins, and what is too old."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from sqlalchemy import Connection, select

from proctor import audit
from proctor.audit import Wanted
from proctor.core import SANDBOX, read_object
from proctor.inspection._history import entries
from proctor.inspection._tables import findings
from proctor.inspection._values import Finding, Period, Rules
from proctor.runs import events, runs
from proctor.tools import stored_pins

OVERDUE = timedelta(days=1)
"""How long after its time something may still be there: until somebody has seen to it."""
OWN = ("python", SANDBOX)
"""What is called without a tool server, and isn't pinned."""
PAGE = 1000


def check_record(connection: Connection, rules: Rules) -> Iterator[Finding]:
    """What is wrong with the record, held against the heads at hand; and findings of it that are gone."""
    for fault in audit.verify(connection, heads=rules.heads, trusted=rules.trusted).faults:
        thing = f"{fault.kind} {fault.seq}"
        yield Finding(kind="record", severity="critical", thing=thing, text=fault.text)
    told = list(entries(connection, Wanted(action="inspection.found")))
    kept = set(connection.scalars(select(findings.c.id)))  # read second: one that is filed meanwhile is there
    for entry in told:
        if entry.thing not in kept:
            text = f"finding {entry.thing}, of the kind {entry.details.get('kind')}, was deleted"
            run_id = str(entry.details.get("run", ""))
            yield Finding(kind="record", severity="critical", run_id=run_id, thing=entry.thing, text=text)


def check_policies(connection: Connection, rules: Rules, period: Period) -> Iterator[Finding]:
    """Processes that go by another policy, and such as executed runs without a word in the record."""
    started = entries(connection, Wanted(action="process.started"))
    if not started:
        return
    known = {entry.thing: entry for entry in started}
    query = select(runs.c.worker).where(
        runs.c.taken_at >= max(period.since, started[0].at), runs.c.worker.is_not(None)
    )
    for worker in connection.scalars(query.distinct()):
        if worker not in known:
            text = f"{worker} executed runs, and the record doesn't know under which policy"
            yield Finding(kind="policy", severity="critical", thing=str(worker), text=text)
    for worker in sorted(rules.alive & known.keys()):
        policy = known[worker].details.get("policy")
        if policy != rules.policy:
            text = f"{worker} goes by policy {policy}, and the configuration here says {rules.policy}"
            yield Finding(kind="policy", severity="warning", thing=f"{worker} {policy}", text=text)


def check_retention(connection: Connection, rules: Rules, period: Period) -> Iterator[Finding]:
    """Classes of which something is kept for longer than it may be."""
    for kept, rows in rules.too_old(connection, period.until - OVERDUE).items():
        if rows:
            text = f"{rows} of {kept} are kept for longer than [privacy.retention] says"
            yield Finding(kind="retention", severity="critical", thing=kept, text=text)


def check_pins(connection: Connection, rules: Rules, period: Period) -> Iterator[Finding]:
    """Tools that were called before anybody pinned them, and pins that the record doesn't know."""
    if not rules.pins:
        return
    said: dict[str, list[tuple[datetime, str]]] = {}
    for entry in entries(connection, Wanted(action="pin")):
        said.setdefault(entry.thing, []).append((entry.at, str(entry.details.get("digest"))))
    first = audit.page(connection, Wanted(), limit=1)
    for (server, tool), pin in stored_pins(connection).items():
        name, digest = f"{server}.{tool}", pin.accepted.digest if pin.accepted else None
        if name in said and digest not in {known for _, known in said[name]}:
            text = f"the pin of {name} was changed without a word in the record"
            yield Finding(kind="pin", severity="critical", thing=f"{name} {digest}", text=text)
        elif name not in said and pin.accepted_at and first and pin.accepted_at >= first[0].at:
            text = f"{name} was pinned without a word in the record"
            yield Finding(kind="pin", severity="critical", thing=f"{name} {digest}", text=text)
        elif name not in said and pin.accepted_at:
            said[name] = [(pin.accepted_at, str(digest))]  # from before there was a record
    for run_id, at, name in _called(connection, period):
        if all(pinned_at > at for pinned_at, _ in said.get(name, ())):
            text = f"{name} was called at {at:%Y-%m-%d %H:%M:%S} UTC, and wasn't pinned then"
            yield Finding(kind="pin", severity="critical", run_id=run_id, thing=name, text=text)


def _called(connection: Connection, period: Period) -> Iterator[tuple[str, datetime, str]]:
    query = select(events.c.run_id, events.c.at, events.c.data).where(
        events.c.type == "tool.called", events.c.at >= period.since, events.c.at < period.until
    )
    with connection.execute(query, execution_options={"yield_per": PAGE}) as found:
        for row in found:
            data = read_object(row.data)
            if data.get("server") not in OWN and "server" in data and not data.get("refused_by"):
                yield row.run_id, row.at, f"{data['server']}.{data.get('tool')}"
