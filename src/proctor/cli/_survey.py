"""What the configured tool servers offer now, beside what was pinned of it."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from proctor.app import Settings, load_settings
from proctor.cli._reading import reading
from proctor.core import NotFound, ProctorError, SystemClock, ToolServerSettings, ToolSpec, TrustSettings
from proctor.tools import (
    Form,
    Pin,
    ToolRules,
    ToolServer,
    check_packages,
    did_you_mean,
    form_of,
    spec_of,
    stored_pins,
)

Standing: TypeAlias = Literal["pinned", "changed", "unpinned", "gone"]
"""`gone`: it was pinned, and its server offers it no more."""

Source: TypeAlias = Literal["servers", "workers"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Surveyed:
    """A tool as it is and as it was accepted."""

    server: str
    tool: str
    spec: ToolSpec | None
    """As it is; nothing where it is gone."""
    pin: Pin | None

    @property
    def name(self) -> str:
        """As commands take it."""
        return f"{self.server}.{self.tool}"

    @property
    def present(self) -> Form | None:
        """What it says of itself."""
        return None if self.spec is None else form_of(self.spec)

    @property
    def accepted(self) -> Form | None:
        """What it said of itself when it was pinned."""
        return None if self.pin is None else self.pin.accepted

    @property
    def standing(self) -> Standing:
        """How the two are to each other."""
        if self.present is None:
            return "gone"
        if self.accepted is None:
            return "unpinned"
        return "pinned" if self.present.digest == self.accepted.digest else "changed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """What was found of all servers, or of those that were asked for."""

    settings: Settings
    rules: ToolRules
    """What holds for each tool by the configuration."""
    source: Source
    tools: Sequence[Surveyed]
    specs: Sequence[ToolSpec]
    """All that the servers offer, in their order."""
    failures: Mapping[str, ProctorError]
    """Why servers don't tell their tools."""

    @property
    def nothing(self) -> str:
        """Why there is no tool at all."""
        if not self.settings.tools:
            return "No tool server is configured."
        return "There are no tools." if self.source == "servers" else "No worker has seen a tool yet."

    def waiting(self) -> list[Surveyed]:
        """The tools that are offered otherwise than they were pinned, or weren't pinned at all."""
        return [tool for tool in self.tools if tool.standing in ("changed", "unpinned")]

    def gone(self) -> list[Surveyed]:
        """The tools that were pinned and aren't offered any more. They wait for nobody."""
        return [tool for tool in self.tools if tool.standing == "gone"]


async def survey(config: Path | None, name: str = "", *, source: Source) -> Survey:
    """What servers offer, all of them or `SERVER` or `SERVER.TOOL`, and what is pinned of it.

    From `servers` each is started and asked; from `workers` is known what those saw last, and nothing starts.

    Raises:
        NotFound: no server and no tool has that name.
    """
    loaded = load_settings(config)
    settings = loaded.settings
    servers, tool = _chosen(name, settings.tools)
    async with reading(loaded) as proctor:
        pins = await proctor.database.read(lambda connection: stored_pins(connection, list(servers)))
    failures: dict[str, ProctorError] = {}
    specs: list[ToolSpec] = []
    if source == "workers":
        specs = [spec_of(pin.server, form) for pin in pins.values() if (form := pin.seen or pin.accepted)]
    else:
        answers = await asyncio.gather(*(_ask(*each, settings.trust) for each in servers.items()))
        for server, answer in zip(servers, answers, strict=True):
            if isinstance(answer, ProctorError):
                failures[server] = answer
            else:
                specs += answer
    offered = {(spec.server, spec.name): spec for spec in specs}
    found = [
        Surveyed(server=key[0], tool=key[1], spec=offered.get(key), pin=pins.get(key))
        for key in (*offered, *(key for key in pins if key not in offered and key[0] not in failures))
    ]
    if tool:
        found = _only(tool, found, failures)
    return Survey(
        settings=settings,
        rules=ToolRules(settings.tools, settings.functions, settings.data),
        source=source,
        tools=found,
        specs=specs,
        failures=failures,
    )


def _chosen(
    name: str, servers: Mapping[str, ToolServerSettings]
) -> tuple[Mapping[str, ToolServerSettings], str]:
    server, _, tool = name.partition(".")
    if not server:
        return servers, ""
    if server not in servers:
        raise NotFound(f"there is no tool server {server!r}", hint=did_you_mean(server, servers))
    return {server: servers[server]}, tool


def _only(tool: str, found: list[Surveyed], failures: Mapping[str, ProctorError]) -> list[Surveyed]:
    mine = [each for each in found if each.tool == tool]
    if not mine and not failures:
        raise NotFound(f"there is no tool {tool!r}", hint=did_you_mean(tool, [each.tool for each in found]))
    return mine


async def _ask(
    name: str, settings: ToolServerSettings, trust: TrustSettings
) -> Sequence[ToolSpec] | ProctorError:
    server = ToolServer(name, settings, SystemClock())
    try:
        check_packages({name: settings}, trust)
        return await server.list_tools()
    except ProctorError as error:
        return error
    finally:
        await server.close()
