"""The sections of `proctor.toml`, typed and strict. Reading them is the work of `proctor.app`."""

from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, PositiveInt

from proctor.core._approval_settings import ApprovalRule
from proctor.core._model_settings import Usd
from proctor.core._review_settings import ReviewSettings
from proctor.core._section import Duration, Name, Pause, Section
from proctor.core._tool_settings import DataClass

BusyThread = Literal["queue", "reject", "interrupt"]
"""What becomes of a message to a conversation in which a run goes on: it waits for its turn, it isn't taken,
or the runs before it are cancelled."""


class RepetitionSettings(Section):
    """`[teams.NAME.repetition]`: when agents are taken to go round in circles."""

    same_call: PositiveInt = 5
    """How often in a row an agent may make the same tool call and read the same answer. Further ones are
    refused; an agent that has asked twice as often has failed. Calls that only read may come between; another
    answer, another call that acts, and a person who speaks begin the count anew."""
    rounds: Annotated[int, Field(ge=2)] = 3
    """How often the same round of up to four messages may be said, in nearly the same words."""


class AgentSettings(Section):
    """One agent of a team, by its name or place: `[teams.NAME.agents.AGENT]`. Absent: as the team."""

    timeout: Duration | None = None
    on_failure: Literal["fail", "state"] | None = None
    model: Name | None = None
    """The deployment that answers this agent, whatever its code asks for; `auto` lets the router choose."""
    cache: bool = True
    """Whether the agent may be answered from a deployment's cache."""
    tools: tuple[str, ...] | None = None
    """Of the team's tools those that this agent may call, as `server.tool`, `server` or a function's name."""
    clearance: tuple[DataClass, ...] | None = None
    """Kinds of data that this agent may see, of those that the team may."""


class TeamSettings(Section):
    """Limits of one team: `[teams.NAME]`."""

    deadline: Duration = timedelta(minutes=10)
    """For one segment of a run: from its start or resumption to its end or its next wait."""
    max_tool_iterations: PositiveInt = 10
    max_calls: PositiveInt = 200
    """Model and tool calls of one run."""
    max_turns: PositiveInt = 100
    """Messages of agents in one run."""
    agent_timeout: Duration = timedelta(minutes=5)
    """For one turn of an agent, with all that it calls: an agent that takes longer has failed."""
    on_failure: Literal["fail", "state"] = "fail"
    """Where an agent fails that has no stand-in: the run fails, or the team is told so and goes on."""
    agents: dict[str, AgentSettings] = Field(default={})
    repetition: RepetitionSettings = RepetitionSettings()
    max_cost_usd: Usd | None = None
    """Dollars that one run may cost: no new call starts beyond it."""
    retries: Annotated[int, Field(ge=0, le=20)] = 3
    """How often in a row a run that came no further is taken up again, after its worker died or it failed in
    a way that may pass. It is parked as `failed` then."""
    retry_pause: Pause = timedelta(seconds=1)
    """Before the first of these; it doubles each time, up to 5 minutes."""
    concurrency: PositiveInt | None = None
    """Runs at a time, of all workers together."""
    rate_per_minute: PositiveInt | None = None
    """Runs that are taken up in a minute, of all workers together."""
    busy_thread: BusyThread = "queue"
    """What becomes of a message to a thread in which a run goes on, or waits for a person."""
    approval: Literal["consequential", "never"] = "consequential"
    """Which tool calls wait for a person, where no rule says otherwise."""
    approvals: tuple[ApprovalRule, ...] = ()
    """Who is asked, on which terms. The first rule that matches a call holds."""
    review: ReviewSettings = ReviewSettings()
    """Who looks at what the team answers."""
    max_tool_calls: PositiveInt | None = None
    """Tool calls of one run."""
    max_parallel_calls: PositiveInt = 8
    """Tool calls that one answer of a model may ask for; further ones are refused before any starts."""
    untrusted: Literal["ask", "refuse", "allow"] = "ask"
    """What becomes of a call with side effects that is asked for after untrusted text was read."""
    recipients: Literal["ask", "refuse", "allow"] = "ask"
    """What becomes of a call that goes to whom or where untrusted text says."""
    clearance: tuple[DataClass, ...] | None = None
    """Kinds of data that the team's agents may see. Absent: as `[data]` says."""
    purpose: Name | None = None
    """What its runs process data for, as [privacy.purposes] names it."""
    subject: Literal["requester"] | None = None
    """Whom its runs are about where a run doesn't say so itself: `requester`, or nobody."""
    sandbox: str = ""
    """Where the team's code executors run: an agent that executes code is refused where this is empty."""


class TenantSettings(Section):
    """Limits of one tenant: `[tenants.NAME]`."""

    concurrency: PositiveInt | None = None
    """Runs at a time, of all workers together."""
    rate_per_minute: PositiveInt | None = None
    """Runs that are taken up in a minute, of all workers together."""


class EngineSettings(Section):
    """`[engine]`: who executes runs."""

    kind: Literal["embedded", "temporal"] = "embedded"
    """`embedded`: one process on its own database. `temporal`: workers on any machines, on PostgreSQL."""
    concurrency: PositiveInt = 64
    """Runs that one process executes at a time."""
    address: str = "127.0.0.1:7233"
    """Of Temporal's frontend."""
    tls: bool = False
    """Whether the way to Temporal is encrypted."""
    api_key_env: str | None = None
    """The environment variable that holds a key to Temporal."""
    namespace: str = "default"
    queue: str = "proctor"
    """Temporal's task queue: workers of the same applications share it."""


class StoreSettings(Section):
    """`[database]`."""

    url: str = "sqlite:///proctor.db"
    """`sqlite:///FILE` or `postgresql+psycopg://…`."""
    linger: Pause = timedelta(milliseconds=100)
    """How long a record may wait for company before it is committed, where nothing waits for it."""
    patience: Duration = timedelta(minutes=5)
    """How long runs wait for a database that is away."""


class KnowledgeSettings(Section):
    """`[knowledge]`."""

    embeddings: Literal["builtin", "none"] = "builtin"
    """`none`: full text alone."""


class ServerSettings(Section):
    """`[server]`."""

    host: str = "127.0.0.1"
    """Another address than a loopback one needs `[access]` with `authentication = "required"`."""
    port: Annotated[int, Field(ge=0, le=65535)] = 8700
    url: str | None = Field(default=None, pattern=r"^https?://[A-Za-z0-9.:\[\]-]+$")
    """How people reach the server, as `https://proctor.example.com`. Signing in needs it."""
    hosts: tuple[str, ...] = ()
    """Names by which requests may call the server, beside that of `url` and those of loopback addresses. On a
    loopback address others are refused; elsewhere where this, or `url`, is given."""
    proxies: tuple[str, ...] = ()
    """Addresses or networks of proxies whose `X-Forwarded-For` and `X-Forwarded-Proto` are believed."""
    metrics: Literal["key", "open"] = "key"
    """Whether /metrics asks for a viewer's key where the server asks for authentication."""
    longest_body: PositiveInt = 1_000_000
    """Bytes of a request."""
    timeout: Duration = timedelta(seconds=60)
    """After which a request under /api/v1 that has no answer yet is given up."""
    longest_wait: Duration = timedelta(hours=1)
    """For which a request under /v1 or /mcp waits for a run. The run goes on."""


class LocalModelSettings(Section):
    """`[local]`: where weights are kept and how they run."""

    folder: Path = Path("~/.cache/proctor/models")
    threads: PositiveInt | None = None
    """Absent: as many as there are cores."""
    context: PositiveInt = 8192
