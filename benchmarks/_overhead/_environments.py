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
    requirements = Path(__file__).with_name(f"{contender}.txt")
    # Raw AutoGen runs with the same SDK and the same AutoGen.
    return environment(contender, requirements, as_here=contender == "autogen")


def environment(name: str, requirements: Path, *, as_here: bool = False, but: tuple[str, ...] = ()) -> Path:
    """The interpreter of an environment in which a file's requirements are installed.

    With `as_here` what it shares with this environment has the same version, but for distributions whose
    names begin with one of `but`.

    Raises:
        subprocess.SubprocessError: they can't be installed.
        OSError: there is no uv.
    """
    folder = CACHE / f"{name}-{sys.version_info.major}.{sys.version_info.minor}"
    python = folder / "bin" / "python"
    CACHE.mkdir(exist_ok=True)
    if not python.exists():
        _uv("venv", "--python", sys.executable, str(folder))
    further = ["--constraints", str(_constraints(name, but))] if as_here else []
    _uv("pip", "install", "--python", str(python), "--requirements", str(requirements), *further)
    return python


def _constraints(name: str, but: tuple[str, ...]) -> Path:
    file = CACHE / f"{name}-constraints.txt"
    installed = {each.name: each.version for each in distributions() if not each.name.startswith(but)}
    file.write_text("".join(f"{each}=={version}\n" for each, version in sorted(installed.items())))
    return file


def _uv(*arguments: str) -> None:
    uv = os.environ.get("UV") or shutil.which("uv") or str(Path(sys.executable).with_name("uv"))
    subprocess.run([uv, *arguments, "--quiet"], check=True, cwd=ROOT, timeout=_TIMEOUT)
