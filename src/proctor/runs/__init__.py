"""Runs: their states, their log, and the journal that makes every AutoGen team resumable."""

from proctor.runs._acted import Acted, acted
from proctor.runs._analysis_sql import Trouble, troubles
from proctor.runs._backlog import Backlog, backlog
from proctor.runs._chain import begin_before_acting, consult, journal_model, journal_tool
from proctor.runs._desk import Desk, Rejected
from proctor.runs._execution import Execution
from proctor.runs._feed import Feed
from proctor.runs._follower import MOST as MOST_FOLLOWED
from proctor.runs._follower import Follower, Item, RunEnd, TeamRuns
from proctor.runs._loops import refuse_repetition
from proctor.runs._measures import behind, first_start, measures, signs
from proctor.runs._once import Once
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
from proctor.runs._values import (
    ENDED,
    GOING_ON,
    STOPPED,
    CallKey,
    RecordedCall,
    Run,
    RunState,
    Share,
    Thread,
)

__all__ = [
    "ENDED",
    "GOING_ON",
    "MOST_FOLLOWED",
    "STOPPED",
    "Acted",
    "AnswerJudge",
    "Backlog",
    "CallKey",
    "Chains",
    "Desk",
    "Execution",
    "Feed",
    "Follower",
    "Hooks",
    "Item",
    "Limit",
    "Limits",
    "Once",
    "OutputReview",
    "Prepared",
    "RecordedCall",
    "Rejected",
    "Run",
    "RunEnd",
    "RunState",
    "Runs",
    "Share",
    "TeamPlan",
    "TeamRuns",
    "Thread",
    "Threads",
    "Trouble",
    "acted",
    "answers_judged",
    "backlog",
    "begin_before_acting",
    "behind",
    "blobs",
    "calls",
    "consult",
    "events",
    "first_start",
    "in_share",
    "journal_model",
    "journal_tool",
    "measures",
    "refuse_repetition",
    "runs",
    "signs",
    "states_of",
    "thread_states",
    "threads",
    "troubles",
    "unfinished",
    "wake",
    "waste",
]
