"""Calls about which a person is asked whatever the rules say."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from proctor import approvals
from proctor.approvals import ApprovalGate, Opinion
from proctor.core import (
    Decision,
    InvalidInput,
    JsonObject,
    Question,
    Second,
    TeamSettings,
    Terms,
    ToolCall,
    ToolResult,
    ToolSpec,
)
from proctor.store import Database
from proctor.testing import FakeScope

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
WHY = "clerk has read web.fetch."
SCHEMA: JsonObject = {"type": "object", "properties": {"to": {"type": "string"}}}


async def agree(call: ToolCall, second: Second) -> Opinion:
    return Opinion(agrees=True, reason="")


async def ask(
    team: dict[str, Any],
    decision: Decision,
    *,
    effect: Any = "consequential",
    caution: tuple[str, ...] = (WHY,),
) -> tuple[FakeScope, ToolResult, list[ToolCall]]:
    """What a gate asks about a call, and with what the call goes on."""
    scope, called = FakeScope(decisions=[decision]), []
    gate = ApprovalGate(TeamSettings.model_validate(team), judge=agree)
    spec = ToolSpec(server="mail", name="send", description="", parameters=SCHEMA, effect=effect)
    call = ToolCall(scope=scope, tool=spec, arguments={"to": "zed"}, caution=caution)

    async def tool(call: ToolCall) -> ToolResult:
        called.append(call)
        return ToolResult(text="sent")

    return scope, await gate(call, tool), called


@pytest.mark.parametrize(
    "team",
    [{"approval": "never"}, {"approvals": [{"tools": ["*"], "needs": "nobody"}]}],
    ids=["the team asks never", "a rule asks nobody"],
)
async def test_a_person_is_asked_where_no_rule_would(team: dict[str, Any]) -> None:
    scope, result, called = await ask(team, Decision(kind="approve"))
    (question,) = scope.asked
    assert (question.terms.rule, question.terms.labels) == ("flow", ("untrusted",))
    assert question.text.endswith(WHY)
    assert (result.text, len(called)) == ("sent", 1)
    assert (await ask(team, Decision(kind="reject")))[2] == []


async def test_a_person_is_asked_about_a_tool_that_only_reads() -> None:
    scope, _, called = await ask({}, Decision(kind="reject"), effect="read_only")
    assert (len(scope.asked), called) == (1, [])


async def test_nobody_is_asked_without_cause() -> None:
    scope, _, called = await ask({"approval": "never"}, Decision(kind="reject"), caution=())
    assert (scope.asked, len(called)) == ([], 1)


async def test_a_rules_own_terms_hold_and_are_labelled() -> None:
    rule = {"tools": ["send"], "name": "mail", "roles": ["desk"], "labels": ["outward"], "quorum": 2}
    scope, _, _ = await ask({"approvals": [rule]}, Decision(kind="reject"))
    terms = scope.asked[0].terms
    assert (terms.rule, terms.roles, terms.quorum) == ("mail", ("desk",), 2)
    assert terms.labels == ("outward", "untrusted")


async def test_silence_approves_nothing_that_untrusted_text_may_have_asked_for() -> None:
    rule = {"tools": ["send"], "expires": 3600, "on_expiry": "approve"}
    scope, _, _ = await ask({"approvals": [rule]}, Decision(kind="reject"))
    assert scope.asked[0].terms.on_expiry == "reject"
    scope, _, _ = await ask({"approvals": [rule]}, Decision(kind="reject"), caution=())
    assert scope.asked[0].terms.on_expiry == "approve"


async def test_what_a_person_wrote_is_asked_about_no_further() -> None:
    decision = Decision(kind="edit", arguments={"to": "ann"}, by="bob")
    scope, _, called = await ask({"approval": "never"}, decision)
    assert len(scope.asked) == 1
    assert (called[0].arguments, called[0].caution) == ({"to": "ann"}, ())


def question(to: str, *labels: str) -> Question:
    action: JsonObject = {"server": "mail", "tool": "send", "arguments": {"to": to}}
    return Question(kind="action", role="", text="May it?", action=action, terms=Terms(labels=labels))


async def is_answered(
    database: Database, number: int, asked: Question, decision: Decision | None = None
) -> bool:
    """Whether a standing approval answers a question; else a decision does, where one is given."""
    id = f"apr_{number}"

    def work(connection: Any) -> bool:
        given = approvals.request(
            connection,
            id=id,
            run_id="run_1",
            call_key=f"key_{number}",
            team="desk",
            agent="clerk",
            question=asked,
            at=NOON,
        )
        if decision is not None:
            approvals.decide(connection, id=id, decision=decision, at=NOON, roles={})
        return given is not None

    return await database.commit(work)


async def test_an_approval_in_advance_stands_for_a_call_of_exactly_its_arguments(tmp_path: Path) -> None:
    any_to = Decision(kind="approve", by="ann", standing="run", same=())
    exact = replace(any_to, same=None)
    async with await Database.open(f"sqlite:///{tmp_path}/proctor.db") as database:
        assert not await is_answered(database, 1, question("ann"), any_to)
        assert await is_answered(database, 2, question("bob"))
        assert not await is_answered(database, 3, question("zed", "untrusted"), exact)
        assert await is_answered(database, 4, question("zed", "untrusted"))
        assert not await is_answered(database, 5, question("eve", "untrusted"))


async def test_an_approval_for_others_too_is_not_given_on_untrusted_words(tmp_path: Path) -> None:
    decision = Decision(kind="approve", by="ann", standing="run", same=("to",))
    async with await Database.open(f"sqlite:///{tmp_path}/proctor.db") as database:
        with pytest.raises(InvalidInput):
            await is_answered(database, 1, question("zed", "untrusted"), decision)
