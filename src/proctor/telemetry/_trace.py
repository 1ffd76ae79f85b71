"""Middlewares that measure calls. A replayed call never reaches them: the journal stands outside."""

from asyncio import CancelledError

from proctor.core import (
    ModelCall,
    ModelHandler,
    ModelMiddleware,
    ModelResult,
    ProctorError,
    ToolCall,
    ToolHandler,
    ToolMiddleware,
    ToolResult,
    monotonic_ms,
)
from proctor.telemetry._metrics import Metrics


def trace_model(metrics: Metrics) -> ModelMiddleware:
    """A middleware that counts and times model calls, with their tokens and cost.

    The outcome is `ok`, `cancelled`, or the error's code. Tokens and cost are those of the deployment that
    answered, which may be a stand-in.
    """

    async def middleware(call: ModelCall, handle: ModelHandler) -> ModelResult:
        series = metrics.model(call.scope.team, call.scope.agent, call.model)
        outcome = "error"
        series.active.inc()
        began = monotonic_ms()
        try:
            result = await handle(call)
            outcome = "ok"
        except ProctorError as error:
            outcome = error.code
            raise
        except CancelledError:
            outcome = "cancelled"
            raise
        finally:
            seconds = (monotonic_ms() - began) / 1000
            series.active.dec()
            series.seconds.observe(seconds)
            series.response.observe(seconds)
            series.count(outcome)
        if result.deployment != call.model:
            series = metrics.model(call.scope.team, call.scope.agent, result.deployment)
        if result.cached:
            metrics.model_recalled(call, result)
        else:
            series.spend(result.usage, result.cost)
        return result

    return middleware


def trace_tool(metrics: Metrics) -> ToolMiddleware:
    """A middleware that counts and times tool calls.

    The outcome is `ok`, `failed` where the tool said so, `refused`, `cancelled`, or the error's code.
    """

    async def middleware(call: ToolCall, handle: ToolHandler) -> ToolResult:
        series = metrics.tool(call.scope.team, call.scope.agent, call.tool.name)
        outcome = "error"
        series.active.inc()
        began = monotonic_ms()
        try:
            result = await handle(call)
            outcome = "refused" if result.refused_by else "failed" if result.is_error else "ok"
        except ProctorError as error:
            outcome = error.code
            raise
        except CancelledError:
            outcome = "cancelled"
            raise
        finally:
            series.active.dec()
            series.seconds.observe((monotonic_ms() - began) / 1000)
            series.count(outcome)
        return result

    return middleware
