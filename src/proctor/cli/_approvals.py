"""`proctor approvals`."""

import asyncio
import getpass
import json as jsonlib
from datetime import UTC, datetime
from typing import Annotated, Literal

from cyclopts import App as Commands
from cyclopts import Parameter
from cyclopts.types import PositiveInt
from rich.text import Text

from proctor.app import load_settings
from proctor.approvals import Approval
from proctor.cli._options import ConfigFile, Json
from proctor.cli._output import age, console, duration, fields, instant, print_json, print_table, put
from proctor.cli._report import approval_json
from proctor.cli._runs import reading, resumed
from proctor.cli._timeline import asked
from proctor.core import Decision, DecisionKind, InvalidInput
from proctor.runs import Run

State = Literal["pending", "decided", "consumed", "cancelled"]

approvals = Commands(name="approvals", help="Decide what waits for a person.", help_format="plaintext")


@approvals.command(name="list")
def list_approvals(
    *,
    state: State = "pending",
    limit: PositiveInt = 50,
    config: ConfigFile = None,
    json: Json = False,
) -> None:
    """List what waits for a person, oldest first.

    Parameters
    ----------
    state
        Only questions in this state.
    limit
        At most so many.
    """

    async def page() -> tuple[Approval, ...]:
        async with reading(load_settings(config)) as proctor:
            return await proctor.approvals(state=state, limit=limit)

    found = asyncio.run(page())
    if json:
        print_json([approval_json(approval) for approval in found])
        return
    if not found:
        console().print(
            "Nothing waits for a person." if state == "pending" else "There are no such questions."
        )
        return
    now = datetime.now(UTC)
    rows = [
        (
            approval.id,
            approval.team,
            approval.agent,
            age((now - approval.requested_at).total_seconds()),
            asked(approval.question.action),
        )
        for approval in found
    ]
    columns = ("approval", "team", "who asks", "age", "what")
    print_table(console(), columns, rows, right=("age",), overflow="ellipsis")


@approvals.command
def show(id: str, /, *, config: ConfigFile = None, json: Json = False) -> None:
    """Show a question with all that is needed to decide it.

    Parameters
    ----------
    id
        The approval's id.
    """

    async def load() -> Approval:
        async with reading(load_settings(config)) as proctor:
            return await proctor.approval(id)

    approval = asyncio.run(load())
    if json:
        print_json(approval_json(approval))
        return
    question, decision = approval.question, approval.decision
    action = jsonlib.dumps(question.action, ensure_ascii=False, indent=2)
    put(
        fields(
            {
                "approval": approval.id,
                "run": f"{approval.run_id}  (proctor runs show {approval.run_id})",
                "team": approval.team,
                "who asks": approval.agent,
                "who is asked": question.role,
                "since": instant(approval.requested_at),
                "state": approval.state,
                "decided": f"{decision.kind}, by {decision.by or 'an unnamed person'}" if decision else "",
                "comment": decision.comment if decision else "",
                "question": question.text,
                "action": action,
            }
        ),
        console(),
    )


@approvals.command
def decide(
    id: str,
    /,
    *,
    approve: Annotated[bool, Parameter(negative="")] = False,
    reject: Annotated[bool, Parameter(negative="")] = False,
    respond: str | None = None,
    comment: str = "",
    by: str | None = None,
    wait: Annotated[bool, Parameter(name="--wait", negative="--no-wait")] = True,
    config: ConfigFile = None,
    json: Json = False,
) -> int:
    """Decide a question; its run goes on here, or in the process that serves the database.

    Parameters
    ----------
    id
        The approval's id.
    approve
        The action may be carried out.
    reject
        It may not.
    respond
        It is not carried out; the agent reads this text instead.
    comment
        Why; the agent reads it, and it stays in the record.
    by
        Who decides; else the user of this machine.
    wait
        Go on with the run and follow it.
    """
    if approve + reject + (respond is not None) != 1:
        raise InvalidInput(
            "A decision is one of --approve, --reject and --respond TEXT.", hint="Give exactly one."
        )
    loaded = load_settings(config)
    kind: DecisionKind = "approve" if approve else "reject" if reject else "respond"
    decision = Decision(kind=kind, comment=respond if respond is not None else comment, by=by or _user())

    async def work() -> int:
        async with reading(loaded) as proctor:
            approval = await proctor.decide(id, decision)
            run = await proctor.runs.get(approval.run_id)
        if not wait:
            _print_decided(approval, run, json=json)
            return 0
        return await resumed(run.id, loaded, json=json)

    return asyncio.run(work())


def _print_decided(approval: Approval, run: Run, *, json: bool) -> None:
    if json:
        print_json(approval_json(approval))
        return
    waited = (
        duration((approval.decided_at - approval.requested_at).total_seconds()) if approval.decided_at else ""
    )
    console().print(Text(f"Decided after {waited}. Run {run.id} is {run.state}."))


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return ""  # a container's user needs no name
