"""How tools, their pins and their changes are shown."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.text import Text

from proctor.cli._output import console, fields, instant, print_table, put
from proctor.cli._survey import Standing, Survey, Surveyed
from proctor.tools import Suspicion, difference, runs_commands, suspicions, visible

STYLES: Mapping[Standing, str] = {
    "pinned": "green",
    "changed": "bold red",
    "unpinned": "yellow",
    "gone": "dim",
}
MARKS: Mapping[str, str] = {"+": "green", "-": "red"}


def against(found: Survey, tools: Sequence[Surveyed]) -> tuple[Suspicion, ...]:
    """What speaks against some of the tools, all others considered."""
    names = {tool.name for tool in tools}
    said = suspicions(found.specs, found.rules)
    return tuple(each for each in said if f"{each.server}.{each.tool}" in names)


def print_tools(found: Survey) -> None:
    """Prints a line for each tool."""
    rows = []
    for tool in found.tools:
        rule = found.rules.of(tool.server, tool.tool)
        form = tool.present or tool.accepted
        commands = bool(tool.spec and runs_commands(tool.spec))
        rows.append(
            (
                visible(tool.name),
                Text(tool.standing, style=STYLES[tool.standing]),
                form.effect if form else "",
                (Text("allowed", style="yellow") if rule.commands == "allow" else "refused")
                if commands
                else "",
                f"{rule.label.integrity}, {rule.label.confidentiality}",
                ", ".join(sorted({*rule.classes, *rule.fields.values()})),
            )
        )
    columns = ("tool", "pin", "effect", "commands", "answers are", "kinds of data")
    print_table(console(), columns, rows)


def print_whole_tools(found: Survey) -> None:
    """Prints all that each tool says, and what holds for it."""
    out = console()
    for tool in found.tools:
        _print_tool(tool, found, out)


def _print_tool(tool: Surveyed, found: Survey, out: Console) -> None:
    rule = found.rules.of(tool.server, tool.tool)
    pin, form = tool.pin, tool.present or tool.accepted
    out.print(Text(visible(tool.name), style="bold"))
    pinned = f" by {pin.accepted_by}, {instant(pin.accepted_at)}" if pin and pin.accepted_at else ""
    values: dict[str, str | Text] = {
        "pin": Text.assemble((tool.standing, STYLES[tool.standing]), pinned),
        "effect": form.effect if form else "",
        "commands": runs_commands(tool.spec) if tool.spec else "",
        "answers are": f"{rule.label.integrity}, {rule.label.confidentiality}",
        "may be given": f"{rule.clearance} at most",
        "kinds of data": ", ".join(sorted(rule.classes)),
        "fields": ", ".join(f"{path}: {kind}" for path, kind in rule.fields.items()),
        "folders": ", ".join(map(str, rule.roots or ())),
        "hosts": ", ".join(rule.hosts or ()),
    }
    put(fields(values), out)
    for name, value in (form.said if form else {}).items():
        if name != "name":
            text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=2)
            out.print(Text(f"{name}:", style="dim"))
            out.print(Text(visible(text)), soft_wrap=True)
    out.print()


def print_differences(tools: Sequence[Surveyed], suspected: Sequence[Suspicion]) -> None:
    """Prints how tools differ from what was pinned, and what speaks against them."""
    out = console()
    for tool in tools:
        if tool.present is None:
            out.print(Text(f"{visible(tool.name)} (gone)", style="dim"))
            continue
        was = "new" if tool.accepted is None else "changed"
        out.print(Text(f"{visible(tool.name)} ({was})", style="bold"))
        for line in difference(tool.accepted, tool.present):
            out.print(Text(f"  {line}", style=MARKS.get(line[:1], "")), soft_wrap=True)
        for each in suspected:
            if (each.server, each.tool) == (tool.server, tool.tool):
                out.print(Text(f"  ! {visible(each.text)}", style="bold red"), soft_wrap=True)
        out.print()


def print_failures(found: Survey) -> None:
    """Prints which servers didn't tell their tools."""
    for server, error in found.failures.items():
        console(stderr=True).print(Text(f"{server}: {visible(error.message)}", style="red"), soft_wrap=True)


def tool_json(tool: Surveyed, found: Survey) -> dict[str, Any]:
    """A tool for programs."""
    rule = found.rules.of(tool.server, tool.tool)
    form = tool.present or tool.accepted
    return {
        "server": tool.server,
        "tool": tool.tool,
        "pin": tool.standing,
        "pinned_by": tool.pin.accepted_by if tool.pin else "",
        "pinned_at": tool.pin.accepted_at if tool.pin else None,
        "digest": form.digest if form else None,
        "effect": form.effect if form else None,
        "commands": runs_commands(tool.spec) if tool.spec else "",
        "integrity": rule.label.integrity,
        "confidentiality": rule.label.confidentiality,
        "classes": sorted(rule.classes),
        "fields": dict(rule.fields),
        "says": form.said if form else None,
    }


def difference_json(tool: Surveyed, suspected: Sequence[Suspicion]) -> dict[str, Any]:
    """A change for programs."""
    return {
        "server": tool.server,
        "tool": tool.tool,
        "pin": tool.standing,
        "before": tool.accepted.said if tool.accepted else None,
        "after": tool.present.said if tool.present else None,
        "lines": difference(tool.accepted, tool.present) if tool.present else [],
        "suspicions": [
            {"kind": each.kind, "text": each.text}
            for each in suspected
            if (each.server, each.tool) == (tool.server, tool.tool)
        ],
    }


def failures_json(found: Survey) -> list[dict[str, Any]]:
    """The servers that didn't tell their tools, for programs."""
    return [{"server": server, "error": error.message} for server, error in found.failures.items()]
