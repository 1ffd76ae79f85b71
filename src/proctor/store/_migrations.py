"""The schema's history, applied by Alembic, which is loaded where there is something to apply."""

import threading
from pathlib import Path

from sqlalchemy import Connection, Engine, inspect, text

from proctor.core import ConfigurationError
from proctor.store._writer import begin_write

_ADVISORY_KEY = 0x50_52_4F_44
"""Of the lock that one migrating process holds at a time."""

_ENVIRONMENT = threading.Lock()
"""Alembic keeps the migration under way in variables of its modules: one at a time in a process."""


_FOLDER = Path(__file__).parent / "migrations"


def revision(engine: Engine) -> str | None:
    """The schema that the database has; nothing where it has none."""
    with engine.connect() as connection:
        return _revision_on(connection)


def _revision_on(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    found: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return found


def known() -> tuple[str, ...]:
    """All schemas that there were, the oldest first. A file's name begins with the one that it leads to."""
    return tuple(sorted(file.name.partition("_")[0] for file in (_FOLDER / "versions").glob("[0-9]*.py")))


def newest() -> str:
    """The schema that this version of Proctor needs."""
    return known()[-1]


def check(engine: Engine) -> bool:
    """Whether the database's schema is the one that this version of Proctor needs."""
    return revision(engine) == newest()


def upgrade(engine: Engine) -> None:
    """Brings the schema to this version's, in one transaction; does nothing where it is there.

    Of several processes that start at once one does it, and the others wait for it.

    Raises:
        ConfigurationError: the database was made by a newer Proctor.
    """
    if check(engine):
        return
    with engine.connect() as connection:
        upgrade_on(connection)
        connection.commit()


def upgrade_on(connection: Connection) -> None:
    """Brings the schema to this version's in the caller's transaction.

    Raises:
        ConfigurationError: the database was made by a newer Proctor.
    """
    begin_write(connection)
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _ADVISORY_KEY})
    current = _revision_on(connection)
    if current is not None and current not in known():
        raise ConfigurationError(
            f"the database has schema {current}, which this version of Proctor doesn't know",
            hint="It was made by a newer version: upgrade Proctor.",
        )
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_FOLDER))
    config.attributes["connection"] = connection
    with _ENVIRONMENT:
        command.upgrade(config, "head")
