"""The teams as tools of an MCP server: over streamable HTTP, and for whoever starts a process, over stdio.

No request knows of another: a client's session lives in the ids that it holds, so any server process answers.
A call that is given up leaves its run alone; `cancel_run` stops it.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import aclosing, suppress
from functools import partial
from typing import Any, TypeAlias

import mcp_types as types
from fastapi import FastAPI, Request
from mcp.server import Server, ServerRequestContext
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp.shared.exceptions import MCPError
from mcp_types.version import MODERN_PROTOCOL_VERSIONS
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from proctor.access import Principal, Role
from proctor.api._caller import Door, Trust
from proctor.api._door import local_caller
from proctor.api._problems import refusal, words_of
from proctor.api._waits import Waits
from proctor.api.protocols import _work
from proctor.api.protocols._conversation import Task
from proctor.api.protocols._mcp_tools import CANCEL, CONTINUE, DECISION, TASK, check, tool_names, tool_of
from proctor.api.protocols._questions import DECISIONS, Asked, decide, questions
from proctor.api.protocols._work import Part
from proctor.app import Proctor
from proctor.approvals import Filter
from proctor.core import Forbidden, InvalidInput, ProctorError
from proctor.runs import Run
from proctor.telemetry import incoming

_log = logging.getLogger(__name__)

CALLER = "proctor.caller"

Context: TypeAlias = ServerRequestContext[Any, Any]
Known: TypeAlias = tuple[Principal, Trust]

INSTRUCTIONS = (
    "Each tool run_… gives a task to a team of agents and returns its answer. Where the state is `waiting`, "
    "a person decides first: tell the user what waits; continue_run gives the answer once it is decided. "
    "Where the state is `running`, the wait was over: continue_run waits on."
)


class McpDoor:
    """The endpoint: lets in whom the door knows, and serves each request on its own."""

    def __init__(self, proctor: Proctor, door: Door, waits: Waits) -> None:
        # It tells of each manager's beginning and end, and here each request has one.
        logging.getLogger("mcp.server.streamable_http_manager").setLevel(logging.WARNING)
        self._door = door
        self._server = _server(_Teams(proctor, waits, lambda ctx: _request(ctx).scope[CALLER]))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request."""
        try:
            request = Request(scope, receive)
            principal = await self._door.enter(request)
            scope[CALLER] = principal, Trust(partial(self._door.recall, request))
        except ProctorError as error:
            await refusal(error, scope)(scope, receive, send)
            return
        manager = StreamableHTTPSessionManager(self._server, stateless=True)
        async with manager.run():
            await manager.handle_request(scope, receive, send)


def open_mcp(site: FastAPI, proctor: Proctor, door: Door) -> None:
    """Has a site answer MCP clients under `/mcp`."""
    site.router.routes.append(Route("/mcp", McpDoor(proctor, door, site.state.waits), methods=["POST"]))


def local_mcp(proctor: Proctor) -> Server[Any]:
    """The MCP server for whoever has started this process."""
    caller = local_caller()

    async def believed() -> None: ...

    waits = Waits(proctor.settings.access.waits_at_once)
    return _server(_Teams(proctor, waits, lambda _: (caller, Trust(believed))))


def _server(teams: "_Teams") -> Server[Any]:
    return Server("proctor", instructions=INSTRUCTIONS, on_list_tools=teams.list, on_call_tool=teams.call)


class _Teams:
    """The tools, and what they do."""

    def __init__(self, proctor: Proctor, waits: Waits, known: Callable[[Context], Known]) -> None:
        self._proctor = proctor
        self._waits = waits
        self._known = known
        self._teams = dict(tool_names(proctor.app.teams))

    def _caller(self, ctx: Context) -> Principal:
        return self._known(ctx)[0]

    async def list(self, ctx: Context, _params: types.PaginatedRequestParams | None) -> types.ListToolsResult:
        """What the caller may do."""
        principal = self._caller(ctx)
        tools: list[types.Tool] = []
        if principal.may("operator"):
            tools += [*(tool_of(name, team) for name, team in self._teams.items()), CANCEL]
        if principal.may("viewer"):
            tools.append(CONTINUE)
        return types.ListToolsResult(tools=tools, cache_scope="private")

    async def call(
        self, ctx: Context, params: types.CallToolRequestParams
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
            return _failed(words_of(error))
        except Exception:  # noqa: BLE001 - the SDK would tell older clients what it says
            _log.exception("a call of %s broke", params.name[:100])
            return _failed("Something in Proctor went wrong.")

    async def _called(
        self, ctx: Context, params: types.CallToolRequestParams
    ) -> types.CallToolResult | types.InputRequiredResult:
        given = params.arguments or {}
        match params.name:
            case name if name in self._teams:
                check(given, TASK)
                with self._waits.one(self._caller(ctx)):
                    return await self._work(ctx, params, await self._begin(ctx, params, self._teams[name]))
            case CONTINUE.name:
                check(given, CONTINUE.input_schema)
                run = await self._find(ctx, given["run_id"])
                with self._waits.one(self._caller(ctx)):
                    await self._decide(ctx, params, run)
                    return await self._work(ctx, params, run)
            case CANCEL.name:
                check(given, CANCEL.input_schema)
                _needs("operator", self._caller(ctx))
                run = await self._find(ctx, given["run_id"])
                await _work.cancel(self._proctor, self._caller(ctx), run)
                return await self._told(ctx, run)
            case _:
                raise MCPError(types.INVALID_PARAMS, f"there is no tool {params.name[:100]}")

    async def _begin(self, ctx: Context, params: types.CallToolRequestParams, team: str) -> Run:
        """The run of a call: a new one, unless the call was made before and comes back with an answer."""
        _needs("operator", self._caller(ctx))
        given = params.arguments or {}
        if params.request_state is None:
            thread = given.get("thread", "")
            return await _work.start(
                self._proctor,
                self._caller(ctx),
                team=team,
                task=Task(text=given["task"]),
                thread=thread,
                trace=_trace(ctx),
            )
        run = await self._find(ctx, params.request_state)
        if run.team != team:
            raise InvalidInput(f"run {run.id} is one of {run.team}")
        await self._decide(ctx, params, run)
        return run

    async def _find(self, ctx: Context, run_id: str) -> Run:
        principal = self._caller(ctx)
        _needs("viewer", principal)
        return await _work.find(self._proctor, principal, run_id)

    async def _decide(self, ctx: Context, params: types.CallToolRequestParams, run: Run) -> None:
        """Decides what the client has asked its user. Whoever declines to answer decides nothing."""
        for shown, answer in (params.input_responses or {}).items():
            if not isinstance(answer, types.ElicitResult) or answer.action != "accept":
                continue
            content = answer.content or {}
            check(content, DECISION)
            await decide(
                self._proctor,
                self._caller(ctx),
                run,
                shown,
                kind=DECISIONS[str(content["decision"])],
                comment=str(content.get("comment") or ""),
            )

    async def _work(
        self, ctx: Context, params: types.CallToolRequestParams, run: Run
    ) -> types.CallToolResult | types.InputRequiredResult:
        """The answer of a run that has ended, waits for people, or takes longer than the caller waits."""
        wait = (params.arguments or {}).get("wait_seconds")
        after = await _work.latest(self._proctor, run.id)
        with suppress(TimeoutError, _work.StillAtWork):
            async with asyncio.timeout(wait):
                await self._follow(ctx, run, after)
        await self._known(ctx)[1].renew()
        answered = params.input_responses is not None
        if not answered and (asks := await self._asks(ctx, run, after)):
            return types.InputRequiredResult(input_requests=asks, request_state=run.id)
        return await self._told(ctx, run)

    async def _follow(self, ctx: Context, run: Run, after: int) -> None:
        """Returns when the run has ended or waits, and tells on the way how far it is."""
        steps = 1
        await ctx.session.report_progress(steps, None, f"{run.id} is at work")
        _, trust = self._known(ctx)
        async with aclosing(_work.log(self._proctor, run, trust, after=after)) as events:
            async for event in events:
                if (step := _STEPS.get(event.type)) is not None:
                    steps += 1
                    await ctx.session.report_progress(steps, None, f"{event.agent} {step}")

    async def _asks(self, ctx: Context, run: Run, after: int) -> dict[str, types.InputRequest]:
        """What the client's user is asked, where the caller decides and the client can ask."""
        principal = self._caller(ctx)
        if not (principal.may("approver") and _can_ask(ctx)):
            return {}
        part = await _work.read(self._proctor, run.id, after=after)
        wanted = Filter(run_id=run.id, person=principal.name)
        open_to_them = {approval.id for approval in await self._proctor.approvals(wanted)}
        return {
            asked.id: types.ElicitRequest(
                params=types.ElicitRequestFormParams(message=_question(asked), requested_schema=DECISION)
            )
            for asked in questions(part, principal)
            if asked.id.partition(".")[0] in open_to_them
        }

    async def _told(self, ctx: Context, run: Run) -> types.CallToolResult:
        principal = self._caller(ctx)
        part = await _work.read(self._proctor, run.id, after=await _work.latest(self._proctor, run.id))
        run = part.run
        answer = await _work.answer(self._proctor, principal, run) if part.state == "completed" else None
        asked = questions(part, principal)
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


def _request(ctx: Context) -> Request:
    assert isinstance(ctx.request, Request)
    return ctx.request


def _trace(ctx: Context) -> str:
    """The trace that a call belongs to, as its headers tell it or its `_meta`."""
    headers = ctx.request.headers if isinstance(ctx.request, Request) else {}
    return incoming(headers) or incoming({"traceparent": str((ctx.meta or {}).get("traceparent", ""))})


def _needs(role: Role, principal: Principal) -> None:
    if not principal.may(role):
        raise Forbidden(f"this takes the role {role}", hint="An admin gives roles.")


def _can_ask(ctx: Context) -> bool:
    """Whether the client asks its user when an answer tells it to."""
    capabilities = ctx.session.client_capabilities
    asks = None if capabilities is None else capabilities.elicitation
    return (
        ctx.protocol_version in MODERN_PROTOCOL_VERSIONS
        and asks is not None
        and bool(asks.form or not asks.url)
    )
