"""The schema's history, applied by Alembic."""

import threading
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, text

from proctor.core import ConfigurationError
from proctor.store._writer import begin_write

_ADVISORY_KEY = 0x50_52_4F_44
"""Of the lock that one migrating process holds at a time."""

_ENVIRONMENT = threading.Lock()
"""Alembic keeps the migration under way in variables of its modules: one at a time in a process."""


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    return config


def revision(engine: Engine) -> str | None:
    """The schema that the database has; nothing where it has none."""
    with engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def newest() -> str:
    """The schema that this version of Proctor needs."""
    head = ScriptDirectory.from_config(_config()).get_current_head()
    assert head is not None
    return head


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
    config = _config()
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    current = MigrationContext.configure(connection).get_current_revision()
    if current is not None and current not in known:
        raise ConfigurationError(
            f"the database has schema {current}, which this version of Proctor doesn't know",
            hint="It was made by a newer version: upgrade Proctor.",
        )
    config.attributes["connection"] = connection
    with _ENVIRONMENT:
        command.upgrade(config, "head")
