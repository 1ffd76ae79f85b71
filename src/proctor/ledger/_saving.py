"""What calls become when a budget nears its end, and the question whether it may be exceeded."""

from dataclasses import replace
from decimal import Decimal

from proctor.core import (
    Decision,
    JsonObject,
    Micros,
    ModelCall,
    Question,
    Terms,
    format_usd,
    to_micros,
)
from proctor.ledger._accounts import Shortage
from proctor.ledger._rules import Claim

MICROS = Decimal(1_000_000)
"""Of a dollar."""

_AMOUNT: JsonObject = {
    "type": "object",
    "properties": {"usd": {"type": "number", "minimum": 0.000001, "maximum": 1_000_000_000}},
    "required": ["usd"],
    "additionalProperties": False,
}
"""What whoever decides may change: how much is added, in dollars."""


def wrapped_up(call: ModelCall, claim: Claim, left: Micros) -> ModelCall:
    """A call whose agent is told to finish, and that lets no tool be called any more.

    The tools stay in the request: providers refuse a conversation with calls of tools that aren't offered.
    """
    text = (
        f"The budget for this work is nearly used up: {format_usd(left)} of "
        f"{format_usd(claim.budget.limit)} are left. Finish now. Give the best answer that you can with what "
        "you have, and say what is missing; no tools can be called any more."
    )
    message: JsonObject = {"role": "system", "content": text}
    choice = "none" if call.tools else call.tool_choice
    return replace(call, messages=(*call.messages, message), tool_choice=choice)


def question_about(shortage: Shortage, agent: str, number: int) -> Question:
    """The question whether a budget may be exceeded; `number` counts the run's questions about it."""
    claim = shortage.claim
    budget, whose = claim.budget, f" of {claim.subject}" if claim.subject else ""
    text = (
        f"The budget {budget.name}{whose} of {format_usd(shortage.limit)} for {claim.period.label} has "
        f"{format_usd(shortage.spent)} spent, and {agent} wants to go on with a call of up to "
        f"{format_usd(shortage.need)}. Approve to add {format_usd(budget.step)} to it."
    )
    action: JsonObject = {
        "budget": budget.name,
        "subject": claim.subject,
        "period": claim.period.label,
        "number": number,
        "arguments": {"usd": float(budget.step / MICROS)},
    }
    terms = Terms(rule=f"budgets.{budget.name}", roles=budget.rule.roles, editable=_AMOUNT)
    return Question(kind="budget", role="", text=text, action=action, terms=terms)


def amount_of(decision: Decision, claim: Claim) -> Micros:
    """What a person adds to a budget; 0 where the person doesn't."""
    match decision.kind:
        case "approve":
            return claim.budget.step
        case "edit":
            usd = (decision.arguments or {}).get("usd")
            return to_micros(str(usd)) if isinstance(usd, int | float) else 0
        case _:
            return 0
