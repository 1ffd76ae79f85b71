"""What requests under `/v1` have in common: texts, metadata, hints that a team has no use for."""

from typing import Annotated, Any, ClassVar, Literal, TypeAlias

from fastapi import Header
from pydantic import BaseModel, ConfigDict, Field, JsonValue

from proctor.access import Principal
from proctor.api._texts import Storable
from proctor.api.protocols._errors import UnknownTeam
from proctor.api.protocols._questions import questions
from proctor.api.protocols._work import Part
from proctor.app import Proctor
from proctor.core import NotFound

MANY = 2_000
"""Messages in a request."""

Text: TypeAlias = Storable
"""As long as a request may be."""
ONLY: dict[str, JsonValue] = {"additionalProperties": False}
"""Said of names with a pattern: else a description allows all others beside them."""
Name: TypeAlias = Annotated[Storable, Field(max_length=200)]
Metadata: TypeAlias = Annotated[
    dict[Annotated[Storable, Field(max_length=64)], Annotated[Storable, Field(max_length=512)]],
    Field(max_length=16, json_schema_extra=ONLY),
]
ThreadHeader: TypeAlias = Annotated[
    str,
    Header(pattern="^(|new|thr_[0-9a-hjkmnp-tv-z]{26})$", description="As `metadata.thread`."),
]
Number: TypeAlias = Annotated[float, Field(allow_inf_nan=False)]
Hint: TypeAlias = str | int | bool | None
"""Something that is taken, and not used."""


class Hints(BaseModel):
    """Wishes for a model: a team brings its own models and settings, so they are named as ignored."""

    model_config = ConfigDict(extra="forbid")
    temperature: Number | None = None
    top_p: Number | None = None
    presence_penalty: Number | None = None
    frequency_penalty: Number | None = None
    seed: int | None = None
    parallel_tool_calls: bool | None = None
    service_tier: Name | None = None
    prompt_cache_key: Name | None = None
    prompt_cache_retention: Name | None = None
    reasoning: Annotated[dict[Name, Hint], Field(json_schema_extra=ONLY)] | None = None
    reasoning_effort: Name | None = None
    verbosity: Name | None = None
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    max_output_tokens: int | None = None
    truncation: Name | None = None
    include: list[Name] | None = None

    def ignored(self) -> list[str]:
        """Those that the caller has given."""
        return [name for name in Hints.model_fields if getattr(self, name) is not None]


class TeamRequest(Hints):
    """A request to a team. `metadata` may hold `tenant` and `cancel_on_disconnect`."""

    meant: ClassVar[frozenset[str]] = frozenset({"model", "metadata", "user", "safety_identifier"})
    """What makes another request of it."""

    model: Name = Field(description="The team's name.")
    stream: bool | None = None
    store: bool | None = None
    metadata: Metadata | None = None
    user: Name | None = Field(default=None, description="The person whom the run is about.")
    safety_identifier: Name | None = Field(default=None, description="As `user`; it comes first.")
    tools: Annotated[list[Any], Field(max_length=0)] | None = None
    tool_choice: Literal["none", "auto"] | None = None

    def named(self, name: str) -> str:
        """A word of the metadata; empty where there is none."""
        return (self.metadata or {}).get(name, "")


class TextFormat(BaseModel):
    """Plain text is what teams answer with."""

    model_config = ConfigDict(extra="forbid")
    type: Literal["text"]


class TextPart(BaseModel):
    """A part of a message: teams read text."""

    model_config = ConfigDict(extra="ignore")
    type: Literal["text", "input_text", "output_text"]
    text: Text


class RefusalPart(BaseModel):
    """A part of a message that was answered with before, and is sent along."""

    model_config = ConfigDict(extra="ignore")
    type: Literal["refusal"]
    refusal: Text


ContentPart: TypeAlias = Annotated[TextPart | RefusalPart, Field(discriminator="type")]
Content: TypeAlias = Text | Annotated[list[ContentPart], Field(max_length=MANY)]


def text_of(content: str | list[TextPart | RefusalPart] | None) -> str:
    """A message's text."""
    if isinstance(content, list):
        return "\n".join(part.text if isinstance(part, TextPart) else part.refusal for part in content)
    return content or ""


def check_team(proctor: Proctor, name: str) -> None:
    """Returns where there is such a team.

    Raises:
        UnknownTeam: there is none.
    """
    try:
        proctor.app.find(name)
    except NotFound as error:
        raise UnknownTeam(error.message, hint=error.hint) from error


def extras(part: Part, principal: Principal, ignored: list[str]) -> dict[str, Any]:
    """What Proctor has to say beside what the other protocol knows: the field `proctor` of an answer."""
    run = part.run
    return {
        "run_id": run.id,
        "thread_id": run.thread_id,
        "state": part.state,
        "cost_micros": part.spent.cost,
        "ignored": ignored,
        "approvals": [
            {
                "id": asked.id,
                "kind": asked.kind,
                "server": asked.server,
                "name": asked.name,
                "arguments": asked.arguments,
                "text": asked.text,
                "expires_at": asked.expires_at and asked.expires_at.isoformat(),
            }
            for asked in questions(part, principal)
        ],
    }
