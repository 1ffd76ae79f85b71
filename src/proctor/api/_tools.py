"""What tools say of themselves, and whether people have accepted it.

Known is what workers saw last: no request starts a tool server.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeAlias

from fastapi import APIRouter, Path, Response
from pydantic import AwareDatetime, BaseModel, Field
from sqlalchemy import Connection

from proctor.api._caller import Running
from proctor.api._platform import PlatformOperator, PlatformViewer
from proctor.api._tags import TAGGED, IfMatch, check_match, tag
from proctor.api._texts import STORABLE
from proctor.app import Proctor, Settings
from proctor.core import Conflict, Effect, NotFound
from proctor.tools import (
    Form,
    Pin,
    Suspicion,
    ToolRules,
    accept,
    difference,
    runs_commands,
    spec_of,
    stored_pins,
    suspicions,
    visible,
)

router = APIRouter(tags=["tools"])

ServerName: TypeAlias = Annotated[str, Path(min_length=1, max_length=64, pattern=STORABLE)]
ToolName: TypeAlias = Annotated[str, Path(min_length=1, max_length=255, pattern=STORABLE)]
Standing: TypeAlias = Literal["pinned", "changed", "unpinned"]


class ServerLine(BaseModel):
    """A configured tool server."""

    name: str
    transport: Literal["stdio", "http"]


class ToolLine(BaseModel):
    """A tool as a worker saw it last."""

    server: str
    tool: str
    pin: Standing = Field(description="`changed`: it waits for a person, and isn't called meanwhile.")
    pinned_by: str
    pinned_at: AwareDatetime | None
    seen_at: AwareDatetime | None = Field(description="When it was seen to be otherwise than it was pinned.")
    effect: Effect
    commands: str = Field(description="Why it looks as if it ran commands; empty: it doesn't.")
    integrity: str = Field(description="Of what it returns.")
    confidentiality: str
    classes: list[str] = Field(description="Kinds of data that it returns.")


class Doubt(BaseModel):
    """One thing that speaks against a tool."""

    kind: str
    text: str


class ToolWhole(ToolLine):
    """A tool with all that it says, and how that differs from what was accepted."""

    before: dict[str, Any] | None = Field(description="What was accepted.")
    now: dict[str, Any]
    lines: list[str] = Field(
        description="The difference, as in a unified diff; what nobody would see is spelt out."
    )
    suspicions: list[Doubt]


class ToolList(BaseModel):
    """All servers that are configured, and all tools that workers have seen of them."""

    servers: list[ServerLine]
    tools: list[ToolLine]


@router.get("/tools", summary="List the tools of all servers, and whether they are as they were accepted")
async def list_tools(_principal: PlatformViewer, proctor: Running) -> ToolList:
    """What workers saw last."""

    def load(connection: Connection) -> ToolList:
        rules, pins = _rules(proctor.settings), _pins(connection, proctor)
        return ToolList(
            servers=[
                ServerLine(name=name, transport="http" if server.url else "stdio")
                for name, server in sorted(proctor.settings.tools.items())
            ],
            tools=[ToolLine(**_short(pin, form, rules)) for pin, form in pins.values()],
        )

    return await proctor.database.read(load)


@router.get(
    "/tools/{server}/{tool}", summary="Show how a tool differs from what was accepted", responses=TAGGED
)
async def show_tool(
    server: ServerName, tool: ToolName, _principal: PlatformViewer, proctor: Running, response: Response
) -> ToolWhole:
    """All that it says, and what speaks against it; its ETag is for accepting it."""
    return await proctor.database.read(
        lambda connection: _told(connection, proctor, (server, tool), response)
    )


@router.post("/tools/{server}/{tool}/pin", summary="Accept a tool as it is now", responses=TAGGED)
async def pin_tool(
    *,
    server: ServerName,
    tool: ToolName,
    principal: PlatformOperator,
    proctor: Running,
    response: Response,
    if_match: IfMatch = "",
) -> ToolWhole:
    """The tool, which workers that run call again within seconds."""

    def work(connection: Connection) -> ToolWhole:
        pin, form = _find(_pins(connection, proctor), (server, tool))
        check_match(if_match, *_version(pin, form))
        if _standing(pin, form) == "pinned":
            raise Conflict(f"{server}.{tool} is as it was accepted")
        accept(connection, {(server, tool): form}, by=principal.name, at=proctor.clock.now())
        return _told(connection, proctor, (server, tool), response)

    return await proctor.database.commit(work)


Known: TypeAlias = Mapping[tuple[str, str], tuple[Pin, Form]]
"""What is held of tools, and what they are now as far as workers know."""


def _rules(settings: Settings) -> ToolRules:
    return ToolRules(settings.tools, settings.functions, settings.data)


def _pins(connection: Connection, proctor: Proctor) -> Known:
    pins = stored_pins(connection, list(proctor.settings.tools))
    return {key: (pin, form) for key, pin in pins.items() if (form := pin.seen or pin.accepted)}


def _find(known: Known, key: tuple[str, str]) -> tuple[Pin, Form]:
    if key not in known:
        raise NotFound("no worker has seen such a tool", hint="GET /tools lists those that were seen.")
    return known[key]


def _version(pin: Pin, form: Form) -> tuple[str, str]:
    return form.digest, pin.accepted.digest if pin.accepted else ""


def _standing(pin: Pin, form: Form) -> Standing:
    if pin.accepted is None:
        return "unpinned"
    return "pinned" if pin.accepted.digest == form.digest else "changed"


def _told(connection: Connection, proctor: Proctor, key: tuple[str, str], response: Response) -> ToolWhole:
    known, rules = _pins(connection, proctor), _rules(proctor.settings)
    pin, form = _find(known, key)
    tag(response, *_version(pin, form))
    all_of_them = [spec_of(each.server, seen) for each, seen in known.values()]
    against = [each for each in suspicions(all_of_them, rules) if (each.server, each.tool) == key]
    changed = _standing(pin, form) != "pinned"
    return ToolWhole(
        **_short(pin, form, rules),
        before=dict(pin.accepted.said) if pin.accepted else None,
        now=dict(form.said),
        lines=difference(pin.accepted, form) if changed else [],
        suspicions=[_doubt(each) for each in against],
    )


def _doubt(suspicion: Suspicion) -> Doubt:
    return Doubt(kind=suspicion.kind, text=visible(suspicion.text))


def _short(pin: Pin, form: Form, rules: ToolRules) -> dict[str, Any]:
    rule = rules.of(pin.server, pin.tool)
    return {
        "server": pin.server,
        "tool": pin.tool,
        "pin": _standing(pin, form),
        "pinned_by": pin.accepted_by,
        "pinned_at": pin.accepted_at,
        "seen_at": pin.seen_at,
        "effect": form.effect,
        "commands": runs_commands(spec_of(pin.server, form)),
        "integrity": rule.label.integrity,
        "confidentiality": rule.label.confidentiality,
        "classes": sorted({*rule.classes, *rule.fields.values()}),
    }
