"""What a team has answered on its way out: the output policy, and the people who look at it first."""

from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias, assert_never

from proctor import approvals
from proctor.core import (
    CallScope,
    Decision,
    JsonObject,
    Licensed,
    Question,
    ReviewSettings,
    Terms,
    ToolSpec,
    Verdict,
    digest,
)
from proctor.policies import Prices
from proctor.runs._scope import Scope

if TYPE_CHECKING:
    from proctor.runs._session import RunSession

RULE = "review"

ADVICE = frozenset({"investment_advice", "medical_advice", "legal_advice"})
"""What a task may ask for and an answer give: who is licensed for it looks at the answer."""

ORDERS = "injection"
"""What makes a task untrusted, and its answer no other one."""

_EDITABLE: JsonObject = {
    "type": "object",
    "properties": {"answer": {"type": "string", "minLength": 1}},
    "required": ["answer"],
    "additionalProperties": False,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reviewed:
    """What became of an answer."""

    text: str
    refused: bool = False
    """Then the text says why."""


AnswerJudge: TypeAlias = Callable[[CallScope, str], Awaitable[approvals.Opinion]]
"""Asks a model, as a call of the same run, about an answer."""


def _nobody_listens(_outcome: str) -> None:
    """Takes note of nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputReview:
    """Who looks at a team's answers, and for what."""

    settings: ReviewSettings
    """With its mode as it is in force here."""
    read: Callable[[str, Prices], Verdict]
    """What the output policy says of an answer, beside the prices that the run has read."""
    catalogue: Callable[[ToolSpec], bool]
    """Whether a tool tells prices that an answer mustn't contradict."""
    holds: Callable[[str], bool]
    """Whether an answer waits for a person because of a finding of this kind; else it is only logged."""
    licensed: Mapping[Licensed, str]
    """By kind of finding: the role whose members alone may let it out."""
    judge: AnswerJudge
    on_verdict: Callable[[str], None] = _nobody_listens
    """Told of the policy's outcome, once for an answer, however often its run goes on."""
    finish: Callable[[str], str] = str
    """Adds what the first answer to somebody has to say."""

    @property
    def streams(self) -> bool:
        """Whether the requester may read along: not where somebody looks at each answer first."""
        return self.settings.mode not in ("manual", "second")


async def review(
    session: "RunSession",
    answer: str,
    rules: OutputReview,
    *,
    asks: Collection[str],
    first: bool,
    told: bool,
) -> Reviewed:
    """The answer as it may go out, or why it may not; suspends the run where a person has to look.

    `asks` are kinds of findings in the task, for which the answer is looked at; `first` says that nobody in
    the conversation was answered before; `told` that the log has the policy's verdict already.
    """
    verdict = rules.read(answer, session.catalogue.prices)
    if not (told or session.was_reviewed):
        rules.on_verdict(verdict.outcome)
    if verdict.outcome != "allow" and not told:
        data: JsonObject = {"stage": "output", "outcome": verdict.outcome, "rules": list(verdict.rules)}
        session.journal.event("policy.verdict", "", data)
    if verdict.outcome == "deny":
        return Reviewed(text=verdict.reason, refused=True)
    reviewed = Reviewed(text=answer if verdict.text is None else verdict.text)
    asked_about = dict.fromkeys((*verdict.asks, *(kind for kind in asks if kind != ORDERS)))
    kinds = [kind for kind in asked_about if rules.holds(kind)]
    groups = list(_groups(kinds, rules))
    for roles, found in groups:
        if not reviewed.refused:
            scope = _scope(session, reviewed.text, found)
            reviewed = await _asked(scope, reviewed.text, rules.settings, roles, found)
    if not groups:
        reviewed = await _seen(session, reviewed.text, rules)
    if first and not reviewed.refused:
        return Reviewed(text=rules.finish(reviewed.text))
    return reviewed


def _groups(kinds: Iterable[str], rules: OutputReview) -> Iterator[tuple[tuple[str, ...], list[str]]]:
    """Who looks at an answer because of what was found, each with what they look at."""
    by_roles: dict[tuple[str, ...], list[str]] = {}
    for kind in kinds:
        role = next((who for what, who in rules.licensed.items() if what == kind), None)
        by_roles.setdefault(rules.settings.roles if role is None else (role,), []).append(kind)
    yield from by_roles.items()


async def _seen(session: "RunSession", text: str, rules: OutputReview) -> Reviewed:
    """The answer, in which nothing was found, after whoever sees all answers has seen it."""
    settings = rules.settings
    match settings.mode:
        case None:
            return Reviewed(text=text)
        case "manual":
            return await _asked(_scope(session, text, []), text, settings, settings.roles, [])
        case "automatic":
            if int(digest([session.run_id, RULE])[:8], 16) >= settings.share * 0x100000000:
                return Reviewed(text=text)
            return await _asked(_scope(session, text, []), text, settings, settings.roles, [])
        case "second":
            return await _judged(_scope(session, text, []), text, rules)
        case _:
            assert_never(settings.mode)


async def _judged(scope: Scope, text: str, rules: OutputReview) -> Reviewed:
    """The answer after the judge has agreed, or a person where it doesn't."""
    doubt = ""
    # A judge that failed isn't recorded: where a person was asked since, that holds.
    if not scope.is_asked("output"):
        opinion = await rules.judge(scope, text)
        scope.event("output.judged", {"agrees": opinion.agrees, "reason": opinion.reason})
        if opinion.agrees:
            return Reviewed(text=text)
        doubt = opinion.reason
    return await _asked(scope, text, rules.settings, rules.settings.roles, [], doubt=doubt)


def _scope(session: "RunSession", text: str, found: Sequence[str]) -> Scope:
    return session.scope("", "human", {"review": digest(text), "for": list(found)})


async def _asked(
    scope: Scope,
    text: str,
    settings: ReviewSettings,
    roles: tuple[str, ...],
    found: Sequence[str],
    *,
    doubt: str = "",
) -> Reviewed:
    """The answer after the people in these roles have looked at it."""
    names = ", ".join(kind.replace("_", " ") for kind in found)
    why = f" It may hold: {names}." if found else ""
    why += f" The judge doesn't agree: {doubt}" if doubt else ""
    question = Question(
        kind="output",
        role="",
        text=f"The team wants to answer.{why} Approve the answer, change it, or reject it.",
        action={"arguments": {"answer": text}, "found": list(found)},
        terms=Terms(
            rule=RULE,
            labels=tuple(found),
            roles=roles,
            quorum=settings.quorum,
            # Whoever is licensed is known by name, which a link to a role isn't.
            not_requester=settings.not_requester or bool(found and roles != settings.roles),
            expires=settings.expires,
            on_expiry=settings.on_expiry,
            escalate_to=settings.escalate_to,
            remind=settings.remind,
            editable=_EDITABLE,
        ),
    )
    recorded = await scope.recorded()
    if recorded is None:
        with await scope.session.live():
            decision = await scope.decision(question)
            recorded = {"text": _text_of(decision, text), "refused": decision.kind == "reject"}
            scope.event(
                "output.reviewed", {"decision": decision.kind, "by": decision.by, "found": list(found)}
            )
            scope.finish(recorded, cost=0)
    return Reviewed(text=str(recorded["text"]), refused=bool(recorded["refused"]))


def _text_of(decision: Decision, text: str) -> str:
    match decision.kind:
        case "approve":
            return text
        case "edit":
            assert decision.arguments is not None
            return str(decision.arguments["answer"])
        case "respond":
            return decision.comment
        case "reject":
            return f"The answer was held back. {decision.comment}".strip()
        case _:
            assert_never(decision.kind)
