"""What requests under `/v1` have in common: texts, metadata, hints that a team has no use for."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeAlias

from fastapi import Header
from pydantic import BaseModel, ConfigDict, Field

from proctor.access import Principal
from proctor.api._texts import Storable
from proctor.api.protocols._errors import UnknownTeam
from proctor.api.protocols._work import Part, questions
from proctor.app import Proctor
from proctor.core import NotFound

MANY = 2_000
"""Messages in a request."""

Text: TypeAlias = Storable
"""As long as a request may be."""
Name: TypeAlias = Annotated[Storable, Field(max_length=200)]
Metadata: TypeAlias = Annotated[
    dict[Annotated[Storable, Field(max_length=64)], Annotated[Storable, Field(max_length=512)]],
    Field(max_length=16),
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
    reasoning: dict[Name, Hint] | None = None
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


class TextFormat(BaseModel):
    """Plain text is what teams answer with."""

    model_config = ConfigDict(extra="forbid")
    type: Literal["text"]


class TextPart(BaseModel):
    """A part of a message: teams read text."""

    model_config = ConfigDict(extra="ignore")
    type: Literal["text", "input_text", "output_text"]
    text: Text


Content: TypeAlias = Text | Annotated[list[TextPart], Field(max_length=MANY)]


def text_of(content: str | list[TextPart] | None) -> str:
    """A message's text."""
    if isinstance(content, list):
        return "\n".join(part.text for part in content)
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


def is_yes(metadata: Mapping[str, str], name: str) -> bool:
    """Whether a caller has asked for something in the metadata."""
    return metadata.get(name, "") in ("true", "1", "yes")
