"""Middlewares that measure calls. A replayed call never reaches them: the journal stands outside."""

from asyncio import CancelledError
from collections.abc import Callable
from dataclasses import replace

from proctor.core import (
    ModelCall,
    ModelHandler,
    ModelMiddleware,
    ModelResult,
    ProctorError,
    Suspended,
    ToolCall,
    ToolHandler,
    ToolMiddleware,
    ToolResult,
    monotonic_ms,
)
from proctor.telemetry._metrics import Metrics
from proctor.telemetry._series import ModelSeries


def measure_model(metrics: Metrics) -> ModelMiddleware:
    """A middleware that counts and times model calls, with their tokens, their cost and their first text.

    The outcome is `ok`, `cancelled`, or the error's code; a call that is suspended has none yet. Tokens and
    cost are those of the deployment that answered, which may be a stand-in.
    """

    async def middleware(call: ModelCall, handle: ModelHandler) -> ModelResult:
        series = metrics.model(call)
        outcome = "error"
        series.active.inc()
        began = monotonic_ms()
        if call.on_text is not None:
            call = replace(call, on_text=_first_timed(series, began, call.on_text))
        try:
            result = await handle(call)
            outcome = "ok"
        except ProctorError as error:
            outcome = error.code
            raise
        except CancelledError as error:
            outcome = "" if isinstance(error, Suspended) else "cancelled"
            raise
        finally:
            series.active.dec()
            if outcome:
                seconds = (monotonic_ms() - began) / 1000
                series.seconds.observe(seconds)
                series.response.observe(seconds)
                series.count(outcome)
        if result.deployment != call.model:
            series = metrics.model(call, result.deployment)
        if result.cached:
            metrics.model_recalled(call, result)
        else:
            series.spend(result.usage, result.cost)
        return result

    return middleware


def measure_tool(metrics: Metrics) -> ToolMiddleware:
    """A middleware that counts and times tool calls, with their cost.

    The outcome is `ok`, `failed` where the tool said so, `refused`, `cancelled`, or the error's code. A call
    that waits for a person has none yet.
    """

    async def middleware(call: ToolCall, handle: ToolHandler) -> ToolResult:
        scope, tool = call.scope, f"{call.tool.server}.{call.tool.name}"
        series = metrics.tool(scope.team, scope.agent, tool, scope.release)
        outcome = "error"
        series.active.inc()
        began = monotonic_ms()
        try:
            result = await handle(call)
            outcome = "refused" if result.refused_by else "failed" if result.is_error else "ok"
        except ProctorError as error:
            outcome = error.code
            raise
        except CancelledError as error:
            outcome = "" if isinstance(error, Suspended) else "cancelled"
            raise
        finally:
            series.active.dec()
            if outcome:
                series.seconds.observe((monotonic_ms() - began) / 1000)
                series.count(outcome)
        if result.cost:
            series.cost.inc(result.cost)
        return result

    return middleware


def _first_timed(series: ModelSeries, began: float, tell: Callable[[str], None]) -> Callable[[str], None]:
    """A listener that takes note of when the first text comes."""
    waits = True

    def listen(text: str) -> None:
        nonlocal waits
        if waits:
            waits = False
            series.first.observe((monotonic_ms() - began) / 1000)
        tell(text)

    return listen
