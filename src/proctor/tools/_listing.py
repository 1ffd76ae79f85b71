"""What a server offers, as the policy and the models know it: allowed tools with their effects."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from proctor.core import ConfigurationError, Effect, JsonObject, ToolServerSettings, ToolSpec
from proctor.tools._reading import Reading, reading_names, reading_specs
from proctor.tools._text import did_you_mean

if TYPE_CHECKING:
    from mcp_types import ServerCapabilities, Tool

EFFECT_KEY = "proctor/effect"
"""In a tool's `_meta`: what the tool does, in the words of `Effect`."""


class Listing:
    """Turns the tools of one server into specifications."""

    def __init__(self, server: str, settings: ToolServerSettings) -> None:
        self._server = server
        self._allow = None if settings.allow is None else frozenset(settings.allow)
        self._effects = settings.effects | {
            tool: rule.effect for tool, rule in settings.tool.items() if rule.effect is not None
        }
        self._rules = settings.tool
        self._reading = reading_names(server) if settings.resources else {}

    def allows(self, tool: str) -> bool:
        """Whether the configuration lets this tool be called."""
        return self._allow is None or tool in self._allow or tool in self._reading

    def reading(self, tool: str) -> Reading | None:
        """What a tool gives of the server's resources and prompts; nothing for the server's own."""
        return self._reading.get(tool)

    def check(self, tools: Sequence["Tool"]) -> None:
        """Holds the configuration against what the server offers.

        Raises:
            ConfigurationError: a setting names a tool that the server doesn't have.
        """
        offered = {tool.name for tool in tools} | set(self._reading)
        named = {"allow": self._allow or (), "effects": self._effects, "tool": self._rules}
        for setting, names in named.items():
            for name in sorted(set(names) - offered):
                raise ConfigurationError(
                    f"[tools.{self._server}] {setting} names {name!r}, a tool that the server doesn't offer",
                    hint=did_you_mean(name, offered),
                )

    def specs(self, tools: Sequence["Tool"], capabilities: "ServerCapabilities") -> tuple[ToolSpec, ...]:
        """The allowed tools, in the server's order; behind them those that read its resources and prompts."""
        own = tuple(
            ToolSpec(
                server=self._server,
                name=tool.name,
                description=tool.description or tool.title or "",
                parameters=tool.input_schema,
                effect=self._effect(tool),
                returns=tool.output_schema,
                hints=_hints(tool),
            )
            for tool in tools
            if self.allows(tool.name) and tool.name not in self._reading
        )
        return own + reading_specs(self._server, capabilities) if self._reading else own

    def _effect(self, tool: "Tool") -> Effect:
        if (configured := self._effects.get(tool.name)) is not None:
            return configured
        match (tool.meta or {}).get(EFFECT_KEY):
            case "read_only":
                return "read_only"
            case "idempotent":
                return "idempotent"
            case "consequential":
                return "consequential"
            case _:
                pass
        # `idempotentHint` promises that the same *arguments* may be sent again. What a repetition needs is
        # that the same *key* is recognised, and only a server that speaks of our keys can promise that: two
        # refunds of five dollars have equal arguments and are still two refunds.
        read_only = tool.annotations is not None and tool.annotations.read_only_hint is True
        return "read_only" if read_only else "consequential"


def _hints(tool: "Tool") -> JsonObject:
    if tool.annotations is None:
        return {}
    hints: JsonObject = tool.annotations.model_dump(by_alias=True, exclude_none=True, mode="json")
    return hints
