"""The engine that the configuration names."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from proctor.core import ConfigurationError, EngineSettings
from proctor.engine import Chore, Duties, EmbeddedEngine, Engine, TemporalEngine
from proctor.runs import Execution, Run
from proctor.store import Database

LOST_LOOK = timedelta(seconds=5)
"""Between looks for runs that nobody executes, though they stand as running."""


def make_engine(
    settings: EngineSettings, database: Database, execution: Execution, chores: Sequence[Chore]
) -> Engine[Run, Run | None]:
    """An engine that isn't started yet.

    Raises:
        ConfigurationError: it can't work on this database.
    """
    duties: Duties[Run, Run | None] = Duties(
        due=execution.due,
        recover=execution.recover,
        orphans=execution.orphans,
        execute=execution.execute,
        suspend=execution.suspend_all,
        chores=tuple(chores),
    )
    if settings.kind == "temporal":
        if database.engine.dialect.name != "postgresql":
            raise ConfigurationError(
                "workers share their runs in a PostgreSQL database, and database.url names SQLite",
                hint="`proctor db move` takes an installation to PostgreSQL.",
            )
        # Temporal gives out a run anew only where its worker is gone.
        duties = replace(duties, execute=execution.take_over)
        return TemporalEngine(duties, settings, lock=database.lock(shared=True))
    # What runs, and not here, was left behind: by an outage of the database that took too long.
    lost = Chore(name="lost runs", every=LOST_LOOK, work=execution.find_lost)
    duties = replace(duties, chores=(*duties.chores, lost))
    return EmbeddedEngine(duties, lock=database.lock(), concurrency=settings.concurrency)
