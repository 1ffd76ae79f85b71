"""`proctor degradation`."""

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from cyclopts import App as Commands
from cyclopts import Parameter
from rich.text import Text

from proctor.cli._options import ConfigFile, Json, Limit, read_duration, this_user
from proctor.cli._output import age, console, duration, instant, print_json, print_table
from proctor.cli._reading import with_proctor
from proctor.degradation import Hold, Passage, describe

degradation = Commands(
    name="degradation", help="Show, hold and release the level of degradation.", help_format="plaintext"
)


@degradation.command
def show(*, config: ConfigFile = None, json: Json = False) -> None:
    """Show the level that new runs meet, who holds it, and where each worker stands."""
    outlook = with_proctor(config, lambda proctor: proctor.degradation.outlook())
    if json:
        print_json(
            {
                "level": outlook.level,
                "means": describe(outlook.level),
                "hold": _hold_json(outlook.hold) if outlook.hold else None,
                "workers": [
                    {"worker": worker.worker, "level": worker.level, "seen_at": worker.seen_at}
                    for worker in outlook.workers
                ],
            }
        )
        return
    out = console()
    out.print(Text(f"Level {outlook.level}: {describe(outlook.level)}.", style="bold"))
    if outlook.hold:
        _print_hold(outlook.hold)
    if not outlook.workers:
        out.print("No worker is at work.")
        return
    now = datetime.now(UTC)
    rows = [
        (
            worker.worker,
            str(worker.level),
            age((now - worker.seen_at).total_seconds()),
            describe(worker.level),
        )
        for worker in outlook.workers
    ]
    print_table(out, ("worker", "level", "seen", "means"), rows, right=("seen",))


@degradation.command
def history(*, limit: Limit = 20, config: ConfigFile = None, json: Json = False) -> None:
    """List the newest changes of the level, of all workers.

    Parameters
    ----------
    limit
        At most so many.
    """
    found = with_proctor(config, lambda proctor: proctor.degradation.history(limit=limit))
    if json:
        print_json([_passage_json(passage) for passage in found])
        return
    if not found:
        console().print("The level has never changed.")
        return
    rows = [
        (
            instant(passage.at),
            passage.worker,
            f"{passage.previous} → {passage.level}",
            passage.rule,
            ", ".join(f"{name} {value}" for name, value in passage.detail.items()),
        )
        for passage in found
    ]
    print_table(console(), ("when", "worker", "level", "rule", "detail"), rows)


@degradation.command(name="set")
def set_level(
    level: Literal[0, 1, 2, 3, 4],
    /,
    *,
    span: Annotated[str, Parameter(name="--for")] = "30m",
    reason: str = "",
    by: str | None = None,
    config: ConfigFile = None,
    json: Json = False,
) -> None:
    """Hold a level in all processes, whatever their rules say; afterwards the rules go on from there.

    Parameters
    ----------
    level
        0 normal, 1 fallback models, 2 new runs in simple form, 3 read-only tools, 4 no new runs.
    span
        How long: 90s, 30m, 2h, 1d.
    reason
        Why; it stays in the history.
    by
        Who holds it; else the user of this machine.
    """
    held = read_duration(span)
    who = this_user() if by is None else by
    hold = with_proctor(
        config, lambda proctor: proctor.degradation.hold(level, span=held, reason=reason, by=who)
    )
    if json:
        print_json(_hold_json(hold))
        return
    console().print(Text(f"Level {hold.level}: {describe(hold.level)}.", style="bold"))
    _print_hold(hold)


@degradation.command
def clear(*, config: ConfigFile = None, json: Json = False) -> None:
    """Release a level that is held; the rules decide again, from there."""
    released = with_proctor(config, lambda proctor: proctor.degradation.release(by=this_user()))
    if json:
        print_json({"released": released})
        return
    console().print("Released: the rules decide again." if released else "No level is held.")


def _print_hold(hold: Hold) -> None:
    why = f": {hold.reason}" if hold.reason else ""
    left = duration((hold.until - datetime.now(UTC)).total_seconds())
    who = hold.by or "an unnamed person"
    console().print(Text(f"Held by {who} until {instant(hold.until)} ({left} more){why}"))


def _hold_json(hold: Hold) -> dict[str, Any]:
    return {"level": hold.level, "since": hold.at, "until": hold.until, "reason": hold.reason, "by": hold.by}


def _passage_json(passage: Passage) -> dict[str, Any]:
    return {
        "id": passage.id,
        "at": passage.at,
        "worker": passage.worker,
        "level": passage.level,
        "previous": passage.previous,
        "rule": passage.rule,
        "detail": dict(passage.detail),
    }
