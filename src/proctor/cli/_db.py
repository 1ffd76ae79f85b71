"""`proctor db`."""

from pathlib import Path
from typing import Annotated

from cyclopts import App as Commands
from cyclopts import Parameter
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn
from rich.text import Text
from sqlalchemy import Engine

# The rooms that describe tables.
import proctor.app
import proctor.knowledge  # noqa: F401 - as above
from proctor import store
from proctor.app import load_settings
from proctor.cli._checks import print_findings
from proctor.cli._db_check import inspect
from proctor.cli._options import ConfigFile, Json
from proctor.cli._output import console, print_json, print_table
from proctor.core import ConfigurationError, NotFound
from proctor.store import Moved

db = Commands(name="db", help="Upgrade, check and move the database.", help_format="plaintext")


@db.command
def upgrade(*, config: ConfigFile = None, json: Json = False) -> None:
    """Bring the database's schema to this version of Proctor. Every start does it as well."""
    engine = store.make_engine(load_settings(config).settings.database.url)
    try:
        before = store.persist(lambda: store.revision(engine))
        store.persist(lambda: store.upgrade(engine))
    finally:
        engine.dispose()
    after = store.newest()
    if json:
        print_json({"from": before, "to": after})
    elif before == after:
        console().print(Text(f"The schema is up to date: {after}."))
    else:
        console().print(Text(f"The schema is upgraded from {before or 'nothing'} to {after}."))


@db.command
def check(*, config: ConfigFile = None, json: Json = False) -> int:
    """Check that the database is whole: its file, its schema, and that what it holds agrees.

    Nothing is changed, and runs may go on meanwhile. Exit code 1 where something is broken.
    """
    engine = _existing(load_settings(config).settings.database.url)
    try:
        findings = store.persist(lambda: inspect(engine))
    finally:
        engine.dispose()
    return print_findings(findings, json=json)


@db.command
def move(
    *,
    to: Annotated[str, Parameter(help="The empty database: postgresql+psycopg://USER@HOST/NAME.")],
    config: ConfigFile = None,
    json: Json = False,
) -> None:
    """Copy the whole installation into an empty PostgreSQL, and compare both.

    No run may be executed meanwhile: stop `proctor serve` first. All is copied in one transaction, or
    nothing; the database in use is left as it is. Waiting and failed runs go on at the new place.
    """
    engine, target = _existing(load_settings(config).settings.database.url), _postgresql(to)
    try:
        if engine.url == target.url:
            raise ConfigurationError("this is the database in use", hint="Name another one with --to.")
        moved = _move(engine, target)
    finally:
        engine.dispose()
        target.dispose()
    # Names and hosts only: a password belongs into no terminal's history.
    shown = target.url.render_as_string()
    if json:
        tables = [{"table": each.table, "rows": each.rows, "sha256": each.digest} for each in moved]
        print_json({"to": shown, "tables": tables})
        return
    out = console()
    rows = [(each.table, f"{each.rows:,}", each.digest[:16]) for each in moved]
    print_table(out, ("table", "rows", "digest of both"), rows, right=("rows",))
    out.print(Text("\nAll is there. Put this into proctor.toml:\n"))
    out.print(Text(f'[database]\nurl = "{shown}"'), soft_wrap=True)
    if target.url.password is not None:
        out.print(
            Text("\nwith the password for ***, or leave it out and set PROCTOR_DATABASE__URL."),
            soft_wrap=True,
        )


def _move(source: Engine, target: Engine) -> tuple[Moved, ...]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    tasks: dict[str, TaskID] = {}
    with Progress(*columns, console=console(stderr=True), transient=True) as bar:

        def show(table: str, done: int, total: int) -> None:
            if table not in tasks:
                tasks[table] = bar.add_task(table)
            bar.update(tasks[table], completed=done, total=total)

        return store.persist(lambda: store.move(source, target, told=show))


def _existing(url: str) -> Engine:
    """The database in use.

    Raises:
        NotFound: there is no such file.
    """
    engine = store.make_engine(url)
    if engine.dialect.name == "sqlite" and not Path(engine.url.database or "").exists():
        raise NotFound(
            f"there is no database at {engine.url.database}", hint="The first run makes it; see database.url."
        )
    return engine


def _postgresql(url: str) -> Engine:
    engine = store.make_engine(url)
    if engine.dialect.name != "postgresql":
        raise ConfigurationError("the target is no PostgreSQL", hint="Write --to postgresql+psycopg://…")
    return engine
