"""Requests on their way through batches, as values, and what is asked of money and runs."""

from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TypeAlias

from sqlalchemy import Connection

from proctor.core import ModelCall, ModelResult

RequestState = Literal["new", "waiting", "sent", "answered", "failed", "late"]
"""`new`: its money isn't set aside yet. `failed`: its call is made at once, at the full price. `late`: as
`failed`, and its batch may still answer it."""

BatchState = Literal["made", "submitting", "submitted", "ended"]
"""`submitting`: whether the provider has it isn't known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchRequest:
    """A model call of a run that waits for a provider's batch, or has come out of it."""

    key: str
    """Of the call; it is the request's name in the batch too."""
    run_id: str
    team: str
    tenant: str
    agent: str
    requester: str
    thread: str
    deployment: str
    state: RequestState
    answer: str | None
    """The provider's completion, as JSON."""
    error: str
    created_at: datetime
    deadline_at: datetime

    @property
    def holder(self) -> str:
        """The name under which its money is set aside."""
        return f"batch:{self.key}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Requests that are sent to a provider together."""

    id: str
    """Proctor's own."""
    deployment: str
    state: BatchState
    provider_id: str
    requests: int
    created_at: datetime
    next_at: datetime
    """When it is looked after next; later by a while where somebody does so now."""
    ended_at: datetime | None
    error: str
    unanswered: int = 0
    """Requests of it for which somebody still waits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """What came of one request of a batch."""

    key: str
    answer: str
    result: ModelResult | None
    """What was answered, and is paid for."""
    error: str
    """Why it can't be used."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unbatched:
    """Requests for one deployment that are not in a batch yet."""

    deployment: str
    requests: int
    since: datetime


Hold: TypeAlias = Callable[[ModelCall, str], Awaitable[None]]
"""Sets the price of a call's batched request aside, durably and once for each name."""
Release: TypeAlias = Callable[[Connection, str], None]
"""Gives back the money that is set aside under a name, if there is any."""
Unclaimed: TypeAlias = Callable[[Connection, BatchRequest, ModelResult], None]
"""Books an answer that no call takes any more, and gives back what was set aside for it."""
Wake: TypeAlias = Callable[[Connection, Collection[str]], Collection[str]]
"""Lets those of the runs go on that rest, and tells which these were."""
Unfinished: TypeAlias = Callable[[Connection, Collection[str]], Collection[str]]
"""Those of the runs that haven't come to their end, or may yet be resumed."""
