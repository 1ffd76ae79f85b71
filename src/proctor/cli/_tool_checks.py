"""Findings about tools and how their servers are started, for `proctor tools check` and `proctor doctor`."""

from collections.abc import Iterator, Mapping

from proctor.app import Settings, load_app
from proctor.cli._checks import Finding, State, broken
from proctor.cli._survey import Survey
from proctor.core import ProctorError, ToolSpec
from proctor.tools import Pin, Suspicion, SuspicionKind, loose_package, suspicions, visible

_READ = "Read it: proctor tools show {name}. Ask its author, or leave it out by `allow` of [tools.{server}]."
_ONE = "Leave one of them out by `allow` of [tools.{server}]."
ADVICE: Mapping[SuspicionKind, str] = {
    "hidden": _READ,
    "orders": _READ,
    "commands": "Leave it out by `allow` of [tools.{server}], or let it run commands by `commands` there.",
    "same name": _ONE,
    "look-alike": _ONE,
    "other's tool": _READ,
}


def about_packages(settings: Settings, *, state: State) -> Iterator[Finding]:
    """Whether each server that is a process is started in a fixed version; `state` is of one that isn't."""
    for name, server in settings.tools.items():
        what = f"tools.{name} package"
        if (found := loose_package(server.command)) is not None:
            yield Finding(what=what, state=state, found=found.why, todo=found.todo)
        elif server.command:
            yield Finding(what=what, state="ok", found="none that could change by itself")


def about_pins(settings: Settings, pins: Mapping[tuple[str, str], Pin]) -> Finding:
    """What is known of pins without asking a server."""
    mine = [pin for pin in pins.values() if pin.server in settings.tools]
    waiting = sorted(f"{pin.server}.{pin.tool}" for pin in mine if pin.seen is not None)
    if settings.trust.pins == "off":
        return Finding(
            what="pins",
            state="note",
            found="off: a tool that changes is believed",
            todo='Write pins = "first_use" under [trust].',
        )
    if waiting:
        found = f"wait for a person, and are blocked: {', '.join(map(visible, waiting))}"
        todo = "See `proctor tools diff`, and accept them with `proctor tools pin`."
        return Finding(what="pins", state="broken", found=found, todo=todo)
    return Finding(what="pins", state="ok", found=f"{settings.trust.pins}; {len(mine)} pinned")


def about_tools(found: Survey) -> Iterator[Finding]:
    """What speaks against the tools that servers offer."""
    for server, error in found.failures.items():
        yield broken(f"tools.{server}", error)
    yield from _about_pins(found)
    functions: list[ToolSpec] = []
    if found.settings.app:
        try:
            functions = [each.spec for each in load_app(found.settings.app).functions.values()]
        except ProctorError as error:
            yield broken("app", error)
    specs = [*functions, *found.specs]
    suspected = suspicions(specs, found.rules)
    for each in suspected:
        yield _about(each)
    if not suspected:
        yield Finding(what="what tools say", state="ok", found=f"nothing speaks against {len(specs)} tools")


def _about_pins(found: Survey) -> Iterator[Finding]:
    for tool in found.tools:
        if tool.standing == "changed":
            yield Finding(
                what=visible(tool.name),
                state="broken",
                found="changed since it was pinned; calls are refused",
                todo=f"See `proctor tools diff {tool.server}`, and accept it with `proctor tools pin`.",
            )
        elif tool.standing == "unpinned" and found.settings.trust.pins == "required":
            yield Finding(
                what=visible(tool.name),
                state="broken",
                found="nobody has pinned it; it isn't offered",
                todo=f"Look at it and accept it: proctor tools pin {tool.server}",
            )


def _about(suspicion: Suspicion) -> Finding:
    name = visible(f"{suspicion.server}.{suspicion.tool}")
    return Finding(
        what=name,
        state="broken",
        found=visible(suspicion.text),
        todo=ADVICE[suspicion.kind].format(name=name, server=suspicion.server),
    )
