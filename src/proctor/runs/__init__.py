"""Runs: their states, their log, and the journal that makes every AutoGen team resumable."""

from proctor.runs._chain import begin_before_acting, consult, journal_model, journal_tool
from proctor.runs._desk import Desk, Rejected
from proctor.runs._execution import Execution
from proctor.runs._loops import refuse_repetition
from proctor.runs._opinions import answers_judged
from proctor.runs._plan import Chains, Hooks, TeamPlan
from proctor.runs._prepare import Prepared
from proctor.runs._queue import Limit, Limits
from proctor.runs._review import AnswerJudge, OutputReview
from proctor.runs._runs import Runs
from proctor.runs._share import in_share
from proctor.runs._sql import states_of, unfinished, wake, waste
from proctor.runs._tables import blobs, calls, events, runs, thread_states, threads
from proctor.runs._threads import Threads
from proctor.runs._values import ENDED, CallKey, RecordedCall, Run, RunState, Share, Thread

__all__ = [
    "ENDED",
    "AnswerJudge",
    "CallKey",
    "Chains",
    "Desk",
    "Execution",
    "Hooks",
    "Limit",
    "Limits",
    "OutputReview",
    "Prepared",
    "RecordedCall",
    "Rejected",
    "Run",
    "RunState",
    "Runs",
    "Share",
    "TeamPlan",
    "Thread",
    "Threads",
    "answers_judged",
    "begin_before_acting",
    "blobs",
    "calls",
    "consult",
    "events",
    "in_share",
    "journal_model",
    "journal_tool",
    "refuse_repetition",
    "runs",
    "states_of",
    "thread_states",
    "threads",
    "unfinished",
    "wake",
    "waste",
]
