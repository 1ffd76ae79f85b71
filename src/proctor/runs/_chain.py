"""The outermost link of both chains: calls that the journal holds are answered from it, and go no further."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import cast

from proctor.core import (
    CallScope,
    IfBroken,
    JsonObject,
    JsonValue,
    Label,
    ModelCall,
    ModelHandler,
    ModelResult,
    Question,
    RunError,
    ToolCall,
    ToolHandler,
    ToolResult,
    join,
    label_to_json,
    monotonic_ms,
)
from proctor.runs._replay import ASIDE, SETTLED
from proctor.runs._scope import Scope
from proctor.runs._session import RunSession
from proctor.runs._values import (
    RecordedCall,
    model_outcome,
    read_label,
    read_model_outcome,
    read_tool_outcome,
    tool_outcome,
)


async def journal_model(call: ModelCall, proceed: ModelHandler) -> ModelResult:
    """A model's answer: the recorded one, or a new one and its record."""
    scope = cast("Scope", call.scope)
    recorded = await scope.recorded()
    if recorded is not None:
        scope.label = join((scope.label, read_label(recorded)))
        return read_model_outcome(recorded)
    await settle_past(scope)
    with await scope.session.live():
        scope.session.raise_label(scope)
        began = monotonic_ms()
        with closing_books(scope):
            result = await proceed(call)
        duration = monotonic_ms() - began
        scope.event("model.called", {**_model_data(result, duration), **_shown(scope.label)})
        scope.finish(model_outcome(result, scope.label), cost=result.cost, duration_ms=duration)
    return result


async def journal_tool(call: ToolCall, proceed: ToolHandler) -> ToolResult:
    """A tool's answer: the recorded one, or a new one and its record."""
    scope = cast("Scope", call.scope)
    recorded = await scope.recorded()
    if recorded is not None:
        return read_tool_outcome(recorded)
    await settle_past(scope)
    if call.tool.effect != "read_only":
        await settle_doubts(scope)
    with await scope.session.live():
        began = monotonic_ms()
        with closing_books(scope):
            result = await _unless_in_doubt(scope, call, proceed)
        if result.refused_by:  # a refusal quotes what the model wrote
            result = replace(result, label=join((result.label, scope.label)))
        duration = monotonic_ms() - began
        scope.event("tool.called", {**_tool_data(call, result, duration), **_shown(result.label)})
        acted = scope.begun or scope.call_key in scope.session.journal.in_doubt
        outcome = {**tool_outcome(result), "acted": acted}
        scope.finish(outcome, cost=result.cost, duration_ms=duration)
    return result


async def _unless_in_doubt(scope: Scope, call: ToolCall, proceed: ToolHandler) -> ToolResult:
    """A call that was started before is never repeated silently, unless its key makes that harmless."""
    started = scope.session.journal.in_doubt.get(scope.call_key)
    if started is None or call.tool.effect != "consequential":
        return await proceed(call)
    question = scope.doubted(
        f"{call.tool.name} was started (first at {started.started_at:%Y-%m-%d %H:%M:%S} UTC) and "
        "its end isn't known; its server may still be at it. Look whether it took effect: respond with "
        "its result if so, approve to do it now if not."
    )
    decision = await scope.decision(question)
    if decision.kind == "approve":
        return await proceed(call)
    text = decision.comment or "The action was started; whether it took effect is unknown."
    return ToolResult(text=text, is_error=decision.kind == "reject")


def closing_books(scope: Scope) -> IfBroken:
    """Lets what was booked for a call be committed also where the call breaks, or is cancelled."""
    return IfBroken(lambda _: scope.enter())  # else its outcome takes it along


async def consult(
    about: CallScope,
    ask: ModelHandler,
    *,
    model: str,
    messages: tuple[JsonObject, ...],
    response_format: JsonObject | None = None,
    options: JsonObject | None = None,
) -> ModelResult:
    """A model's answer about a call that waits for it: a call of the same run, recorded and paid for."""
    outer = cast("Scope", about)
    request: dict[str, JsonValue] = {"model": model, "messages": messages, "about": outer.key}
    if response_format is not None:
        request["response_format"] = response_format
    if options:
        request["options"] = options
    scope = outer.session.scope(f"{outer.agent}{ASIDE}", "model", request)
    scope.label = outer.label
    asked = ModelCall(
        scope=scope,
        model=model,
        messages=messages,
        response_format=response_format,
        options=options or {},
    )
    return await ask(asked)


async def begin_before_acting(call: ToolCall, proceed: ToolHandler) -> ToolResult:
    """Notes durably that a tool is about to change the world, which only the run's own attempt may do."""
    if call.tool.effect != "read_only":
        await call.scope.begin()
    return await proceed(call)


async def settle_past(scope: Scope) -> None:
    """Returns when nothing of an earlier attempt is left that acted on the world and was not met again.

    Where something is, this attempt goes another way than the last one, and a person decides whether it may.
    """
    await _ask_to_go_on(scope, scope.session.journal.unmet_actions())


async def settle_doubts(scope: Scope) -> None:
    """Returns when a call may act: after every action whose end isn't known was asked for again.

    What began in parallel is on its way to ask, so it is waited for as long as the loop takes to settle.
    """
    journal = scope.session.journal
    for _ in range(SETTLED):
        if not journal.unmet_doubts():
            return
        await asyncio.sleep(0)
    await _ask_to_go_on(scope, journal.unmet_doubts())


async def settle_end(session: RunSession) -> None:
    """Returns when a run may end: like `settle_past`, and no action whose end isn't known was passed over."""
    scope = session.scope("", "human", {"end": session.run_id})
    await _ask_to_go_on(scope, session.journal.unmet_actions() + session.journal.unmet_doubts())
    scope.use_approvals()


async def _ask_to_go_on(scope: Scope, left: Sequence[RecordedCall]) -> None:
    if not left:
        return
    action: JsonObject = {"unmatched": [call.request for call in left]}
    question = Question(
        kind="diverged",
        role="",
        text="The resumed run goes another way than before: it no longer asks for actions that it has "
        "carried out or begun. Approve to let it go on; they stay as they are.",
        action=action,
    )
    decision = await scope.decision(question)
    if decision.kind == "reject":
        raise RunError("a person stopped the run because it went another way when it was resumed")


def _model_data(result: ModelResult, duration: float) -> dict[str, str | int | float | bool]:
    return {
        "deployment": result.deployment,
        "model": result.model,
        "input": result.usage.input,
        "output": result.usage.output,
        "cached_input": result.usage.cached_input,
        "cost": result.cost,
        "attempts": result.attempts,
        "cached": result.cached,
        "way": result.way,
        "ms": round(duration, 1),
    }


def _shown(label: Label) -> JsonObject:
    """A label as events tell of it; nothing of one that says nothing new."""
    return {} if label.is_trusted and not label.exceeds("user") else {"label": label_to_json(label)}


def _tool_data(call: ToolCall, result: ToolResult, duration: float) -> dict[str, str | int | float | bool]:
    return {
        "server": call.tool.server,
        "tool": call.tool.name,
        "effect": call.tool.effect,
        "error": result.is_error,
        "refused_by": result.refused_by,
        "cost": result.cost,
        "ms": round(duration, 1),
    }
