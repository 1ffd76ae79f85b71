"""A call as a request to the server, and the server's answer to it as a result."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

from mcp.shared.exceptions import MCPError
from mcp_types import (
    URL_ELICITATION_REQUIRED,
    CallToolRequest,
    CallToolRequestParams,
    CallToolResult,
    ElicitationRequiredErrorData,
    ElicitRequestURLParams,
    GetPromptRequest,
    GetPromptResult,
    InputRequiredResult,
    ReadResourceRequest,
    ReadResourceResult,
    RequestParamsMeta,
)
from pydantic import TypeAdapter, ValidationError

from proctor.core import ToolCall, ToolResult
from proctor.tools._resources import prompt_request, prompt_result, read_request, resource_result
from proctor.tools._results import read_result

Answer = CallToolResult | ReadResourceResult | GetPromptResult

_Tool: TypeAdapter[Any] = TypeAdapter(CallToolResult | InputRequiredResult)
_Resource: TypeAdapter[Any] = TypeAdapter(ReadResourceResult | InputRequiredResult)
_Prompt: TypeAdapter[Any] = TypeAdapter(GetPromptResult | InputRequiredResult)


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """How a call is sent, and how its answer is read."""

    make: Callable[[dict[str, Any]], CallToolRequest | ReadResourceRequest | GetPromptRequest]
    """The request, with further parameters."""
    answer: TypeAdapter[Any]
    read: Callable[[Any], ToolResult]
    """Raises `ValueError` where the answer can't be read."""


def request_of(call: ToolCall, reading: str | None) -> Request:
    """How a call of a tool is sent; `reading` is what it gives where it isn't one of the server's own."""
    meta: dict[str, object] = {
        "proctor/idempotency-key": call.scope.key,
        "proctor/tenant": call.scope.tenant,
        "proctor/run": call.scope.run_id,
    }
    own = {"_meta": cast("RequestParamsMeta", meta)}
    match reading:
        case "read_resource":
            return Request(
                make=lambda more: read_request(call.arguments, own | more),
                answer=_Resource,
                read=resource_result,
            )
        case "get_prompt":
            return Request(
                make=lambda more: prompt_request(call.arguments, own | more),
                answer=_Prompt,
                read=prompt_result,
            )
        case _:
            return Request(make=lambda more: _tool_request(call, own | more), answer=_Tool, read=read_result)


def addresses_of(error: MCPError) -> list[ElicitRequestURLParams]:
    """The addresses that a person has to open before the call can be made, where an error names some."""
    if error.code != URL_ELICITATION_REQUIRED:
        return []
    try:
        return ElicitationRequiredErrorData.model_validate(error.error.data).elicitations
    except ValidationError:
        return []


def _tool_request(call: ToolCall, further: dict[str, Any]) -> CallToolRequest:
    params = CallToolRequestParams(name=call.tool.name, arguments=dict(call.arguments), **further)
    return CallToolRequest(params=params)
