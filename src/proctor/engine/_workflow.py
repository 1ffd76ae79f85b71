"""The workflow of one run: segments, one after another, while the run is due.

What a person decides and what a run computes stays in Proctor's database; Temporal only learns ids. It
replays the order of commands here: a change must leave open workflows replayable.
"""

from datetime import timedelta

from temporalio import workflow
from temporalio.common import RetryPolicy

WORKFLOW = "Run"
SEGMENT = "segment"
DUE = "due"

LEASE = timedelta(seconds=3)
"""Without a heartbeat for so long, a segment is given to another worker."""

_RETRY = RetryPolicy(
    initial_interval=timedelta(seconds=0.2), backoff_coefficient=2, maximum_interval=timedelta(seconds=5)
)

_LONGEST = timedelta(days=365)
"""Temporal wants a limit; the one that counts is the run's own deadline."""


@workflow.defn(name=WORKFLOW)
class RunWorkflow:
    """Has segments of one run executed until it waits or has ended."""

    def __init__(self) -> None:
        self._due = False

    @workflow.run
    async def run(self, run_id: str) -> None:
        """Executes a segment, and another one for what became due meanwhile."""
        while True:
            self._due = False
            await workflow.execute_activity(
                SEGMENT,
                run_id,
                start_to_close_timeout=_LONGEST,
                heartbeat_timeout=LEASE,
                retry_policy=_RETRY,
            )
            if not self._due:
                return

    @workflow.signal(name=DUE)
    def due(self) -> None:
        """Tells that the run is due: it may have changed after the segment under way looked at it."""
        self._due = True
