"""Approvals: what acted was allowed, by who may, and the record knows of each decision."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, cast

from sqlalchemy import Connection

from proctor import approvals, audit
from proctor.approvals import STANDING, ActionRules, Approval, key_of
from proctor.audit import Entry, Wanted
from proctor.core import LINK, Terms, ToolCall, ToolSpec, digest, person
from proctor.inspection._history import EVER, History, entries
from proctor.inspection._values import Finding, Period, Rules
from proctor.runs import Acted, acted

SETTLED = ("approval.decided", "approval.expired")
"""Entries that tell of the end of a question."""


def check_approvals(connection: Connection, rules: Rules, period: Period) -> Iterator[Finding]:
    """Calls that acted without the approval that their team's rules ask for, or against it.

    Only since the team's rules have been as they are; a refusal, and an approval of another action, always.
    """
    history = History(connection)
    ruled: dict[str, ActionRules] = {}
    since = {}
    asked: dict[str, Mapping[str, Approval]] = {}
    for done in acted(connection, since=period.since, until=period.until):
        team = done.run.team
        if done.run.erased_at is not None:
            continue
        if team not in ruled:
            ruled[team] = ActionRules(rules.team(team))
            since[team] = history.since(f"teams.{team}")
        if done.run.id not in asked:
            asked = {done.run.id: {each.call_key: each for each in approvals.of_run(connection, done.run.id)}}
        judged = ruled[team] if done.call.started_at >= since[team] else None
        yield from _judge(done, asked[done.run.id], judged)


def _judge(done: Acted, asked: Mapping[str, Approval], rules: ActionRules | None) -> Iterator[Finding]:
    given = [
        asked[key]
        for key in (done.call_key, key_of(done.call_key, "edited"), key_of(done.call_key, "second"))
        if key in asked
    ]
    agent, tool = done.call.key.agent or "the team", done.tool
    doubted = asked.get(key_of(done.call_key, "uncertain"))
    if rules is not None and not given and _terms(rules, done) is not None:
        yield _unallowed(done, f"{agent} called {tool}, and nobody was asked")
    for approval in given:
        if approval.decision is None:
            yield _unallowed(done, f"{agent} called {tool} while approval {approval.id} was open")
        elif approval.decision.kind in ("reject", "respond") and doubted is None:
            yield _unallowed(done, f"{agent} called {tool} though approval {approval.id} says no")
        elif approval.call_key == done.call_key and approval.digest not in ("", digest(done.action)):
            yield _unallowed(done, f"{agent} called {tool} with other arguments than {approval.id} allows")


def _terms(rules: ActionRules, done: Acted) -> Terms | None:
    request = done.call.request
    spec = ToolSpec(
        server=str(request.get("server")),
        name=str(request.get("tool")),
        description="",
        parameters={},
        effect=done.effect,
    )
    arguments = cast("Mapping[str, Any]", done.action.get("arguments") or {})
    return rules.terms_of(ToolCall(scope=cast("Any", None), tool=spec, arguments=arguments))


def _unallowed(done: Acted, text: str) -> Finding:
    return Finding(kind="approval", severity="critical", run_id=done.run.id, thing=done.call_key, text=text)


def check_decisions(connection: Connection, rules: Rules, period: Period) -> Iterator[Finding]:
    """Decisions by who mustn't decide, such as the record doesn't know, and recorded ones that are gone."""
    roles_since = History(connection).since("roles")
    first = audit.page(connection, Wanted(), limit=1)
    begun = first[0].at if first else None
    decided = approvals.decided_between(connection, since=period.since, until=period.until)
    noted: defaultdict[str, list[Entry]] = defaultdict(list)
    asked = min((approval.requested_at for approval in decided), default=period.since)
    for entry in entries(connection, Wanted(since=min(asked, period.since), action="approval")):
        noted[entry.thing].append(entry)
    for approval in decided:
        said = noted.get(approval.id, [])
        yield from _own(approval)
        if roles_since is not EVER:
            yield from _entitled(approval, said, rules, roles_since)
        if begun is not None:
            yield from _unknown(approval, said, begun)
    ids = {approval.id for approval in decided}
    for id, said in noted.items():
        last = said[-1]
        settled = last.action in SETTLED and id not in ids
        if settled and period.since <= last.at < period.until:
            who = last.actor or "somebody"
            text = f"the record says that {who} decided {id}, and nothing of that is left"
            yield Finding(kind="decision", severity="critical", thing=id, text=text)


def _own(approval: Approval) -> Iterator[Finding]:
    """Whoever asked for the run mustn't decide, where the rule says so; nor who gave the first of two."""
    barred = set(approval.barred)
    if approval.question.terms.not_requester:
        barred.add(person(approval.requester))
    for name in _deciders(approval):
        if person(name) in barred - {""}:
            yield _decision(approval, name, f"{name} decided {approval.id}, and is one who mustn't")


def _entitled(approval: Approval, noted: list[Entry], rules: Rules, since: datetime) -> Iterator[Finding]:
    terms = approval.question.terms
    handed = {person(str(entry.details.get("to"))) for entry in noted if entry.action == "approval.delegated"}
    for vote in approval.votes:
        second = terms.second.roles if terms.second is not None else ()
        asked = second if vote.stage > 1 else (*terms.roles, *terms.escalate_to)
        members = {person(each) for role in asked for each in (*rules.roles.get(role, ()), LINK + role)}
        if asked and vote.at >= since and person(vote.by) not in members | handed:
            text = f"{vote.by} decided {approval.id}, which is for {' or '.join(asked)}"
            yield _decision(approval, vote.by, text)


def _unknown(approval: Approval, noted: list[Entry], begun: datetime) -> Iterator[Finding]:
    """What the record, since it was begun, says otherwise or not at all."""
    decision, at = approval.decision, approval.decided_at
    assert decision is not None
    assert at is not None
    if decision.by.startswith(STANDING):
        return
    said = [entry for entry in noted if entry.action in SETTLED]
    if said:
        yield from _differs(approval, said[-1])
    elif at >= begun:
        text = f"{decision.by or 'somebody'} decided {approval.id}, and the record doesn't know of it"
        yield _decision(approval, "", text)
    known = {person(entry.actor) for entry in noted}
    for vote in approval.votes:
        if vote.at >= begun and person(vote.by) not in known:
            text = f"{vote.by} voted on {approval.id}, and the record doesn't know of it"
            yield _decision(approval, vote.by, text)


def _differs(approval: Approval, entry: Entry) -> Iterator[Finding]:
    assert approval.decision is not None
    kind, told = approval.decision.kind, entry.details
    said = told.get("decision", told.get("outcome"))
    if said != kind and (said, kind) != ("approve", "edit"):
        yield _decision(approval, "", f"approval {approval.id} stands as {kind}, and the record says {said}")
    elif approval.digest not in ("", told.get("digest", approval.digest)):  # empty once its texts are gone
        text = f"approval {approval.id} is of another action than the record says"
        yield _decision(approval, "", text)


def _deciders(approval: Approval) -> list[str]:
    assert approval.decision is not None
    return [vote.by for vote in approval.votes] or [approval.decision.by]


def _decision(approval: Approval, who: str, text: str) -> Finding:
    thing = f"{approval.id} {person(who)}".strip()
    return Finding(kind="decision", severity="critical", run_id=approval.run_id, thing=thing, text=text)
