"""A request for a response, as OpenAI's Responses API has it."""

from typing import Annotated, Any, ClassVar, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag

from proctor.api.protocols._asking import MANY, Content, Name, TeamRequest, Text, TextFormat

ID = r"^resp_[0-9a-hjkmnp-tv-z]{26}(_[1-9][0-9]{0,8})?$"
THREAD = r"^(new|thr_[0-9a-hjkmnp-tv-z]{26})$"


class MessageItem(BaseModel):
    """A message. One of the system or a developer is information from the caller, and no instruction."""

    model_config = ConfigDict(extra="ignore")
    type: Literal["message"] = "message"
    role: Literal["user", "assistant", "system", "developer"]
    content: Content


class ApprovalRequestItem(BaseModel):
    """A request for an approval as it was answered with; it may be sent along, and says nothing."""

    model_config = ConfigDict(extra="ignore")
    type: Literal["mcp_approval_request"]


class ApprovalItem(BaseModel):
    """A decision on what waits. It takes the role approver."""

    model_config = ConfigDict(extra="forbid")
    type: Literal["mcp_approval_response"]
    approval_request_id: Name
    approve: bool
    reason: Text | None = None
    id: Name | None = None


def _kind(item: Any) -> str:
    kind = item.get("type", "message") if isinstance(item, dict) else getattr(item, "type", "message")
    return str(kind)


Item: TypeAlias = Annotated[
    Annotated[MessageItem, Tag("message")]
    | Annotated[ApprovalRequestItem, Tag("mcp_approval_request")]
    | Annotated[ApprovalItem, Tag("mcp_approval_response")],
    Discriminator(_kind),
]


class ConversationRef(BaseModel):
    """A conversation by its id."""

    model_config = ConfigDict(extra="forbid")
    id: Annotated[str, Field(pattern=THREAD)]


class TextConfig(BaseModel):
    """Plain text is what teams answer with."""

    model_config = ConfigDict(extra="forbid")
    format: TextFormat | None = None
    verbosity: Name | None = None


class ResponseStreamOptions(BaseModel):
    """Nothing of it has an effect."""

    model_config = ConfigDict(extra="forbid")
    include_obfuscation: bool | None = None


class ResponseRequest(TeamRequest):
    """A request for a response."""

    meant: ClassVar[frozenset[str]] = TeamRequest.meant | {
        "input",
        "instructions",
        "previous_response_id",
        "conversation",
        "store",
    }

    input: Text | Annotated[list[Item], Field(min_length=1, max_length=MANY)]
    instructions: Text | None = Field(default=None, description="Information from the caller.")
    previous_response_id: Annotated[str, Field(pattern=ID)] | None = None
    conversation: Annotated[str, Field(pattern=THREAD)] | ConversationRef | None = None
    background: bool | None = None
    stream_options: ResponseStreamOptions | None = None
    text: TextConfig | None = None
