"""Requests on their way through batches, as values, and what is asked of money and runs."""

from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol, TypeAlias

from sqlalchemy import Connection

from proctor.core import JsonObject, ModelCall, ModelResult

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
class Progress:
    """Where a provider stands with a batch."""

    id: str
    state: Literal["working", "stopping", "ended"]
    files: tuple[str, ...] = ()
    """What holds its answers and errors."""
    sent: str = ""
    """The file that was sent, where there is one."""
    error: str = ""
    """Why it ended without having done all; else nothing."""
    over_limit: bool = False
    """Whether it may be sent again later: nothing of it was done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """What came of one request."""

    key: str
    body: JsonObject | None
    """The answer, in the provider's own words."""
    error: str


class BatchClient(Protocol):
    """The batch interface of one endpoint: OpenAI's or Claude's. Each HTTP request is sent once."""

    async def submit(self, requests: Sequence[tuple[str, str]], *, id: str) -> Progress:
        """The provider's batch of requests: each has a key and a body of JSON.

        Raises:
            ModelRefused: the provider takes none.
            ModelError: it isn't known whether the provider has it.
        """

    async def find(self, id: str, *, since: datetime, known: Collection[str]) -> Progress | None:
        """The batch that the provider has under our id, among those that it was given since then.

        `known` are the provider's ids of other batches of ours.

        Raises:
            ModelError: it can't be told now.
        """

    async def look(self, provider_id: str) -> Progress:
        """Where the provider stands with a batch."""

    async def stop(self, provider_id: str) -> None:
        """Asks the provider to do no more of a batch; what it has done comes all the same."""

    async def read(self, file: str) -> list[Line]:
        """What came of each request, as a file of answers or errors says."""

    async def forget(self, file: str) -> None:
        """Deletes a file at the provider."""

    async def close(self) -> None:
        """Closes the connections."""


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
