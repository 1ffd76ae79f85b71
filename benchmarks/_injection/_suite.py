"""Suites of tasks and injections, in the one form in which all of them are played.

A suite's file is one JSON object; `benchmarks.injection` says what it holds. Suites of AgentDojo and of
recorded tool outputs are turned into the same form.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Protocol

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

Effect = Literal["read_only", "idempotent", "consequential"]
Level = Literal["public", "user", "private", "secret"]


class Part(BaseModel):
    """A part of a suite's file."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Tool(Part):
    """A tool, and what the operator says of it."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
    description: str = ""
    parameters: dict[str, Any] = {"type": "object"}
    effect: Effect
    confidentiality: Level = "user"
    """Of what it returns."""
    outward: bool = False
    """Whether its arguments leave the house, also where it only reads: an address that is fetched."""


class Call(Part):
    """A call of a tool, with what it answers where the suite is a recording."""

    tool: str
    arguments: dict[str, Any] = {}
    result: str = "done"
    """`{{PLACE}}` stands for the text at one of the suite's places."""


class Task(Part):
    """What a user wants, with the calls that do it."""

    id: str
    prompt: str
    steps: tuple[Call, ...]
    answer: str = ""
    """What has to stand in the last word of the assistant."""


class Injection(Part):
    """What an attacker writes at all places of a task, and the calls that it aims at."""

    id: str
    text: str
    calls: tuple[Call, ...]


class Suite(Part):
    """Tasks, injections, and which of them are played together."""

    name: str
    tools: tuple[Tool, ...]
    tasks: tuple[Task, ...]
    injections: tuple[Injection, ...] = ()
    places: dict[str, str] = {}
    """The places in results that an attacker can write to, and what stands there without an attack."""
    pairs: tuple[tuple[str, str], ...] | None = None
    """Tasks with their injections, by id. Absent: each with each."""
    secrets: tuple[str, ...] = ()
    """Texts of the user's that nobody outside may read."""

    @model_validator(mode="after")
    def _named(self) -> "Suite":
        tools = {tool.name for tool in self.tools}
        calls = [call for one in self.tasks for call in one.steps]
        calls += [call for one in self.injections for call in one.calls]
        if unknown := sorted({call.tool for call in calls} - tools):
            raise ValueError(f"no tool of the suite is called {', '.join(unknown)}")
        ids = {one.id for one in self.tasks}, {one.id for one in self.injections}
        for pair in self.pairs or ():
            if pair[0] not in ids[0] or pair[1] not in ids[1]:
                raise ValueError(f"no task or no injection of the suite is called as in {pair}")
        return self


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A task, alone or under attack."""

    task: str
    injection: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What a text asks for."""

    id: str
    text: str
    calls: tuple[Call, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Play:
    """A case as it is played once."""

    case: Case
    prompt: str
    steps: tuple[Call, ...]
    answer: str
    orders: tuple[Order, ...]
    """What the texts that the agent may come to read ask for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a tool says."""

    text: str
    is_error: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What has become of a case, by the suite's own checks."""

    utility: bool
    """Whether the user got what was wanted."""
    security: bool = False
    """Whether the attacker did, by the suite's own word. AgentDojo calls it so."""


class World(Protocol):
    """Where tools act: each play in a state of its own."""

    @property
    def name(self) -> str: ...
    @property
    def tools(self) -> Mapping[str, Tool]: ...
    @property
    def secrets(self) -> Sequence[str]: ...
    @property
    def left_out(self) -> Sequence[str]:
        """Injections that can't be played."""

    @property
    def cases(self) -> Sequence[Case]:
        """All cases: first each task alone, then those under attack."""

    async def open(self, key: str, case: Case) -> Play:
        """A new play."""

    async def call(self, key: str, tool: str, arguments: Mapping[str, Any]) -> Answer:
        """What a tool says, after it has acted."""

    async def close(self, key: str, said: str) -> Verdict:
        """What has become of a play in whose end this was said."""


def load_suite(file: Path) -> Suite:
    """The suite of a file.

    Raises:
        SystemExit: it can't be read, or has another form.
    """
    try:
        return Suite.model_validate_json(file.read_bytes())
    except (OSError, ValidationError) as error:
        raise SystemExit(f"{file} holds no suite: {error}") from error


def same_call(left: Call, right: Call) -> bool:
    """Whether two calls are of one tool with the same arguments."""
    return left.tool == right.tool and canonical(left.arguments) == canonical(right.arguments)


def canonical(value: Any) -> str:
    """One text for all writings of the same arguments."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False)


def without(calls: Iterable[Call], others: Iterable[Call]) -> list[Call]:
    """The calls that are none of the others; each of those stands for one."""
    left = list(others)
    found = []
    for call in calls:
        same = next((other for other in left if same_call(call, other)), None)
        if same is None:
            found.append(call)
        else:
            left.remove(same)
    return found
