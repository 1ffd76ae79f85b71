"""Where the work is done: the folder of the shops, the database, and what distributes the runs."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks._replay._faults import Sizes
from benchmarks._servers import Postgres, running_postgres, running_temporal
from proctor.core import EngineSettings

FILE = "proctor.db"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """What every process of a benchmark must know of where it works."""

    folder: Path
    database: str
    engine: EngineSettings

    @property
    def shops(self) -> Path:
        """The folder of the shops' databases."""
        return self.folder / "shops"


def small_place(folder: Path) -> Place:
    """One process and one SQLite file."""
    return Place(folder=folder, database=f"sqlite:///{folder / FILE}", engine=EngineSettings())


@contextmanager
def make_place(sizes: Sizes) -> Iterator[tuple[Place, Postgres | None]]:
    """A place for the work, and its PostgreSQL where it has one; all is gone afterwards.

    The embedded engine works on SQLite, unless its database is to be restarted.
    """
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="proctor-chaos-")))
        if sizes.engine == "embedded" and not sizes.database_restarts:
            yield small_place(folder), None
            return
        postgres = stack.enter_context(running_postgres())
        engine = EngineSettings()
        if sizes.engine == "temporal":
            temporal = stack.enter_context(running_temporal())
            engine = EngineSettings(kind="temporal", address=temporal.address)
        yield Place(folder=folder, database=postgres.create_database(), engine=engine), postgres
