"""Everything that can break, as one tree.

    ProctorError
    ├── ConfigurationError            the configuration can't be used
    │   ├── UnknownKey                a key that no setting has
    │   └── MissingSetting            something asked for isn't configured
    ├── InvalidInput                  a text that can't be taken at all
    │   └── KeyReused                 two different requests with one idempotency key
    ├── NotFound                      no such team, run, approval, …
    ├── Conflict                      the state of the thing doesn't allow it
    │   ├── StaleAttempt              another attempt has taken the run over
    │   ├── DatabaseInUse             another process executes runs on this database
    │   ├── ThreadBusy                a conversation takes no message while a run of it goes on
    │   ├── LinkSpent                 a decision link was used, or its time is over
    │   └── ForgedLink                a decision link was changed on its way
    ├── Unauthenticated               nobody knows who sends the request
    ├── Forbidden                     this person may not do that
    ├── Unavailable                   something that runs depend on is away, or holds back; later it may work
    │   ├── DatabaseUnavailable
    │   ├── EngineUnavailable
    │   ├── RateLimited               somebody asks too often
    │   └── Degraded                  the system has stepped down and takes no new runs
    ├── TeamError                     the team can't be built or failed
    │   ├── UngovernedTeam            the team holds a part that bypasses the chain
    │   ├── AnswersMissing            a model gave no usable answer to some of many items
    │   └── AgentFailed               an agent raised something that nobody stands in for
    │       └── AgentTimedOut
    ├── RunError                      a run that can't go on: `failed`, resumable
    │   ├── DeadlineExceeded
    │   ├── LoopDetected              agents repeat themselves
    │   └── WorkerLost                whoever executes the run dies, again and again
    ├── ModelError                    a model call failed, after its retries
    │   ├── ModelUnreachable
    │   ├── ModelOverloaded
    │   │   └── ModelResting          not asked for now: it fails, its rate is taken, or the system steps down
    │   ├── ModelRefused              the provider refused the request itself (4xx)
    │   ├── ModelNonsense             an answer that can't be read, or ended in the middle
    │   └── PriceUnknown
    ├── BudgetExceeded                a budget stops the call
    └── ToolError                     a tool could not be called
        └── ToolServerUnavailable

Weights on this machine add a branch of their own: `proctor.models.local.LocalModelError`.

What is *expected* (a policy said no, an approval is pending) is a value, never one of these.
"""

from typing import ClassVar


class ProctorError(Exception):
    """Something in Proctor went wrong."""

    code: ClassVar[str] = "error"
    """Stable word for programs."""
    status: ClassVar[int] = 500
    """The HTTP status it becomes."""
    retryable: bool = False
    """Whether the same request may succeed later."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        """What to do next, in one sentence."""

    def __str__(self) -> str:
        return f"{self.message}\n{self.hint}" if self.hint else self.message


class ConfigurationError(ProctorError):
    """The configuration can't be used."""

    code = "configuration"


class UnknownKey(ConfigurationError):
    """A key that no setting has."""

    code = "unknown_key"


class MissingSetting(ConfigurationError):
    """Something asked for isn't configured."""

    code = "missing_setting"


class InvalidInput(ProctorError):
    """A text that can't be taken at all."""

    code = "invalid_input"
    status = 422


class KeyReused(InvalidInput):
    """Two different requests have the same idempotency key."""

    code = "idempotency_key_reused"


class NotFound(ProctorError):
    """There is no such thing."""

    code = "not_found"
    status = 404


class Conflict(ProctorError):
    """The state of the thing doesn't allow it."""

    code = "conflict"
    status = 409


class StaleAttempt(Conflict):
    """Another attempt has taken the run over."""

    code = "stale_attempt"


class DatabaseInUse(Conflict):
    """Another process executes runs on this database."""

    code = "database_in_use"


class ThreadBusy(Conflict):
    """A conversation takes no message while a run of it goes on."""

    code = "thread_busy"


class LinkSpent(Conflict):
    """A decision link was used, or its time is over."""

    code = "link_spent"
    status = 410


class ForgedLink(Conflict):
    """A decision link was changed on its way."""

    code = "forged_link"
    status = 403


class Unauthenticated(ProctorError):
    """Nobody knows who sends the request."""

    code = "unauthenticated"
    status = 401


class Forbidden(ProctorError):
    """This person may not do that."""

    code = "forbidden"
    status = 403


class Unavailable(ProctorError):
    """Something that runs depend on is away, or holds back."""

    code = "unavailable"
    status = 503
    retryable = True


class DatabaseUnavailable(Unavailable):
    """The database is away for longer than it was waited for."""

    code = "database_unavailable"


class EngineUnavailable(Unavailable):
    """The service that distributes runs can't be reached."""

    code = "engine_unavailable"


class RateLimited(Unavailable):
    """Somebody asks too often, and is asked to wait."""

    code = "rate_limited"
    status = 429

    def __init__(self, message: str, *, retry_after: float, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.retry_after = retry_after
        """Seconds after which it may be tried again."""


class Degraded(Unavailable):
    """The system has stepped down and takes no new runs for now."""

    code = "degraded"

    def __init__(self, message: str, *, retry_after: float, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.retry_after = retry_after
        """Seconds after which it may be tried again."""


class TeamError(ProctorError):
    """The team can't be built, or failed."""

    code = "team"


class UngovernedTeam(TeamError):
    """The team holds a part that bypasses the chain."""

    code = "ungoverned_team"
    status = 422


class AnswersMissing(TeamError):
    """A model gave no usable answer to some of many items, also where it was asked for each alone."""

    code = "answers_missing"

    def __init__(self, message: str, *, items: tuple[int, ...], hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.items = items
        """Their places among all items, from 0."""


class AgentFailed(TeamError):
    """An agent raised something that nobody stands in for."""

    code = "agent_failed"

    def __init__(self, message: str, *, agent: str, retryable: bool = False, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.agent = agent
        self.retryable = retryable


class AgentTimedOut(AgentFailed):
    """An agent took longer for its turn than it may."""

    code = "agent_timed_out"


class RunError(ProctorError):
    """A run can't go on."""

    code = "run"


class DeadlineExceeded(RunError):
    """A run took longer than it may."""

    code = "deadline_exceeded"
    status = 504


class LoopDetected(RunError):
    """Agents repeat themselves."""

    code = "loop_detected"


class WorkerLost(RunError):
    """Whoever executes the run dies, again and again."""

    code = "worker_lost"


class ModelError(ProctorError):
    """A model call failed."""

    code = "model"
    status = 502
    sent: bool = True
    """Whether a request has left: what is refused before costs nothing, and is no request."""

    def __init__(
        self, message: str, *, hint: str = "", retry_after: float | None = None, produced: bool = False
    ) -> None:
        super().__init__(message, hint=hint)
        self.retry_after = retry_after
        """Seconds that the provider asks to wait."""
        self.produced = produced
        """Whether something that is billed may have been produced: an answer that broke off, or is late."""


class ModelUnreachable(ModelError):
    """The model's endpoint can't be reached, or broke off."""

    code = "model_unreachable"
    retryable = True


class ModelOverloaded(ModelError):
    """The provider asks to slow down, or fails for a moment."""

    code = "model_overloaded"
    retryable = True


class ModelResting(ModelOverloaded):
    """A deployment isn't asked for now: it fails, its rate is taken, or the system has stepped down."""

    code = "model_resting"
    sent = False


class ModelRefused(ModelError):
    """The provider refused the request itself."""

    code = "model_refused"


class ModelNonsense(ModelError):
    """The provider's answer can't be read, or ended in the middle."""

    code = "model_nonsense"
    retryable = True

    def __init__(
        self, message: str, *, hint: str = "", retry_after: float | None = None, produced: bool = True
    ) -> None:
        super().__init__(message, hint=hint, retry_after=retry_after, produced=produced)


class PriceUnknown(ModelError):
    """The price of a model isn't known."""

    code = "price_unknown"


class BudgetExceeded(ProctorError):
    """A budget stops the call."""

    code = "budget_exceeded"
    status = 402


class ToolError(ProctorError):
    """A tool could not be called."""

    code = "tool"
    status = 502


class ToolServerUnavailable(ToolError):
    """A tool server doesn't start, or doesn't answer."""

    code = "tool_server_unavailable"
    retryable = True
