"""The port: what the rest of Proctor asks of whoever executes work."""

import asyncio
from datetime import timedelta
from typing import Any, Protocol, TypeVar

_Work_contra = TypeVar("_Work_contra", contravariant=True)
_Done_co = TypeVar("_Done_co", covariant=True)


class Engine(Protocol[_Work_contra, _Done_co]):
    """Has due work executed, at least once, by a process that is alive."""

    @property
    def running(self) -> bool:
        """Whether this process takes part in executing."""

    @property
    def direct(self) -> bool:
        """Whether work that is given whole can be executed here at once."""

    async def start(self) -> None:
        """Takes part from now on.

        Raises:
            DatabaseInUse: another process has the right to execute (embedded).
            EngineUnavailable: the service can't be reached (Temporal).
        """

    def submit(self, id: str, work: _Work_contra | None = None) -> "asyncio.Future[Any] | None":
        """Has a piece of work executed soon; whole work is given only to an engine that is `direct`.

        What is executed here can be waited for.
        """

    def wake(self) -> None:
        """Looks for due work at once."""

    def executing(self, id: str) -> bool:
        """Whether this process executes the work at this moment."""

    async def done(self, id: str) -> _Done_co | None:
        """What the execution under way here comes to; nothing where none is, or where it broke."""

    async def idle(self) -> None:
        """Returns when nothing is executed here and nothing is due."""

    async def stop(self, grace: timedelta) -> None:
        """Takes part no more.

        Executions come to a call boundary by themselves where that takes no longer than `grace`; what didn't
        finish is taken up later, or elsewhere.
        """
