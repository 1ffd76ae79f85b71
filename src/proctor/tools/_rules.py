"""What holds for each tool, once it is clear: what its own section, its server's and the defaults say."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Literal

from proctor.core import (
    GUARDED,
    LEVELS,
    SANDBOX,
    Confidentiality,
    ConfigurationError,
    DataSettings,
    Integrity,
    Label,
    ToolRule,
    ToolServerSettings,
)
from proctor.tools._functions import PYTHON
from proctor.tools._text import did_you_mean

OURS = (PYTHON, SANDBOX)
"""Where an application's own functions come from, and what executes code."""

LONGEST = 1_000_000
"""Characters of any tool's answer, whatever its settings say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What holds for one tool."""

    label: Label
    """Of what it returns, before its arguments are considered."""
    level: Confidentiality = "user"
    """Of what it returns beside its kinds of data."""
    clearance: Confidentiality = "private"
    """How confidential what it is given may be."""
    classes: frozenset[str] = frozenset()
    """Kinds of data that it returns as a whole."""
    fields: Mapping[str, str]
    """Kinds of data of parts of its answer, by their path or column."""
    recipients: frozenset[str] | None = None
    """Arguments that say to whom or where something goes; nothing: those whose names say so."""
    roots: tuple[Path, ...] | None = None
    hosts: tuple[str, ...] | None = None
    commands: Literal["refuse", "allow"] = "refuse"
    rate_per_minute: int | None = None
    max_output: int = LONGEST
    """Characters of an answer."""
    timeout: timedelta | None = None


class ToolRules:
    """The rules of all tools, each found by its name at once, however many there are."""

    def __init__(
        self,
        servers: Mapping[str, ToolServerSettings],
        functions: Mapping[str, ToolRule],
        data: DataSettings,
    ) -> None:
        """Raises `ConfigurationError` where a kind of data isn't known, or a server's name is taken."""
        self._servers = servers
        self._functions = functions
        self._levels: dict[str, Confidentiality] = {**GUARDED, **data.classes}
        self._known: dict[tuple[str, str], Rule] = {}
        for kind in data.clearance:
            self.check_class("data.clearance", kind)
        for name, server in servers.items():
            if name in OURS:
                raise ConfigurationError(
                    f"tools.{name}: Proctor itself names tools so", hint="Give the server another name."
                )
            for kind in server.classes:
                self.check_class(f"tools.{name}.classes", kind)
            for tool, rule in server.tool.items():
                self._check_rule(f"tools.{name}.tool.{tool}", rule)
        for name, rule in functions.items():
            self._check_rule(f"functions.{name}", rule)

    def of(self, server: str, tool: str) -> Rule:
        """The rule of a tool."""
        key = (server, tool)
        rule = self._known.get(key)
        if rule is None:
            rule = self._known[key] = self._make(server, tool)
        return rule

    def rate_of(self, server: str) -> int | None:
        """How often in a minute tools of a server may be called, all together."""
        settings = self._servers.get(server)
        return None if settings is None else settings.rate_per_minute

    def cwd_of(self, server: str) -> Path | None:
        """The folder from which a server's relative paths go on; nothing where that isn't known."""
        if server == PYTHON:
            return Path.cwd()
        settings = self._servers.get(server)
        return settings.cwd.absolute() if settings is not None and settings.cwd is not None else None

    def level_of(self, kind: str) -> Confidentiality:
        """How far data of a kind may go."""
        return self._levels[kind]

    def check_class(self, where: str, kind: str) -> None:
        """Returns where a kind of data is known.

        Raises:
            ConfigurationError: it isn't.
        """
        if kind not in self._levels:
            raise ConfigurationError(
                f"{where} names {kind!r}, a kind of data that isn't known",
                hint=f"{did_you_mean(kind, self._levels)} Your own stand in data.classes.",
            )

    def _check_rule(self, where: str, rule: ToolRule) -> None:
        for kind in (*rule.classes, *rule.fields.values()):
            self.check_class(where, kind)

    def _make(self, server: str, tool: str) -> Rule:
        if server == PYTHON:
            return self._join(server, tool, self._functions.get(tool, ToolRule()), None)
        settings = self._servers.get(server)
        own = ToolRule() if settings is None else settings.tool.get(tool, ToolRule())
        return self._join(server, tool, own, settings)

    def _join(self, server: str, tool: str, own: ToolRule, above: ToolServerSettings | None) -> Rule:
        classes = frozenset((*own.classes, *(above.classes if above else ())))
        integrity: Integrity = own.integrity or (above.integrity if above else "untrusted")
        level = own.confidentiality or (above.confidentiality if above else "user")
        # Of parts too: it isn't known yet for whom they will be masked.
        levels = [level, *(self._levels[kind] for kind in (*classes, *own.fields.values()))]
        return Rule(
            label=Label(
                integrity=integrity,
                confidentiality=max(levels, key=LEVELS.index),
                sources=(f"{server}.{tool}",),
            ),
            level=level,
            clearance=own.clearance or (above.clearance if above else "private"),
            classes=classes,
            fields=own.fields,
            recipients=None if own.recipients is None else frozenset(own.recipients),
            roots=own.roots if own.roots is not None else (above.roots if above else None),
            hosts=own.hosts if own.hosts is not None else (above.hosts if above else None),
            commands=own.commands or (above.commands if above else "refuse"),
            rate_per_minute=own.rate_per_minute,
            max_output=min(LONGEST, own.max_output or LONGEST, above.max_output if above else LONGEST),
            timeout=own.timeout,
        )
