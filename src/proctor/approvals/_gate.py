"""The place in the tool chain where a call waits for a person."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import TypeAlias, assert_never

from proctor.approvals._edits import editable_schema
from proctor.approvals._rules import ActionRules
from proctor.approvals._values import EXPIRY, UNTRUSTED
from proctor.core import (
    Decision,
    JsonObject,
    Question,
    Second,
    TeamSettings,
    Terms,
    ToolCall,
    ToolHandler,
    ToolResult,
    canonical_json,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Opinion:
    """What a judge model says of an action that a person approved."""

    agrees: bool
    reason: str


_DECIDED = Opinion(agrees=False, reason="")
"""What counts as the judge's opinion once the second person has decided."""

Judge: TypeAlias = Callable[[ToolCall, Second], Awaitable[Opinion]]
"""Asks a model, as a call of the same run, about a call as it would be made."""


class ApprovalGate:
    """Asks people about the calls that the team's rules name, and about others with side effects.

    Where there is cause for caution it asks about any call. Arguments that a person put in place of the
    model's were held against the tool's own schema when the person decided, with the same check that the
    model's passed before they came here.
    """

    def __init__(self, team: TeamSettings, *, judge: Judge) -> None:
        self._rules = ActionRules(team)
        self._judge = judge

    async def __call__(self, call: ToolCall, proceed: ToolHandler) -> ToolResult:
        """The tool's answer, or the person's refusal for the model to read."""
        terms = self._rules.terms_of(call)
        if call.caution:
            terms = _cautious(call, terms)
        if terms is None:
            return await proceed(call)
        question = _question(call, terms)
        decision = await call.scope.decision(question)
        match decision.kind:
            case "approve":
                refusal = await self._second(call, question, decision)
                return refusal or await proceed(call)
            case "edit":
                return await self._edited(call, question, decision, proceed)
            case "reject" | "respond":
                return _refusal(decision)
            case _:
                assert_never(decision.kind)

    async def _edited(
        self, call: ToolCall, question: Question, decision: Decision, proceed: ToolHandler
    ) -> ToolResult:
        """The tool's answer to what a person made of a call, once all agree whom the rules name for that."""
        assert decision.arguments is not None
        arguments = decision.arguments
        edited = replace(call, arguments=arguments, caution=())  # what a person wrote is that person's order
        needed = self._rules.terms_of(edited)
        if needed is not None and not _covers(question.terms, needed):
            text = (
                f"{decision.by or 'A person'} changed the arguments, and {needed.rule} holds for them. "
                f"{_says(edited)}"
            )
            terms = replace(needed, editable=None)
            question = Question(kind="edited", role="", text=text, action=edited.request(), terms=terms)
            decision = await call.scope.decision(question)
            if decision.kind in ("reject", "respond"):
                return _refusal(decision)
        refusal = await self._second(edited, question, decision)
        return refusal or _told(await proceed(edited), arguments)

    async def _second(self, call: ToolCall, question: Question, first: Decision) -> ToolResult | None:
        """A refusal where a judge model disagrees and a second person does too."""
        second = question.terms.second
        if second is None or not second.judge:
            return None
        # A judge that failed isn't recorded: where a person has decided since, it may say something else now.
        opinion = _DECIDED if call.scope.is_decided("second") else await self._judge(call, second)
        if opinion.agrees:
            return None
        terms = replace(
            question.terms, roles=second.roles, quorum=1, second=None, editable=None, after=call.scope.key
        )
        text = (
            f"{first.by or 'A person'} approved: {_says(call)} "
            f"The judge {second.judge} doesn't agree: {opinion.reason}"
        )
        asked = replace(question, kind="second", text=text, action=call.request(), terms=terms)
        decision = await call.scope.decision(asked)
        return None if decision.kind == "approve" else _refusal(decision)


def _cautious(call: ToolCall, terms: Terms | None) -> Terms:
    """The terms on which a person is asked, whatever the rules say. Silence never approves here."""
    if terms is None:
        editable = editable_schema(call.tool.parameters, call.arguments, "all")
        return Terms(rule="flow", labels=(UNTRUSTED,), editable=editable)
    on_expiry = "reject" if terms.on_expiry == "approve" else terms.on_expiry
    return replace(terms, labels=tuple(dict.fromkeys((*terms.labels, UNTRUSTED))), on_expiry=on_expiry)


def _covers(given: Terms, needed: Terms) -> bool:
    """Whether those who decided on given terms are those whom other terms ask for."""
    if not (needed.roles or needed.quorum > 1 or needed.not_requester or needed.second):
        return True
    who = [(each.rule, each.roles, each.quorum, each.not_requester) for each in (given, needed)]
    return who[0] == who[1] and needed.second in (None, given.second)


def _told(result: ToolResult, arguments: JsonObject) -> ToolResult:
    """The answer with a line that says what was really called."""
    line = f"[A person changed the arguments before the call, to {canonical_json(arguments)}]"
    return replace(result, text=f"{line}\n{result.text}", edited=arguments)


def _refusal(decision: Decision) -> ToolResult:
    """What the model reads in place of a tool's answer."""
    who = "person" if decision.by != EXPIRY else decision.by
    match decision.kind:
        case "reject" if who == EXPIRY:
            text = f"This action was not carried out. {decision.comment}".strip()
        case "reject":
            text = f"A person refused this action. {decision.comment}".strip()
        case "respond" if who == EXPIRY:
            text = f"The action was not carried out. Nobody decided in time. {decision.comment}"
        case "respond":
            text = f"The action was not carried out. A person answers: {decision.comment}"
        case "approve" | "edit":
            raise ValueError("an approval is no refusal")
        case _:
            assert_never(decision.kind)
    return ToolResult(text=text, is_error=decision.kind == "reject", refused_by=decision.by or "person")


def _question(call: ToolCall, terms: Terms) -> Question:
    text = " ".join([_says(call), *call.caution])
    return Question(kind="action", role="", text=text, action=call.request(), terms=terms)


def _says(call: ToolCall) -> str:
    return f"{call.scope.agent} wants to call {call.tool.name} with {canonical_json(call.arguments)}."
