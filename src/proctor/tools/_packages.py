"""Whether the command of a tool server names one version of its package, or whatever is newest.

Only the command is read; no registry is asked. What a package depends on in turn isn't looked at.
"""

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import PurePosixPath, PureWindowsPath

from proctor.core import ConfigurationError, ToolServerSettings, TrustSettings
from proctor.tools._package_specs import RUNNERS, LoosePackage, npm_call, read_options

_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=.*", re.DOTALL)
_ENDINGS = (".exe", ".cmd", ".bat", ".ps1")
_SHELLS = ("sh", "bash", "zsh", "dash", "ash")
_CARRIERS = ("sudo", "nice", "nohup", "exec", "command", "time", "timeout", "stdbuf", "setsid")
"""Programs whose arguments are a command, behind options and perhaps a number."""

_ENV_VALUES = frozenset(("-u", "--unset", "-C", "--chdir"))
_GLOBAL_VALUES = frozenset(
    (
        *("--directory", "--project", "--config-file", "--cache-dir", "--color", "--context", "--config"),
        *("-H", "--host", "-l", "--log-level", "-C", "--dir", "--cwd", "--prefix", "--registry"),
    )
)
"""Options with a value that stand before a runner's verb."""

_LAYERS = 4
"""Programs that start a program that starts a program."""


def loose_package(command: Sequence[str]) -> LoosePackage | None:
    """The first package that a command takes in whatever version; nothing where there is none."""
    return next(_loose(list(command), _LAYERS), None)


def check_packages(servers: Mapping[str, ToolServerSettings], trust: TrustSettings) -> None:
    """Returns where every server's package has a fixed version, or none needs to have one.

    Raises:
        ConfigurationError: `trust.frozen` is set, and one hasn't.
    """
    for name, server in servers.items() if trust.frozen else ():
        if (found := loose_package(server.command)) is not None:
            raise ConfigurationError(
                f"[tools.{name}] isn't frozen: {found.why}", hint=f"{found.todo} Or start without --frozen."
            )


def _loose(words: list[str], layers: int) -> Iterator[LoosePackage]:
    if not words or not layers:
        return
    program, rest = _program(words[0]), words[1:]
    if program == "env":
        yield from _loose(_without_variables(read_options(rest, _ENV_VALUES)[1]), layers - 1)
    elif program in _CARRIERS:
        yield from _loose(_command_in(rest), layers - 1)
    elif program == "cmd" and rest and rest[0].lower() == "/c":
        yield from _loose(rest[1:], layers - 1)
    elif program in _SHELLS:
        yield from _in_shell(_line_of(rest), layers - 1)
    else:
        yield from _of_runner(program, rest, layers)


def _of_runner(program: str, rest: list[str], layers: int) -> Iterator[LoosePackage]:
    called = [program, *read_options(rest, _GLOBAL_VALUES)[1]]
    for length in (1, 2, 3):
        reader = RUNNERS.get(tuple(called[:length]))
        if reader is not None:
            words = rest if length == 1 else called[length:]
            yield from reader(words)
            if program in ("npx", "npm"):
                yield from _in_shell(npm_call(words), layers - 1)
            return


def _in_shell(line: str, layers: int) -> Iterator[LoosePackage]:
    """What the commands of a shell's line take."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    command: list[str] = []
    try:
        words = [*lexer, ";"]
    except ValueError:  # the shell won't understand it either
        return
    for word in words:
        if not word or word.strip("();<>|&"):
            command.append(word)
        else:
            yield from _loose(_without_variables(command), layers)
            command = []


def _line_of(words: list[str]) -> str:
    """The line that a shell is given with `-c`, perhaps as one of several letters: `-lc`."""
    for word, line in pairwise(words):
        if word.startswith("-") and not word.startswith("--") and "c" in word:
            return line
    return ""


def _program(word: str) -> str:
    name = PureWindowsPath(PurePosixPath(word).name).name.lower()
    return next((name.removesuffix(ending) for ending in _ENDINGS if name.endswith(ending)), name)


def _without_variables(words: list[str]) -> list[str]:
    first = next((n for n, word in enumerate(words) if not _ASSIGNMENT.fullmatch(word)), len(words))
    return words[first:]


def _command_in(words: list[str]) -> list[str]:
    """The command behind a carrier's own options: `timeout -k 5 60 npx …`."""
    known = {program for program, *_ in RUNNERS} | {"env", "cmd", *_SHELLS, *_CARRIERS}
    first = next((n for n, word in enumerate(words) if _program(word) in known), len(words))
    return words[first:]
