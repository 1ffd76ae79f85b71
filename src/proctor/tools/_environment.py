"""What a tool server is given of our surroundings: little, and each secret by the name of a variable."""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from proctor.core import ConfigurationError, MissingSetting, ToolServerSettings

_KEPT = ("PATH", "HOME", "LANG")
"""`HOME`, since `npx`, `uvx` and managers of versions keep there what they run."""


def variable(environ: Mapping[str, str], name: str, setting: str) -> str:
    """A variable's value.

    Raises:
        MissingSetting: the environment doesn't hold it.
    """
    value = environ.get(name, "").strip()
    if not value:
        raise MissingSetting(
            f"{setting} names the variable {name}, which isn't set", hint=f"Set {name} in the environment."
        )
    return value


def environment_of(server: str, settings: ToolServerSettings, environ: Mapping[str, str]) -> dict[str, str]:
    """The whole environment of a stdio server.

    Raises:
        MissingSetting: a variable that it is to be given isn't set.
    """
    kept = {name: environ[name] for name in _KEPT if name in environ}
    given = {name: variable(environ, name, f"tools.{server}.env_from") for name in settings.env_from}
    return {"LANG": "C.UTF-8", **kept, **given, **settings.env}


def headers_of(server: str, settings: ToolServerSettings, environ: Mapping[str, str]) -> dict[str, str]:
    """The headers of each request to an HTTP server.

    Raises:
        MissingSetting: a variable that holds one isn't set.
        ConfigurationError: one can't be sent.
    """
    given = {
        name: variable(environ, source, f"tools.{server}.headers_env.{name}")
        for name, source in settings.headers_env.items()
    }
    headers = {name: value.get_secret_value() for name, value in settings.headers.items()} | given
    for name, value in headers.items():
        if not (value.isascii() and value.isprintable()):  # else the HTTP client's error would quote it
            raise ConfigurationError(f"tools.{server}: the header {name} holds characters that can't be sent")
    return headers


def elsewhere(command: tuple[str, ...], path: str) -> tuple[str, ...]:
    """A command that means the same in another folder: what in it is a path from here becomes a whole one.

    A path is what begins with a dot, what goes on from a folder that is here, and the name of a file that is
    here where it has an ending: `./server`, `data/shop`, `server.py`.
    """
    program, *arguments = command
    found = shutil.which(program, path=path)
    return (str(Path(found).absolute()) if found else program, *map(_whole, arguments))


def _whole(argument: str) -> str:
    if argument.startswith("-"):
        option, equals, value = argument.partition("=")
        return f"{option}={_whole(value)}" if equals and value else argument
    first, slash, _ = argument.partition("/")
    here = (
        first in (".", "..")
        or (slash and (first.startswith(".") or (first and Path(first).is_dir())))
        or (Path(argument).suffix and Path(argument).is_file())
    )
    return os.path.abspath(argument) if here and "://" not in argument else argument  # noqa: PTH100 - `..` too
