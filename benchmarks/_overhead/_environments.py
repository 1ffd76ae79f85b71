"""A Python environment for each contender, made by uv at the first use and kept in `.benchmarks/`."""

import os
import shutil
import subprocess
import sys
from importlib.metadata import distributions
from pathlib import Path

ROOT = Path(__file__).parents[2]
CACHE = ROOT / ".benchmarks"
"""Ignored by git; on the same disk as the project, so that commits cost what they cost."""

_TIMEOUT = 600


def python_of(contender: str) -> Path:
    """A contender's interpreter: this one for Proctor, else one of this version in its own environment."""
    if contender == "proctor":
        return Path(sys.executable)
    folder = CACHE / f"{contender}-{sys.version_info.major}.{sys.version_info.minor}"
    python = folder / "bin" / "python"
    folder.parent.mkdir(exist_ok=True)
    if not python.exists():
        _uv("venv", "--python", sys.executable, str(folder))
    requirements = str(Path(__file__).with_name(f"{contender}.txt"))
    further = ["--constraints", str(_constraints())] if contender == "autogen" else []
    _uv("pip", "install", "--python", str(python), "--requirements", requirements, *further)
    return python


def _constraints() -> Path:
    """The versions of this environment: raw AutoGen runs with the same SDK and the same AutoGen."""
    file = CACHE / "constraints.txt"
    installed = {dist.name: dist.version for dist in distributions()}
    file.write_text("".join(f"{name}=={version}\n" for name, version in sorted(installed.items())))
    return file


def _uv(*arguments: str) -> None:
    uv = os.environ.get("UV") or shutil.which("uv")
    if uv is None:
        raise SystemExit("The other contenders' environments are made by uv: start this with `uv run`.")
    subprocess.run([uv, *arguments, "--quiet"], check=True, cwd=ROOT, timeout=_TIMEOUT)
