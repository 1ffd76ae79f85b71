"""`proctor threads`."""

from datetime import UTC, datetime
from typing import Annotated, Any

from cyclopts import App as Commands
from cyclopts import Parameter
from cyclopts.validators import Number
from rich.text import Text

from proctor.app import Proctor
from proctor.cli._options import ConfigFile, Json, Limit, this_user
from proctor.cli._output import age, console, fields, harmless, instant, print_json, print_table, put
from proctor.cli._reading import with_proctor
from proctor.cli._report import MOODS
from proctor.runs import Run, Thread

threads = Commands(
    name="threads", help="Show conversations, whose runs follow each other.", help_format="plaintext"
)


@threads.command(name="list")
def list_threads(
    *,
    team: str | None = None,
    tenant: str | None = None,
    before: str = "",
    limit: Limit = 20,
    config: ConfigFile = None,
    json: Json = False,
) -> None:
    """List the newest conversations.

    Parameters
    ----------
    team
        Only with this team.
    tenant
        Only of this tenant.
    before
        Only those that are older than this one.
    limit
        At most so many.
    """
    found = with_proctor(
        config,
        lambda proctor: proctor.threads.page(team=team, tenant=tenant, before=before, limit=limit),
    )
    if json:
        print_json([_summary(thread) for thread in found])
        return
    if not found:
        console().print("There are no such threads.")
        return
    now = datetime.now(UTC)
    rows = [
        (
            thread.id,
            thread.team,
            thread.tenant,
            str(thread.turns),
            age((now - (thread.spoken_at or thread.created_at)).total_seconds()),
        )
        for thread in found
    ]
    columns = ("thread", "team", "tenant", "messages", "last")
    print_table(console(), columns, rows, right=("messages", "last"), overflow="ellipsis")


@threads.command
def show(
    id: str,
    /,
    *,
    after: Annotated[int, Parameter(validator=Number(gte=0, lte=10**9))] = 0,
    limit: Limit = 50,
    config: ConfigFile = None,
    json: Json = False,
) -> None:
    """Show a conversation: what was asked, and what was answered.

    Parameters
    ----------
    id
        The thread's id, as `proctor threads list` shows it.
    after
        Leave out so many messages.
    limit
        At most so many messages.
    """

    async def load(proctor: Proctor) -> tuple[Thread, tuple[Run, ...]]:
        found = await proctor.threads.runs(id, after=after, limit=limit)
        return await proctor.threads.get(id), found

    thread, runs = with_proctor(config, load)
    if json:
        print_json(_summary(thread) | {"runs": [_message(run) for run in runs]})
        return
    out = console()
    head = {
        "thread": thread.id,
        "team": thread.team,
        "tenant": thread.tenant if thread.tenant != "default" else "",
        "opened": instant(thread.created_at),
        "messages": str(thread.turns),
    }
    put(fields(head), out)
    for run in runs:
        out.print()
        out.print(Text.assemble((run.id, "dim"), "  ", (run.state, MOODS.get(run.state, ""))))
        out.print(Text(harmless(run.task), style="bold"), soft_wrap=True)
        if run.result is not None or run.error is not None:
            out.print(Text(harmless(run.result or str(run.error or ""))), soft_wrap=True)
    if runs and (shown := after + len(runs)) < thread.turns:
        out.print()
        out.print(Text(f"More: proctor threads show {id} --after {shown}"))


@threads.command
def forget(id: str, /, *, config: ConfigFile = None, json: Json = False) -> None:
    """Let a conversation's agents forget its messages so far. Its runs stay.

    A failed run of it that is resumed asks its models anew.

    Parameters
    ----------
    id
        The thread's id.
    """
    states = with_proctor(config, lambda proctor: proctor.threads.forget(id, by=this_user()))
    if json:
        print_json({"id": id, "forgotten_states": states})
    else:
        said = f"Forgotten: the next message of thread {id} is its agents' first."
        console().print(Text(said if states else f"The agents of thread {id} knew of no message."))


def _summary(thread: Thread) -> dict[str, Any]:
    return {
        "id": thread.id,
        "team": thread.team,
        "tenant": thread.tenant,
        "messages": thread.turns,
        "created_at": thread.created_at,
        "spoken_at": thread.spoken_at,
    }


def _message(run: Run) -> dict[str, Any]:
    return {
        "id": run.id,
        "state": run.state,
        "task": run.task,
        "result": run.result,
        "error": {"code": run.error_code, "message": run.error} if run.error_code else None,
        "created_at": run.created_at,
        "finished_at": run.finished_at,
    }
