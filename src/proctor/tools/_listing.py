"""What a server offers, as the policy and the models know it: allowed tools with their effects."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from proctor.core import ConfigurationError, Effect, ToolServerSettings, ToolSpec
from proctor.tools._text import did_you_mean

if TYPE_CHECKING:
    from mcp_types import Tool

EFFECT_KEY = "proctor/effect"
"""In a tool's `_meta`: what the tool does, in the words of `Effect`."""


class Listing:
    """Turns the tools of one server into specifications."""

    def __init__(self, server: str, settings: ToolServerSettings) -> None:
        self._server = server
        self._allow = None if settings.allow is None else frozenset(settings.allow)
        self._effects = settings.effects

    def allows(self, tool: str) -> bool:
        """Whether the configuration lets this tool be called."""
        return self._allow is None or tool in self._allow

    def check(self, tools: Sequence["Tool"]) -> None:
        """Holds the configuration against what the server offers.

        Raises:
            ConfigurationError: `allow` or `effects` names a tool that the server doesn't have.
        """
        offered = {tool.name for tool in tools}
        for setting, names in (("allow", self._allow or ()), ("effects", self._effects)):
            for name in sorted(set(names) - offered):
                raise ConfigurationError(
                    f"[tools.{self._server}] {setting} names {name!r}, a tool that the server doesn't offer",
                    hint=did_you_mean(name, offered),
                )

    def specs(self, tools: Sequence["Tool"]) -> tuple[ToolSpec, ...]:
        """The allowed tools, in the server's order."""
        return tuple(
            ToolSpec(
                server=self._server,
                name=tool.name,
                description=tool.description or tool.title or "",
                parameters=tool.input_schema,
                effect=self._effect(tool),
            )
            for tool in tools
            if self.allows(tool.name)
        )

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
