"""Other people's MCP servers, installed from locks, as the page of recipes configures them.

For other versions change `npm/package.json`, `python/requirements.in` and the page, then make the locks anew:
`npm install --package-lock-only --ignore-scripts` in the one folder, and in the other
`uv pip compile --universal --python-version 3.11 --generate-hashes requirements.in -o requirements.txt`.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from functools import cache
from hashlib import sha256
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import pytest

HERE = Path(__file__).parent
PAGE = HERE.parents[1] / "docs" / "recipes" / "mcp-servers.md"
PLACE = "/srv/desk"
"""The folder that stands in the recipes for the operator's own."""

_BLOCK = re.compile(r"^```toml\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_AWAY = re.compile(
    "ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ENETUNREACH|ETIMEDOUT|EHOSTUNREACH|dns error"
    "|error sending request|operation timed out|Network is unreachable",
    re.IGNORECASE,
)
"""What npm and uv say where their registry can't be reached."""


def recipe(server: str, folder: Path, **more: Any) -> dict[str, Any]:
    """A server's section as the page shows it, with `folder` in the place of the operator's.

    In the place of `npx` and `uvx` it starts what the locks hold: the same version, and the same of all that
    it needs.
    """
    section = _sections(str(folder))[server]
    return {**section, "command": _locked(section["command"]), **more}


def recipe_names() -> tuple[str, ...]:
    """The servers of the page, in its order."""
    return tuple(_sections())


def shown_packages() -> dict[str, str]:
    """The packages that the page's commands name, with their versions."""
    words = (word for section in _sections().values() for word in section["command"])
    return dict(word.rsplit("@", 1) for word in words if re.search(r".@\d", word))


def locked_packages() -> dict[str, str]:
    """The packages of other people's servers that are tested, with their versions."""
    packages: dict[str, str] = json.loads((HERE / "npm" / "package.json").read_bytes())["dependencies"]
    wanted = (HERE / "python" / "requirements.in").read_text(encoding="utf-8").split()
    return packages | dict(each.split("==") for each in wanted)


@cache
def npm_servers() -> Path:
    """The folder of programs of the locked npm packages; skips the test where they can't be had."""
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("npm isn't installed: apt install npm, or https://nodejs.org")
    lock = HERE / "npm"

    def install(folder: Path) -> None:
        for name in ("package.json", "package-lock.json"):
            shutil.copy(lock / name, folder)
        _run([npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--fetch-retries=1"], folder)

    return _installed(lock / "package-lock.json", install) / "node_modules" / ".bin"


@cache
def python_servers() -> Path:
    """The folder of programs of the locked Python packages; skips the test where they can't be had."""
    lock = HERE / "python" / "requirements.txt"

    def install(folder: Path) -> None:
        uv = [sys.executable, "-m", "uv"]
        _run(
            [*uv, "venv", "--quiet", "--relocatable", "--python", sys.executable, str(folder / "venv")],
            folder,
        )
        python = folder / "venv" / "bin" / "python"
        _run(
            [*uv, "pip", "install", "--quiet", "--python", str(python), "--require-hashes", "-r", str(lock)],
            folder,
        )

    return _installed(lock, install, f"3.{sys.version_info[1]}") / "venv" / "bin"


def chromium() -> list[str]:
    """The browser and the options that it needs here; skips the test where there is none."""
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    if found is None:
        pytest.skip("Chromium isn't installed: apt install chromium")
    return [found, *(["--no-sandbox"] if os.geteuid() == 0 else [])]


def _sections(place: str = PLACE) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for block in _BLOCK.findall(PAGE.read_text(encoding="utf-8")):
        found |= tomllib.loads(block.replace(PLACE, place)).get("tools", {})
    return found


def _locked(command: Sequence[str]) -> list[str]:
    match command:
        case ["npx", "-y", package, *options]:
            return [str(npm_servers() / _NPM[package.rsplit("@", 1)[0]]), *_here(options)]
        case ["uvx", package, *options]:
            # By its own Python: its script would need a shell, and whoever sets PATH may have none.
            programs = python_servers()
            return [str(programs / "python"), str(programs / package.partition("@")[0]), *options]
        case ["proctor-store-mcp", *options]:
            return [sys.executable, "-m", "proctor.deployments.support.shop", *options]
    raise ValueError(f"no lock holds {command}")


_NPM = {
    "@modelcontextprotocol/server-everything": "mcp-server-everything",
    "@modelcontextprotocol/server-filesystem": "mcp-server-filesystem",
    "@modelcontextprotocol/server-memory": "mcp-server-memory",
    "@playwright/mcp": "playwright-mcp",
}


def _here(options: list[str]) -> list[str]:
    """Options with this machine's browser in the place of the page's."""
    if "--executable-path" not in options:
        return options
    place = options.index("--executable-path") + 1
    return [*options[:place], *chromium(), *options[place + 1 :]]


def _installed(lock: Path, install: Any, more: str = "") -> Path:
    """A folder outside of the project that holds what a lock names; made once, and whole or not at all."""
    caches = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "proctor-tests"
    folder = caches / f"{lock.parent.name}{more}-{sha256(lock.read_bytes()).hexdigest()[:16]}"
    if not folder.is_dir():
        caches.mkdir(parents=True, exist_ok=True)
        making = Path(mkdtemp(dir=caches))
        try:
            install(making)
            making.rename(folder)
        except OSError:
            if not folder.is_dir():  # else another process was faster
                raise
        finally:
            shutil.rmtree(making, ignore_errors=True)
    return folder


def _run(command: list[str], folder: Path) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300, check=False)
    if done.returncode:
        said = done.stderr.strip()
        away = next((line for line in said.splitlines() if _AWAY.search(line)), "")
        if away:
            pytest.skip(f"the registry can't be reached: {away}")
        raise AssertionError(f"{' '.join(command)} failed: {said}")
