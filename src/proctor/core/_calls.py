"""Model calls and tool calls as values, in the shape of OpenAI's chat completions.

This is the common tongue of the rooms: agents make calls, the chain passes them on, the journal records them,
providers and tool servers answer them. Nothing here knows AutoGen, a provider or a database.
"""

from asyncio import CancelledError
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, Never, Protocol, TypeAlias

from proctor.core._events import EventType
from proctor.core._json import JsonObject, JsonValue
from proctor.core._labels import TRUSTED, Label
from proctor.core._money import Micros
from proctor.core._questions import Decision, Question, QuestionKind

CallKind = Literal["model", "tool", "human", "agent"]
"""`agent`: a turn that failed, and without which its run goes on."""
Effect = Literal["read_only", "idempotent", "consequential"]
"""What a tool does to the world. `idempotent` may be repeated under its key. Unknown: `consequential`."""

Pace = Literal["prompt", "patient"]
"""`patient`: nobody waits for the run, and its calls may take the cheap way, for hours."""

FinishReason = Literal["stop", "tool_calls", "length", "content_filter"]


UNKNOWN_AGENT = "team"
"""Stands for the agent where nobody can tell which one calls: in a task that a team's own code started."""


SANDBOX = "sandbox"
"""Stands for the server where an agent's own executor runs code; the tool is named as the team's sandbox."""


class Payer(Protocol):
    """For whom money is spent: a call's scope, or what is known of one."""

    @property
    def run_id(self) -> str: ...
    @property
    def team(self) -> str: ...
    @property
    def tenant(self) -> str: ...
    @property
    def agent(self) -> str:
        """The calling agent, with its place where teams are nested: `desk/analyst`."""

    @property
    def requester(self) -> str:
        """Who asked for the run, where that is known."""

    @property
    def thread(self) -> str:
        """The conversation that the run belongs to; empty where there is none."""


class Suspended(CancelledError):
    """The run is torn down while the call waits; the attempt that follows asks for it again."""


class CallScope(Payer, Protocol):
    """What a middleware can ask of the run in which a call is made."""

    @property
    def key(self) -> str:
        """The call's own key, the same at every attempt: it serves as idempotency key."""

    @property
    def pace(self) -> "Pace":
        """Whether somebody waits for the run."""

    @property
    def release(self) -> str:
        """The version of the application under which the run was started; empty where it has none."""

    @property
    def spent(self) -> Micros:
        """What the run has cost so far, in all of its attempts."""

    @property
    def number(self) -> int:
        """Of a tool call: which one of its run it is, from 1."""

    @property
    def rank(self) -> int:
        """Of a tool call: which one of those it is that one answer of a model asked for, from 1."""

    @property
    def label(self) -> Label:
        """Of all that the call rests on: what its agent had read when it was made."""

    def label_of(self, text: str) -> Label:
        """Of one text that the run has seen; of one that it hasn't the worst of all that it has."""

    def origins_of(self, value: str) -> tuple[str, ...]:
        """The untrusted sources that a value may come from; none where whoever may give orders wrote it.

        A value that stands in no text at all may come from any untrusted text that the call rests on.
        """

    def excerpt_of(self, source: str, value: str = "") -> str:
        """What an untrusted source said last, around a value that it holds; empty where it isn't known."""

    def seconds_left(self) -> float:
        """Seconds until this attempt at the run must have ended."""

    def book(self, cost: Micros, write: Callable[[Any], None]) -> None:
        """Adds to what the run costs, with the statement that enters it: both in one transaction.

        Where the call comes to an outcome before anything is committed, that is in the same one.
        """

    async def suspend(self, *, until: datetime) -> Never:
        """Tears the run down until then, or until somebody wakes it (`Runs.wake`): this never returns.

        The attempt that follows asks for the call again.
        """

    def event(self, type: EventType, data: JsonObject) -> None:
        """Adds to the run's log, in the transaction that records the call."""

    async def begin(self) -> None:
        """Returns when the start of the call is durable and this attempt is still the run's own.

        Raises:
            StaleAttempt: another attempt has taken the run over; nothing may be done any more.
        """

    def is_decided(self, kind: QuestionKind, action: JsonObject | None = None) -> bool:
        """Whether a person has decided a question of this kind about this call.

        `action` says which one, for `elicit`: a tool may ask for several things while it runs.
        """

    async def decision(self, question: Question) -> Decision:
        """A person's decision on this call. Where there is none yet the run waits: this never returns."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Tokens of one model call.

    `input` holds `cached_input` and `cache_write`; `output` holds `reasoning`.
    """

    input: int = 0
    output: int = 0
    cached_input: int = 0
    """Read from the provider's prompt cache."""
    reasoning: int = 0
    cache_write: int = 0
    """Written into the provider's prompt cache."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelCall:
    """A request to a model."""

    scope: CallScope = field(compare=False, repr=False)
    model: str
    """The deployment asked for, as named in the configuration: `small`, `large`, …"""
    messages: tuple[JsonObject, ...]
    """Chat messages on the wire: `{"role": …, "content": …}`."""
    tools: tuple[JsonObject, ...] = ()
    """Function tools on the wire: `{"type": "function", "function": {…}}`."""
    tool_choice: JsonValue = None
    response_format: JsonObject | None = None
    options: JsonObject = field(default_factory=dict)
    """Further arguments of the request, such as `temperature`."""
    on_text: Callable[[str], None] | None = field(default=None, compare=False, repr=False)
    """Receives the text piece by piece where the caller wants a stream."""
    on_usage: Callable[[Usage], None] | None = field(default=None, compare=False, repr=False)
    """Receives what has been used so far while an answer comes in: what is paid if it is broken off."""
    attempt_tag: str = field(default="", compare=False)
    """Tells requests apart that are sent for one call on purpose: a part of their idempotency key."""

    def request(self) -> dict[str, JsonValue]:
        """What identifies and replays the call: all of it but who listens."""
        return {
            "model": self.model,
            "messages": self.messages,
            "tools": self.tools,
            "tool_choice": self.tool_choice,
            "response_format": self.response_format,
            "options": self.options,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelResult:
    """A model's answer."""

    message: JsonObject
    """The assistant's message on the wire, with `content` and perhaps `tool_calls`."""
    finish_reason: FinishReason
    usage: Usage
    deployment: str
    """The deployment that answered."""
    model: str
    """The model's name as the provider gives it."""
    cost: Micros = 0
    """Of the request that was answered. What others sent for it have cost is logged as `call.wasted`."""
    attempts: int = 1
    """Requests that were sent, retries included."""
    cached: bool = False
    """Whether the answer is that of an earlier request, and cost nothing."""
    saved: Micros = 0
    """What a cached answer would have cost."""
    way: Literal["prompt", "batch"] = "prompt"
    """Whether it came at once, or at a lower price by the provider's batch interface."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolSpec:
    """A tool as a model is shown it and as the policy knows it."""

    server: str
    """The tool server's name in the configuration, or `python` for the application's own functions."""
    name: str
    description: str
    parameters: JsonObject
    """JSON Schema of the arguments, with its `$defs`."""
    effect: Effect = "consequential"
    returns: JsonObject | None = None
    """JSON Schema of the structured part of its answers, where the tool gives one."""
    hints: JsonObject = field(default_factory=dict)
    """What the server says of the tool beside that: MCP's annotations, by their wire names."""

    def wire(self) -> dict[str, JsonValue]:
        """The tool as chat completions take it."""
        function: dict[str, JsonValue] = {
            "name": self.name,
            "description": self.description,
            "parameters": self.parameters,
        }
        return {"type": "function", "function": function}


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCall:
    """A request to a tool."""

    scope: CallScope = field(compare=False, repr=False)
    tool: ToolSpec
    arguments: JsonObject
    call_id: str = field(default="", compare=False)
    """The id that the model gave to the call."""
    caution: tuple[str, ...] = field(default=(), compare=False)
    """Why a person has to be asked, whatever the rules of approval say; sentences for that person."""
    act: "ToolHandler | None" = field(default=None, compare=False, repr=False)
    """Carries the call out where it is for no server and no function: for a sandbox that an agent holds."""

    def request(self) -> dict[str, JsonValue]:
        """What identifies and replays the call."""
        return {"server": self.tool.server, "tool": self.tool.name, "arguments": self.arguments}


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolResult:
    """A tool's answer, or the refusal that the model sees in its place."""

    text: str
    is_error: bool = False
    refused_by: str = ""
    """The rule or person that refused the call; empty where the tool itself answered."""
    structured: JsonObject | None = None
    cost: Micros = 0
    edited: JsonObject | None = None
    """The arguments that a person put in place of the model's."""
    label: Label = TRUSTED
    """Of the text and the structured part."""


ModelHandler: TypeAlias = Callable[[ModelCall], Awaitable[ModelResult]]
ToolHandler: TypeAlias = Callable[[ToolCall], Awaitable[ToolResult]]
ModelMiddleware: TypeAlias = Callable[[ModelCall, ModelHandler], Awaitable[ModelResult]]
ToolMiddleware: TypeAlias = Callable[[ToolCall, ToolHandler], Awaitable[ToolResult]]
