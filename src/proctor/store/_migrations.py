"""The schema's history, applied by Alembic."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine

from proctor.core import ConfigurationError
from proctor.store._writer import begin_write


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    return config


def check(engine: Engine) -> bool:
    """Whether the database's schema is the one that this version of Proctor needs."""
    with engine.connect() as connection:
        current = MigrationContext.configure(connection).get_current_revision()
    return current == ScriptDirectory.from_config(_config()).get_current_head()


def upgrade(engine: Engine) -> None:
    """Brings the schema to this version's, in one transaction; does nothing where it is there.

    Raises:
        ConfigurationError: the database was made by a newer Proctor.
    """
    config = _config()
    script = ScriptDirectory.from_config(config)
    with engine.connect() as connection:
        begin_write(connection)
        current = MigrationContext.configure(connection).get_current_revision()
        if current == script.get_current_head():
            return
        if current is not None and current not in {revision.revision for revision in script.walk_revisions()}:
            raise ConfigurationError(
                f"the database has schema {current}, which this version of Proctor doesn't know",
                hint="It was made by a newer version: upgrade Proctor.",
            )
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        connection.commit()
