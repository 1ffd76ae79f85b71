"""Schedules: teams that are run by the clock, once for each due time."""

from proctor.schedules._cron import due_times, next_due
from proctor.schedules._schedules import OVERDUE, Schedules
from proctor.schedules._values import Schedule

__all__ = ["OVERDUE", "Schedule", "Schedules", "due_times", "next_due"]
