"""The sections of `proctor.toml`, typed and strict. Reading them is the work of `proctor.app`."""

from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, PositiveInt, SecretStr, model_validator

from proctor.core._calls import Effect

Name = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,62}$")]

_OPENAI_URL = "https://api.openai.com/v1"


class Section(BaseModel):
    """A section in which an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class PriceSettings(Section):
    """A deployment's own price, in dollars for a million tokens."""

    input: Decimal
    output: Decimal
    cached_input: Decimal | None = None
    """Absent: as `input`."""


class DeploymentSettings(Section):
    """One model behind one endpoint: `[models.NAME]`."""

    provider: Literal["openai", "local"] = "openai"
    """`openai` is any endpoint that speaks chat completions; `local` runs the weights on this machine."""
    model: str
    base_url: str | None = None
    """Absent: the provider's own."""
    api_key: SecretStr | None = None
    api_key_env: str | None = None
    """The environment variable that holds the key."""
    timeout: timedelta = timedelta(seconds=120)
    """For one request, from sending it to its last byte."""
    retries: Annotated[int, Field(ge=0, le=10)] = 3
    """Further requests after a failed one that may be sent again."""
    tools: Literal["native", "schema"] = "native"
    """`schema`: tools are offered as one JSON schema, for models whose own tool calling doesn't work."""
    options: dict[str, JsonValue] = {}
    """What goes into each request beside what the agent asks for: `{ temperature = 0, max_tokens = 400 }`."""
    vision: bool = False
    price: Literal["free"] | PriceSettings | None = None
    """Absent: the published price; where none is known the call is refused."""
    context_window: PositiveInt = 32_768
    """Tokens of prompt and answer together."""

    @property
    def address(self) -> str:
        """The endpoint that requests go to, unless the weights run on this machine."""
        return self.base_url or _OPENAI_URL

    @property
    def is_free(self) -> bool:
        """Whether calls cost nothing, whatever they use. Weights on this machine do, unless priced."""
        return self.price == "free" or (self.provider == "local" and self.price is None)


class ToolServerSettings(Section):
    """One MCP server: `[tools.NAME]`."""

    command: tuple[str, ...] = ()
    """Program and arguments of a stdio server."""
    url: str | None = None
    """Address of a streamable HTTP server."""
    env: dict[str, str] = {}
    """The server's environment beside `PATH` and `HOME`."""
    cwd: Path | None = None
    headers: dict[str, SecretStr] = {}
    allow: tuple[str, ...] | None = None
    """The tools that may be called. Absent: those that the server offers."""
    effects: dict[str, Effect] = {}
    """What a tool does, where the server doesn't say or isn't to be believed."""
    start_timeout: timedelta = timedelta(seconds=60)
    call_timeout: timedelta = timedelta(seconds=60)
    max_output: PositiveInt = 200_000
    """Characters of a result that reach the model; the rest is cut, and said so."""
    cost_per_call: Decimal = Decimal(0)
    """Dollars."""

    @model_validator(mode="after")
    def _one_transport(self) -> "ToolServerSettings":
        if bool(self.command) == bool(self.url):
            raise ValueError("give either `command` (stdio) or `url` (streamable HTTP)")
        return self


class TeamSettings(Section):
    """Limits of one team: `[teams.NAME]`."""

    deadline: timedelta = timedelta(minutes=10)
    """For one segment of a run: from its start or resumption to its end or its next wait."""
    max_tool_iterations: PositiveInt = 10
    max_calls: PositiveInt = 200
    """Model and tool calls of one run."""
    approval: Literal["consequential", "never"] = "consequential"
    """Which tool calls wait for a person."""


class BudgetSettings(Section):
    """`[budget]`."""

    daily_usd: Decimal = Decimal(100)
    """What all runs together may spend in one UTC day; calls beyond it are refused."""


class InputPolicySettings(Section):
    """`[policies.input]`: what a text that enters may hold. Outcomes by class of finding."""

    payment_card: Literal["allow", "redact", "deny"] = "redact"
    secret: Literal["allow", "redact", "deny"] = "deny"
    password: Literal["allow", "redact", "deny"] = "redact"
    national_id: Literal["allow", "redact", "deny"] = "redact"
    max_characters: PositiveInt = 200_000


class PolicySettings(Section):
    """`[policies]`."""

    input: InputPolicySettings = InputPolicySettings()


class StoreSettings(Section):
    """`[database]`."""

    url: str = "sqlite:///proctor.db"
    """`sqlite:///FILE` or `postgresql+psycopg://…`."""
    linger: timedelta = timedelta(milliseconds=100)
    """How long a record may wait for company before it is committed, where nothing waits for it."""


class KnowledgeSettings(Section):
    """`[knowledge]`."""

    embeddings: Literal["builtin", "none"] = "builtin"
    """`none`: full text alone."""


class ServerSettings(Section):
    """`[server]`."""

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8700


class LocalModelSettings(Section):
    """`[local]`: where weights are kept and how they run."""

    folder: Path = Path("~/.cache/proctor/models")
    threads: PositiveInt | None = None
    """Absent: as many as there are cores."""
    context: PositiveInt = 8192
