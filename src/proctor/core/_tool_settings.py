"""Tool servers, what their tools may do, and kinds of data: `[tools.NAME]`, `[functions.NAME]`, `[data]`."""

from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, PositiveInt, SecretStr, model_validator

from proctor.core._calls import Effect
from proctor.core._labels import Confidentiality, Integrity
from proctor.core._model_settings import Usd
from proctor.core._section import Duration, Name, Section

DataClass = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,62}$")]
"""A kind of data: `payment`, `secret`, `raw_log`, `personal`, or the operator's own."""

GUARDED: dict[str, Confidentiality] = {
    "payment": "secret",
    "secret": "secret",
    "raw_log": "secret",
    "personal": "private",
}
"""The kinds of data that are always known, with how far they may go."""


class ToolRule(Section):
    """What holds for one tool: `[tools.NAME.tool.TOOL]`; for a function `[functions.NAME]`.

    What it doesn't say the server's section says, and else the default.
    """

    effect: Effect | None = None
    """What the tool does, where it doesn't say or isn't to be believed."""
    integrity: Integrity | None = None
    """Of what it returns. Absent: `untrusted`."""
    confidentiality: Confidentiality | None = None
    """Of what it returns, where its classes don't say more. Absent: `user`."""
    clearance: Confidentiality | None = None
    """How confidential what it is given may be. Absent: `private`."""
    classes: tuple[DataClass, ...] = ()
    """Kinds of data that it returns: who has no clearance for one of them isn't answered."""
    fields: dict[str, DataClass] = Field(default={})
    """Kinds of data of parts of its answer, by their path: `card.number`, `orders.*.payment`, or a column's
    name. They are masked for who has no clearance."""
    recipients: tuple[str, ...] | None = None
    """Arguments that say to whom or where something goes. Absent: those whose names say so, such as `to`."""
    roots: tuple[Path, ...] | None = None
    """Folders within which paths in its arguments must lie. Absent: the server's."""
    hosts: tuple[str, ...] | None = None
    """Hosts to which addresses in its arguments may lead: `example.com`, `*.example.com`."""
    commands: Literal["refuse", "allow"] | None = None
    """Whether a tool that looks as if it ran system commands may be called."""
    rate_per_minute: PositiveInt | None = None
    """Calls in a minute, of this worker."""
    max_output: PositiveInt | None = None
    """Characters of a result that reach the model."""
    timeout: Duration | None = None
    """For one call."""


class SamplingSettings(Section):
    """`[tools.NAME.sampling]`: whether the server may ask a model through us. Absent: it may not."""

    model: Name
    """The deployment that answers."""
    max_tokens: PositiveInt = 1_000
    """Of one answer."""


class OAuthSettings(Section):
    """`[tools.NAME.oauth]`: how we sign in at an HTTP server that asks for OAuth."""

    issuer: str
    """The address of the authorization server, as it gives it itself: id and secret are sent nowhere else."""
    client_id_env: str
    """The environment variable that holds our id at the authorization server."""
    client_secret_env: str
    """The environment variable that holds the secret."""
    scope: str = ""


class ToolServerSettings(Section):
    """One MCP server: `[tools.NAME]`."""

    command: tuple[str, ...] = ()
    """Program and arguments of a stdio server."""
    url: str | None = None
    """Address of a streamable HTTP server."""
    env: dict[str, str] = Field(default={})
    """The server's environment beside `PATH` and `HOME`."""
    env_from: tuple[str, ...] = ()
    """Variables of our own environment that the server is given: secrets by reference."""
    cwd: Path | None = None
    headers: dict[str, SecretStr] = Field(default={})
    headers_env: dict[str, str] = Field(default={})
    """Headers whose values are in the named environment variables."""
    oauth: OAuthSettings | None = None
    allow: tuple[str, ...] | None = None
    """The tools that may be called. Absent: those that the server offers."""
    effects: dict[str, Effect] = Field(default={})
    """What a tool does, where the server doesn't say or isn't to be believed."""
    tool: dict[str, ToolRule] = Field(default={})
    """What holds for single tools."""
    resources: bool = False
    """Whether its resources and prompts are offered too, as tools that only read."""
    sampling: SamplingSettings | None = None
    integrity: Integrity = "untrusted"
    """Of what its tools return: `trusted` where nobody else can write what they read."""
    confidentiality: Confidentiality = "user"
    """Of what its tools return, at least."""
    clearance: Confidentiality = "private"
    """How confidential what its tools are given may be."""
    classes: tuple[DataClass, ...] = ()
    """Kinds of data that each of its tools returns."""
    roots: tuple[Path, ...] | None = None
    """Folders within which paths in arguments must lie. Absent: paths aren't looked at."""
    hosts: tuple[str, ...] | None = None
    """Hosts to which addresses in arguments may lead. Absent: addresses aren't looked at."""
    commands: Literal["refuse", "allow"] = "refuse"
    """Whether tools that look as if they ran system commands may be called."""
    rate_per_minute: PositiveInt | None = None
    """Calls in a minute of all its tools, of this worker."""
    start_timeout: Duration = timedelta(seconds=60)
    call_timeout: Duration = timedelta(seconds=60)
    max_output: PositiveInt = 200_000
    """Characters of a result that reach the model; the rest is cut, and said so."""
    cost_per_call: Usd = Decimal(0)
    """Dollars."""
    cost_per_second: Usd = Decimal(0)
    """Dollars for each second that a call takes."""
    cost_per_gb: Usd = Decimal(0)
    """Dollars for a gigabyte (10⁹ bytes) of results."""

    @model_validator(mode="after")
    def _one_transport(self) -> "ToolServerSettings":
        if bool(self.command) == bool(self.url):
            raise ValueError("give either `command` (stdio) or `url` (streamable HTTP)")
        return self


class DataSettings(Section):
    """`[data]`: kinds of data beside the known ones, and who may see which where nothing else is said."""

    classes: dict[DataClass, Confidentiality] = Field(default={})
    """Kinds of data of your own, with how far they may go."""
    clearance: tuple[DataClass, ...] = ("personal",)
    """What teams may see that don't say so themselves: no payment data, no keys, no raw logs."""


class TrustSettings(Section):
    """`[trust]`: what a tool server must have shown before it is believed."""

    pins: Literal["first_use", "required", "off"] = "first_use"
    """`first_use`: a tool is pinned as it is first seen, and blocked when it changes. `required`: a tool that
    nobody pinned is blocked as well."""
    frozen: bool = False
    """Whether a server whose package has no fixed version is refused. `--frozen` sets it, and `pins` to
    `required`."""
