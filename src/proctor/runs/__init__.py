"""Runs: their states, their log, and the journal that makes every AutoGen team resumable."""

from proctor.runs._chain import Entry, Journaling, begin_before_acting, consult
from proctor.runs._cron import due_times, next_due
from proctor.runs._desk import Desk, Rejected
from proctor.runs._loops import refuse_repetition
from proctor.runs._queue import Limit, Limits
from proctor.runs._runs import ENDED, Hooks, Prepared, Runs
from proctor.runs._schedules import Schedules
from proctor.runs._segment import TeamPlan
from proctor.runs._session import Chains
from proctor.runs._tables import blobs, calls, events, runs, schedules, thread_states, threads
from proctor.runs._threads import Threads
from proctor.runs._values import CallKey, RecordedCall, Run, RunState, Schedule, Share, Thread
from proctor.runs._workers import BEAT, Worker, Workers

__all__ = [
    "BEAT",
    "ENDED",
    "CallKey",
    "Chains",
    "Desk",
    "Entry",
    "Hooks",
    "Journaling",
    "Limit",
    "Limits",
    "Prepared",
    "RecordedCall",
    "Rejected",
    "Run",
    "RunState",
    "Runs",
    "Schedule",
    "Schedules",
    "Share",
    "TeamPlan",
    "Thread",
    "Threads",
    "Worker",
    "Workers",
    "begin_before_acting",
    "blobs",
    "calls",
    "consult",
    "due_times",
    "events",
    "next_due",
    "refuse_repetition",
    "runs",
    "schedules",
    "thread_states",
    "threads",
]
