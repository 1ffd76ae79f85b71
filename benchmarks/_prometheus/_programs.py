"""Prometheus' own programs: those on the PATH, else Debian's in a cache folder, which takes no root."""

import os
import shutil
import subprocess
from pathlib import Path
from tempfile import mkdtemp

PROGRAMS = ("prometheus", "promtool", "amtool")
PACKAGES = ("prometheus", "prometheus-alertmanager")
PATIENCE = 300
"""Seconds that a download may take."""


class ProgramsMissing(Exception):
    """The programs can't be had here; says why."""


def programs() -> dict[str, str]:
    """The paths of the programs, by their names.

    Raises:
        ProgramsMissing: they aren't installed and can't be downloaded.
    """
    installed = {name: shutil.which(name) or "" for name in PROGRAMS}
    if all(installed.values()):
        return installed
    caches = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "proctor-tests"
    folder = caches / f"prometheus-{os.uname().machine}"
    if not folder.is_dir():
        _unpack(caches, folder)
    return {name: str(folder / "usr" / "bin" / name) for name in PROGRAMS}


def _unpack(caches: Path, folder: Path) -> None:
    for tool in ("apt-get", "dpkg-deb"):
        if shutil.which(tool) is None:
            raise ProgramsMissing(f"Prometheus isn't installed, and without {tool} no package can be had")
    caches.mkdir(parents=True, exist_ok=True)
    making = Path(mkdtemp(dir=caches))
    try:
        _download(making)
        for package in making.glob("*.deb"):
            _run(["dpkg-deb", "-x", str(package), str(making)], making)
            package.unlink()
        making.rename(folder)
    except OSError:
        if not folder.is_dir():  # else another process was faster
            raise
    finally:
        shutil.rmtree(making, ignore_errors=True)


def _download(folder: Path) -> None:
    """Downloads the packages; where this machine has no lists of packages yet, with lists of its own."""
    known = ["apt-get", "-q", "-o", "APT::Sandbox::User="]
    try:
        _run([*known, "download", *PACKAGES], folder)
    except ProgramsMissing:
        for name in ("lists/partial", "cache/archives/partial"):
            (folder / name).mkdir(parents=True)
        own = [*known, "-o", f"Dir::State::lists={folder}/lists", "-o", f"Dir::Cache={folder}/cache"]
        _run([*own, "update"], folder)
        _run([*own, "download", *PACKAGES], folder)
        for name in ("lists", "cache"):
            shutil.rmtree(folder / name)


def _run(command: list[str], folder: Path) -> None:
    try:
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, timeout=PATIENCE, check=False
        )
    except subprocess.TimeoutExpired:
        raise ProgramsMissing(f"{command[0]} took too long") from None
    if done.returncode:
        said = (done.stderr.strip() or done.stdout.strip()).splitlines()
        raise ProgramsMissing(f"{' '.join(command[:2])} … failed: {said[-1] if said else done.returncode}")
