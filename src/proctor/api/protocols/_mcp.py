"""The teams as tools of an MCP server, over streamable HTTP.

No request knows of another: a client's session lives in the ids that it holds, so any server process answers.
A call that is given up leaves its run alone; `cancel_run` stops it.
"""

import asyncio
import logging
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import aclosing, suppress
from itertools import chain, count
from typing import Any

import mcp_types as types
from fastapi import FastAPI, Request
from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match
from mcp.server import Server, ServerRequestContext
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp.shared.exceptions import MCPError
from mcp_types.version import MODERN_PROTOCOL_VERSIONS
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from proctor.access import Principal
from proctor.api._caller import Door
from proctor.api._problems import problem
from proctor.api._waits import Waits
from proctor.api.protocols import _work
from proctor.api.protocols._work import Asked, Part
from proctor.app import Proctor
from proctor.approvals import Filter
from proctor.core import Forbidden, InvalidInput, ProctorError
from proctor.runs import Run
from proctor.telemetry import incoming

_log = logging.getLogger(__name__)

PRINCIPAL = "proctor.principal"

INSTRUCTIONS = (
    "Each tool run_… gives a task to a team of agents and returns its answer. Where the state is `waiting`, "
    "a person decides first: tell the user what waits; continue_run gives the answer once it is decided. "
    "Where the state is `running`, the wait was over: continue_run waits on."
)

_RUN: dict[str, Any] = {"type": "string", "pattern": "^run_[0-9a-hjkmnp-tv-z]{26}$"}
_WAIT: dict[str, Any] = {
    "type": "number",
    "minimum": 0,
    "maximum": 3600,
    "description": "Return after so many seconds, even if the team is at work. Absent: when it has ended, "
    "or the server waits no longer.",
}
_OUTPUT: dict[str, Any] = {
    "type": "object",
    "required": ["run_id", "state", "cost_micros", "answer", "approvals"],
    "properties": {
        "run_id": {"type": "string"},
        "state": {"type": "string"},
        "thread": {"type": ["string", "null"]},
        "cost_micros": {"type": "integer"},
        "answer": {"type": ["string", "null"]},
        "error": {"type": ["string", "null"]},
        "approvals": {"type": "array", "items": {"type": "object"}},
    },
}
_DECISION: dict[str, Any] = {
    "type": "object",
    "properties": {
        "decision": {
            "type": "string",
            "enum": ["approve", "reject", "respond"],
            "description": "May it be done? `respond`: no, and the comment is the answer.",
        },
        "comment": {"type": "string", "description": "Why; the agents read it.", "maxLength": 10_000},
    },
    "required": ["decision"],
}
"""What a person is asked by the client."""


def _inputs(required: list[str], **properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": False,
    }


_TASK = _inputs(
    ["task"],
    task={"type": "string", "minLength": 1, "maxLength": 1_000_000, "description": "What the team is to do."},
    thread={
        "type": "string",
        "pattern": "^(new|thr_[0-9a-hjkmnp-tv-z]{26})$",
        "description": "The conversation it belongs to, as an earlier answer named it; `new` opens one.",
    },
    wait_seconds=_WAIT,
)
_CONTINUE = _inputs(["run_id"], run_id=_RUN, wait_seconds=_WAIT)
_CANCEL = _inputs(["run_id"], run_id=_RUN)
TASKS, CONTINUE, CANCEL = "run_", "continue_run", "cancel_run"


class McpDoor:
    """The endpoint: lets in whom the door knows, and serves each request on its own."""

    def __init__(self, proctor: Proctor, door: Door, waits: Waits) -> None:
        # It tells of each manager's beginning and end, and here each request has one.
        logging.getLogger("mcp.server.streamable_http_manager").setLevel(logging.WARNING)
        self._door = door
        teams = _Teams(proctor, waits)
        self._server: Server[Any] = Server(
            "proctor",
            instructions=INSTRUCTIONS,
            on_list_tools=teams.list,
            on_call_tool=teams.call,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request."""
        try:
            scope[PRINCIPAL] = await self._door.enter(Request(scope, receive))
        except ProctorError as error:
            await problem(error)(scope, receive, send)
            return
        manager = StreamableHTTPSessionManager(self._server, stateless=True)
        async with manager.run():
            await manager.handle_request(scope, receive, send)


def open_mcp(site: FastAPI, proctor: Proctor, door: Door) -> None:
    """Has a site answer MCP clients under `/mcp`."""
    site.router.routes.append(Route("/mcp", McpDoor(proctor, door, site.state.waits), methods=["POST"]))


class _Teams:
    """The tools, and what they do."""

    def __init__(self, proctor: Proctor, waits: Waits) -> None:
        self._proctor = proctor
        self._waits = waits
        self._teams = dict(_tool_names(proctor.app.teams))

    async def list(
        self, ctx: ServerRequestContext[Any, Any], _params: types.PaginatedRequestParams | None
    ) -> types.ListToolsResult:
        """What the caller may do."""
        principal = _principal(ctx)
        tools: list[types.Tool] = []
        if principal.may("operator"):
            tools += [
                _tool(name, f"Give a task to the team {team}.", _TASK) for name, team in self._teams.items()
            ]
            tools.append(_tool(CANCEL, "Stop a run at its next step.", _CANCEL))
        if principal.may("viewer"):
            tools.append(_tool(CONTINUE, "Wait on for a run that was begun, and read its answer.", _CONTINUE))
        return types.ListToolsResult(tools=tools, cache_scope="private")

    async def call(
        self, ctx: ServerRequestContext[Any, Any], params: types.CallToolRequestParams
    ) -> types.CallToolResult | types.InputRequiredResult:
        """What a tool answers.

        Raises:
            MCPError: there is no such tool.
        """
        try:
            return await self._called(ctx, params)
        except MCPError:
            raise
        except ProctorError as error:
            return _failed(str(error))
        except Exception:  # noqa: BLE001 - the SDK would tell older clients what it says
            _log.exception("a call of %s broke", params.name[:100])
            return _failed("Something in Proctor went wrong.")

    async def _called(
        self, ctx: ServerRequestContext[Any, Any], params: types.CallToolRequestParams
    ) -> types.CallToolResult | types.InputRequiredResult:
        given = params.arguments or {}
        match params.name:
            case name if name in self._teams:
                _check(given, _TASK)
                with self._waits.one(_principal(ctx)):
                    return await self._work(ctx, params, await self._begin(ctx, params, self._teams[name]))
            case "continue_run":
                _check(given, _CONTINUE)
                run = await self._find(ctx, given["run_id"])
                with self._waits.one(_principal(ctx)):
                    await self._decide(ctx, params, run)
                    return await self._work(ctx, params, run)
            case "cancel_run":
                _check(given, _CANCEL)
                _needs_operator(ctx)
                run = await self._find(ctx, given["run_id"])
                await _work.cancel(self._proctor, _principal(ctx), run)
                return await self._told(ctx, run)
            case _:
                raise MCPError(types.INVALID_PARAMS, f"there is no tool {params.name[:100]}")

    async def _begin(
        self, ctx: ServerRequestContext[Any, Any], params: types.CallToolRequestParams, team: str
    ) -> Run:
        """The run of a call: a new one, unless the call was made before and comes back with an answer."""
        _needs_operator(ctx)
        given = params.arguments or {}
        if params.request_state is None:
            thread = given.get("thread", "")
            return await _work.start(
                self._proctor,
                _principal(ctx),
                team=team,
                task=given["task"],
                thread=thread,
                trace=incoming(_request(ctx).headers),
            )
        run = await self._find(ctx, params.request_state)
        if run.team != team:
            raise InvalidInput(f"run {run.id} is one of {run.team}")
        await self._decide(ctx, params, run)
        return run

    async def _find(self, ctx: ServerRequestContext[Any, Any], run_id: str) -> Run:
        principal = _principal(ctx)
        if not principal.may("viewer"):
            raise Forbidden("this takes the role viewer", hint="An admin gives roles.")
        return await _work.find(self._proctor, principal, run_id)

    async def _decide(
        self, ctx: ServerRequestContext[Any, Any], params: types.CallToolRequestParams, run: Run
    ) -> None:
        """Decides what the client has asked its user. Whoever declines to answer decides nothing."""
        for shown, answer in (params.input_responses or {}).items():
            if not isinstance(answer, types.ElicitResult) or answer.action != "accept":
                continue
            content = answer.content or {}
            _check(content, _DECISION)
            await _work.decide(
                self._proctor,
                _principal(ctx),
                run,
                shown,
                kind=_work.DECISIONS[str(content["decision"])],
                comment=str(content.get("comment") or ""),
            )

    async def _work(
        self, ctx: ServerRequestContext[Any, Any], params: types.CallToolRequestParams, run: Run
    ) -> types.CallToolResult | types.InputRequiredResult:
        """The answer of a run that has ended, waits for people, or takes longer than the caller waits."""
        wait = (params.arguments or {}).get("wait_seconds")
        after = await _work.latest(self._proctor, run.id)
        with suppress(TimeoutError, _work.StillAtWork):
            async with asyncio.timeout(wait):
                await self._follow(ctx, run, after)
        answered = params.input_responses is not None
        if not answered and (asks := await self._asks(ctx, run, after)):
            return types.InputRequiredResult(input_requests=asks, request_state=run.id)
        return await self._told(ctx, run)

    async def _follow(self, ctx: ServerRequestContext[Any, Any], run: Run, after: int) -> None:
        """Returns when the run has ended or waits, and tells on the way how far it is."""
        steps = 1
        await ctx.session.report_progress(steps, None, f"{run.id} is at work")
        async with aclosing(_work.log(self._proctor, run, after=after)) as events:
            async for event in events:
                if (step := _STEPS.get(event.type)) is not None:
                    steps += 1
                    await ctx.session.report_progress(steps, None, f"{event.agent} {step}")

    async def _asks(
        self, ctx: ServerRequestContext[Any, Any], run: Run, after: int
    ) -> dict[str, types.InputRequest]:
        """What the client's user is asked, where the caller decides and the client can ask."""
        principal = _principal(ctx)
        if not (principal.may("approver") and _can_ask(ctx)):
            return {}
        part = await _work.read(self._proctor, run.id, after=after)
        wanted = Filter(run_id=run.id, person=principal.name)
        open_to_them = {approval.id for approval in await self._proctor.approvals(wanted)}
        return {
            asked.id: types.ElicitRequest(
                params=types.ElicitRequestFormParams(message=_question(asked), requested_schema=_DECISION)
            )
            for asked in _work.questions(part, principal)
            if asked.id.partition(".")[0] in open_to_them
        }

    async def _told(self, ctx: ServerRequestContext[Any, Any], run: Run) -> types.CallToolResult:
        principal = _principal(ctx)
        part = await _work.read(self._proctor, run.id, after=await _work.latest(self._proctor, run.id))
        run = part.run
        answer = await _work.answer(self._proctor, principal, run) if part.state == "completed" else None
        asked = _work.questions(part, principal)
        refused = run.result if part.state == "refused" else None
        told = {
            "run_id": run.id,
            "state": part.state,
            "thread": run.thread_id,
            "cost_micros": run.cost,
            "answer": answer,
            "error": refused or (run.error if part.state == "failed" else None),
            "approvals": [{"id": each.id, "question": _question(each)} for each in asked],
        }
        return types.CallToolResult(
            content=[types.TextContent(text=_text(part, answer, asked))],
            structured_content=told,
            is_error=part.state in ("failed", "refused"),
        )


def _failed(text: str) -> types.CallToolResult:
    return types.CallToolResult(content=[types.TextContent(text=text)], is_error=True)


_STEPS: Mapping[str, str] = {
    "message": "has spoken",
    "model.called": "has thought",
    "tool.called": "has used a tool",
}


def _text(part: Part, answer: str | None, asked: Sequence[Asked]) -> str:
    run = part.run
    match part.state:
        case "completed":
            return answer or ""
        case "waiting":
            lines = [f"Run {run.id} waits for a person's decision. continue_run gives its answer afterwards."]
            return "\n\n".join([*lines, *map(_question, asked)])
        case "refused":
            return f"The task was refused: {run.result}"
        case "failed":
            return f"Run {run.id} failed: {run.error}"
        case "cancelled":
            return f"Run {run.id} was cancelled."
        case _:
            return f"Run {run.id} is still at work. continue_run waits on for its answer."


def _question(asked: Asked) -> str:
    return f"{asked.text}\n{asked.server}.{asked.name} {asked.arguments}"


def _tool(name: str, description: str, schema: dict[str, Any]) -> types.Tool:
    output = None if name == CANCEL else _OUTPUT
    return types.Tool(name=name, description=description, input_schema=schema, output_schema=output)


def _tool_names(teams: Iterable[str]) -> Iterator[tuple[str, str]]:
    """The tools' names with their teams: a tool's name holds fewer kinds of characters than a team's."""
    taken: set[str] = set()
    for team in teams:
        plain = TASKS + re.sub(r"[^A-Za-z0-9_-]", "_", team)
        name = next(each for each in chain([plain], (f"{plain}_{n}" for n in count(2))) if each not in taken)
        taken.add(name)
        yield name, team


def _request(ctx: ServerRequestContext[Any, Any]) -> Request:
    assert isinstance(ctx.request, Request)
    return ctx.request


def _principal(ctx: ServerRequestContext[Any, Any]) -> Principal:
    principal: Principal = _request(ctx).scope[PRINCIPAL]
    return principal


def _needs_operator(ctx: ServerRequestContext[Any, Any]) -> None:
    if not _principal(ctx).may("operator"):
        raise Forbidden("this takes the role operator", hint="An admin gives roles.")


def _can_ask(ctx: ServerRequestContext[Any, Any]) -> bool:
    """Whether the client asks its user when an answer tells it to."""
    capabilities = ctx.session.client_capabilities
    asks = None if capabilities is None else capabilities.elicitation
    return (
        ctx.protocol_version in MODERN_PROTOCOL_VERSIONS
        and asks is not None
        and bool(asks.form or not asks.url)
    )


def _check(given: Mapping[str, Any], schema: dict[str, Any]) -> None:
    """Returns where arguments fit.

    Raises:
        InvalidInput: they don't.
    """
    fault = best_match(Draft202012Validator(schema).iter_errors(given))
    if fault is not None:
        place = ".".join(str(part) for part in fault.absolute_path) or "arguments"
        raise InvalidInput(f"{place}: {fault.message[:500]}")
    if any(isinstance(value, str) and "\x00" in value for value in given.values()):
        raise InvalidInput("a text holds a character that nobody can store")
