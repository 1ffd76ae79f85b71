"""`proctor approvals`."""

import asyncio
import json as jsonlib
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, TypeAlias

from cyclopts import App as Commands
from cyclopts import Parameter
from rich.text import Text

from proctor.app import Loaded, load_settings
from proctor.approvals import Approval, Filter, State
from proctor.cli._execution import load_to_execute
from proctor.cli._options import ConfigFile, Frozen, Json, Limit, WrongCall, this_user
from proctor.cli._output import age, console, duration, fields, instant, print_json, print_table, put
from proctor.cli._reading import reading, with_proctor
from proctor.cli._report import approval_json
from proctor.cli._run import LIKE_AN_OPTION
from proctor.cli._runs import resumed
from proctor.cli._standing import same_arguments, standing
from proctor.cli._timeline import answer_of, asked, listed
from proctor.core import Decision, DecisionKind, InvalidInput, JsonObject, StandingScope, person, read_object
from proctor.policies import read_text
from proctor.runs import Rejected, Run
from proctor.tools import visible

Answer: TypeAlias = Annotated[
    str,
    Parameter(
        allow_leading_hyphen=True,
        help="Where a team's answer waits: this text goes out instead; `-` reads it from standard input.",
    ),
]

approvals = Commands(name="approvals", help="Decide what waits for a person.", help_format="plaintext")
approvals.command(standing)
approvals.command(
    "proctor.cli._reviewers:reviewers",
    name="reviewers",
    help="Show how people decide, and what looks like rubber stamping.",
)


@approvals.command(name="list")
def list_approvals(
    *,
    state: State = "pending",
    team: str = "",
    role: str = "",
    run: str = "",
    by_me: Annotated[bool, Parameter(negative="")] = False,
    by: str | None = None,
    after: str = "",
    limit: Limit = 50,
    config: ConfigFile = None,
    json: Json = False,
) -> None:
    """List what waits for a person, oldest first.

    Parameters
    ----------
    state
        Only questions in this state.
    team
        Only questions of this team.
    role
        Only questions that this role decides.
    run
        Only questions of this run.
    by_me
        Only questions that you may decide and have not voted on.
    by
        Who you are; else the user of this machine.
    after
        Only questions behind this id: the last one of the page before.
    limit
        At most so many.
    """
    person = (by or this_user()) if by_me else ""
    wanted = Filter(state=state, team=team, role=role, run_id=run, person=person)
    found = with_proctor(config, lambda proctor: proctor.approvals(wanted, after=after, limit=limit))
    if json:
        print_json([approval_json(approval) for approval in found])
        return
    if not found:
        console().print(
            "Nothing waits for a person." if state == "pending" else "There are no such questions."
        )
        return
    _print_list(found)
    if len(found) == limit:
        console(stderr=True).print(Text(f"There may be more: --after {found[-1].id}"))


def _print_list(found: Sequence[Approval]) -> None:
    now = datetime.now(UTC)
    rows = [
        (
            approval.id,
            approval.team,
            approval.agent or "the team",
            ", ".join(approval.roles) or approval.question.role,
            age((now - approval.requested_at).total_seconds()),
            asked(approval.action),
        )
        for approval in found
    ]
    columns = ["approval", "team", "who asks", "who decides", "age", "what"]
    if not any(row[3] for row in rows):
        del columns[3]
        rows = [(*row[:3], *row[4:]) for row in rows]  # type: ignore[misc] # a column less
    print_table(console(), columns, rows, right=("age",), overflow="ellipsis")


@approvals.command
def show(id: str, /, *, config: ConfigFile = None, json: Json = False) -> None:
    """Show a question with all that is needed to decide it.

    Parameters
    ----------
    id
        The approval's id.
    """
    approval = with_proctor(config, lambda proctor: proctor.approval(id))
    if json:
        print_json(approval_json(approval))
        return
    question, decision = approval.question, approval.decision
    shown = {
        "approval": approval.id,
        "run": f"{approval.run_id}  (proctor runs show {approval.run_id})",
        "team": approval.team,
        "who asks": approval.agent or "the team",
        "who is asked": question.role,
        "asked for by": approval.requester,
        "since": instant(approval.requested_at),
        "state": approval.state,
        "decided": f"{decision.kind}, by {decision.by or 'an unnamed person'}" if decision else "",
        "comment": decision.comment if decision else "",
        **_terms(approval),
        "question": question.text,
        **_action(approval),
        "digest": approval.digest,
    }
    put(fields(shown), console())
    if approval.conversation and question.kind != "reply":
        console().print()
        said = [(str(message["from"]), str(message["text"])) for message in approval.conversation]
        for who, text in said:
            if text != answer_of(question.action):  # it stands above
                put(fields({who: visible(text)}), console())


def _action(approval: Approval) -> dict[str, str]:
    """What is decided on: an answer as it would be read, all else exactly as it would be done."""
    answer = answer_of(approval.action) if approval.question.kind == "output" else None
    if answer is None:
        return {"action": jsonlib.dumps(approval.action, ensure_ascii=False, indent=2)}
    written = answer_of(approval.question.action) or ""
    return {
        "may hold": listed(approval.action.get("found")).replace("_", " "),
        "answer": visible(answer),
        "as the team wrote it": visible(written) if written != answer else "",
    }


def _terms(approval: Approval) -> dict[str, str]:
    """On which terms it is decided, as far as that says something."""
    terms = approval.question.terms
    needed = approval.quorum > 1 or approval.stage > 1 or terms.second is not None
    stage = "the second verification" if approval.stage > 1 else ""
    votes = "; ".join(f"{vote.by}: {vote.kind} {vote.comment}".strip() for vote in approval.votes)
    return {
        "rule": terms.rule,
        "risk": terms.risk,
        "labels": ", ".join(terms.labels) if approval.question.kind != "output" else "",
        "who decides": ", ".join(approval.roles),
        "but not": ", ".join(approval.barred),
        "handed on": "; ".join(f"{given.by} to {given.to}" for given in approval.delegations),
        "stage": stage,
        "votes": f"{approval.approvals} of {approval.quorum}. {votes}".strip() if needed else "",
        "expires": f"{instant(approval.expires_at)}, then {terms.on_expiry}" if approval.expires_at else "",
        "edited": f"the {_edited(approval)} a person's" if approval.edited is not None else "",
    }


def _edited(approval: Approval) -> str:
    return "answer is" if approval.question.kind == "output" else "arguments are"


@approvals.command
def decide(
    id: str | None = None,
    /,
    *,
    approve: Annotated[bool, Parameter(negative="")] = False,
    edit: str | None = None,
    answer: Answer | None = None,
    reject: Annotated[bool, Parameter(negative="")] = False,
    respond: str | None = None,
    comment: str = "",
    by: str | None = None,
    digest: str = "",
    standing: StandingScope | None = None,
    same: str | None = None,
    all: Annotated[bool, Parameter(negative="")] = False,
    team: str = "",
    role: str = "",
    yes: Annotated[bool, Parameter(negative="")] = False,
    wait: Annotated[bool, Parameter(name="--wait", negative="--no-wait")] = True,
    frozen: Frozen = False,
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
    edit
        It may be carried out with these arguments: JSON, or a file that holds it.
    reject
        It may not.
    respond
        It is not carried out; the agent reads this text instead.
    comment
        Why; the agent reads it, or of an answer that you reject whoever asked; it stays in the record.
    by
        Who decides; else the user of this machine.
    digest
        Of the action as you saw it: where it was changed since, nothing is decided.
    standing
        Approve also later calls of this tool: in this run, in this conversation, or until the UTC day ends.
    same
        With --standing: arguments that must be as they are now (order,amount), or none. Absent: all.
    all
        With --reject and no id: lists all questions that --team and --role find; --yes rejects them.
    team
        With --all: only questions of this team.
    role
        With --all: only questions that this role decides.
    yes
        With --all: do it.
    wait
        Go on with the run and follow it.
    """
    changed = _changed(edit, answer)
    kind = _kind(approve=approve, edit=changed is not None, reject=reject, respond=respond is not None)
    if respond is not None and comment:
        raise WrongCall("--respond is the comment already.", hint="Say all of it there.")
    loaded = load_to_execute(config, frozen=frozen) if wait and not all else load_settings(config)
    by = by or this_user()
    if all:
        if not reject or id is not None:
            raise WrongCall("--all is for --reject without an id.", hint="Decide others one by one.")
        wanted = Filter(team=team, role=role)
        return asyncio.run(_reject_all(loaded, wanted, by=by, comment=comment, yes=yes, json=json))
    if id is None:
        raise WrongCall("No approval is named.", hint="`proctor approvals list` shows those that wait.")
    decision = Decision(
        kind=kind,
        comment=respond if respond is not None else comment,
        by=by,
        arguments=changed,
        digest=digest,
        standing=standing,
        same=same_arguments(same),
    )
    return asyncio.run(_decide(loaded, id, decision, wait=wait, json=json))


def _changed(edit: str | None, answer: str | None) -> JsonObject | None:
    """The arguments that a person puts in place of those asked for, where there are some.

    Raises:
        WrongCall: both ways to say them are used.
        InvalidInput: they are no JSON object, or there is no text.
    """
    if edit is not None and answer is not None:
        raise WrongCall("--answer is a way to edit.", hint="Give --edit or --answer.")
    if edit is not None:
        return _arguments(edit)
    if answer is not None and LIKE_AN_OPTION.fullmatch(answer):
        raise WrongCall(f"--answer has no text before {answer}.", hint="Give the text, or `-`.")
    if answer == "-":
        answer = read_text(sys.stdin.buffer.read()).removesuffix("\n")
    return None if answer is None else {"answer": answer}


def _kind(*, approve: bool, edit: bool, reject: bool, respond: bool) -> DecisionKind:
    if approve + edit + reject + respond != 1:
        answers = "--approve, --edit JSON, --answer TEXT, --reject and --respond TEXT"
        raise WrongCall(f"A decision is one of {answers}.", hint="Give exactly one.")
    return "approve" if approve else "edit" if edit else "reject" if reject else "respond"


async def _decide(loaded: Loaded, id: str, decision: Decision, *, wait: bool, json: bool) -> int:
    async with reading(loaded) as proctor:
        approval = await proctor.decide(id, decision)
        run = await proctor.runs.get(approval.run_id)
    if not wait or approval.state == "pending":
        _print_decided(approval, run, json=json)
        return 0
    return await resumed(run.id, loaded, json=json)


async def _reject_all(loaded: Loaded, wanted: Filter, *, by: str, comment: str, yes: bool, json: bool) -> int:
    async with reading(loaded) as proctor:
        if yes:
            _print_rejected(await proctor.runs.desk.reject_all(wanted, by=by, comment=comment), json=json)
            return 0
        found = await proctor.approvals(wanted, limit=1_000)
    if json:
        print_json({"would_reject": [approval_json(approval) for approval in found]})
        return 0
    _print_list(found)
    many = f"{len(found)} questions" if len(found) != 1 else "1 question"
    console(stderr=True).print(Text(f"This would reject {many}. To do it, add --yes."))
    return 0


def _print_rejected(done: Rejected, *, json: bool) -> None:
    if json:
        left = [{"id": approval.id, "reason": reason} for approval, reason in done.left]
        print_json({"rejected": [approval.id for approval in done.rejected], "left": left})
        return
    console().print(Text(f"Rejected: {len(done.rejected)}."))
    for approval, reason in done.left:
        console().print(Text(f"Left: {approval.id}: {reason}"))


@approvals.command
def delegate(
    id: str, /, *, to: str, by: str | None = None, config: ConfigFile = None, json: Json = False
) -> None:
    """Hand a decision that is yours to another person.

    Parameters
    ----------
    id
        The approval's id.
    to
        Who decides in your place; your own name takes it back.
    by
        Who hands it on; else the user of this machine.
    """
    by = by or this_user()
    approval = with_proctor(config, lambda proctor: proctor.runs.desk.delegate(id, by=by, to=to))
    if json:
        print_json(approval_json(approval))
    else:
        place = "" if person(to) == person(by) else f" in place of {by}"
        console().print(Text(f"{to} decides approval {approval.id}{place}."))


def _arguments(text: str) -> JsonObject:
    """The arguments that a text holds, or the file that it names.

    Raises:
        InvalidInput: it holds no JSON object.
    """
    if not text.strip():
        raise InvalidInput("--edit holds no arguments.", hint="Give JSON, or a file: '{\"amount\": 5}'.")
    try:
        return read_object(text if text.lstrip().startswith("{") else Path(text).read_text(encoding="utf-8"))
    except OSError as error:
        raise InvalidInput(f"{text} can't be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise InvalidInput(f"The arguments are no JSON object: {error}") from error


def _print_decided(approval: Approval, run: Run, *, json: bool) -> None:
    if json:
        print_json(approval_json(approval))
        return
    if approval.state == "pending":
        whose = " or ".join(approval.roles) or "somebody"
        missing = approval.quorum - approval.approvals
        console().print(Text(f"Counted. {missing} more must agree: {whose}."))
        return
    waited = (
        duration((approval.decided_at - approval.requested_at).total_seconds()) if approval.decided_at else ""
    )
    console().print(Text(f"Decided after {waited}. Run {run.id} is {run.state}."))
