"""How each kind of package runner names a package, and which names mean one version and no other."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

_COMMIT = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?", re.IGNORECASE)
_SEMVER = re.compile(r"[v=]?\d+\.\d+\.\d+([-+][0-9A-Za-z.+-]+)?")
_PYTHON_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(\[[^\]]*\])?")
_PYTHON_VERSION = r"\d+(\.\d+)*[0-9A-Za-z.!+_-]*"
_PYTHON_EXACT = re.compile(rf"\s*={{2,3}}\s*{_PYTHON_VERSION}\s*")
_PYTHON_AT = re.compile(rf"@{_PYTHON_VERSION}")
_IMAGE_DIGEST = re.compile(r"@sha256:[0-9a-f]{64}$")
_LOCAL = (".", "/", "~", "file:")

_NPM_VALUES = frozenset(
    (
        *("-p", "--package", "-c", "--call", "-w", "--workspace", "--registry", "--cache", "--userconfig"),
        *("--prefix", "--shell", "--script-shell", "--node-options", "--node-arg", "--loglevel"),
    )
)
_UV_VALUES = frozenset(
    (
        *("-p", "--python", "--from", "--with", "-w", "--with-editable", "--with-requirements", "--env-file"),
        *("-c", "--constraints", "-b", "--build-constraints", "--overrides", "-i", "--index-url", "--index"),
        *("--default-index", "--extra-index-url", "-f", "--find-links", "--cache-dir", "--directory"),
        *("--project", "--config-file", "--exclude-newer", "--index-strategy", "--keyring-provider"),
        *("--resolution", "--prerelease", "--link-mode", "--refresh-package", "--reinstall-package", "-P"),
        *("--upgrade-package", "--no-build-package", "--no-binary-package", "-C", "--config-setting"),
        *("--allow-insecure-host", "--color", "--extra", "--group", "--package"),
    )
)
_PIPX_VALUES = frozenset(("--spec", "--python", "--with", "--index-url", "-i", "--pip-args", "--backend"))
_DOCKER_FLAGS = frozenset(
    (
        *("--interactive", "--tty", "--detach", "--rm", "--init", "--privileged", "--read-only", "--quiet"),
        *("--publish-all", "--oom-kill-disable", "--no-healthcheck", "--disable-content-trust"),
        *("--sig-proxy", "--use-api-socket", "--replace", "--no-hosts"),
    )
)
_DOCKER_LETTERS = "itdPq"
"""Short options without a value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoosePackage:
    """A package that another version may take the place of, without the configuration having changed."""

    package: str
    why: str
    """A clause about the command: `npx takes …`."""
    todo: str


Reader: TypeAlias = Callable[[list[str]], Iterator[LoosePackage]]
"""What is loose among the words behind a runner's name."""


def read_options(words: list[str], takes_value: frozenset[str]) -> tuple[list[tuple[str, str]], list[str]]:
    """The options before the first word that is none, each with its value, and the words from there on."""
    options: list[tuple[str, str]] = []
    left = list(words)
    while left and left[0].startswith("-"):
        word = left.pop(0)
        if word == "--":
            break
        name, equals, value = word.partition("=")
        if not equals and name in takes_value and left:
            value = left.pop(0)
        options.append((name, value))
    return options, left


def npm_call(words: list[str]) -> str:
    """The line for a shell that npx was given with `--call`; empty where there is none."""
    return next(
        (value for name, value in read_options(words, _NPM_VALUES)[0] if name in ("-c", "--call")), ""
    )


def _npm(runner: str, words: list[str]) -> Iterator[LoosePackage]:
    options, positional = read_options(words, _NPM_VALUES)
    named = [value for name, value in options if name in ("-p", "--package")]
    in_shell = any(name in ("-c", "--call") for name, _ in options)
    for package in named or ([] if in_shell else positional[:1]):
        yield from _npm_package(runner, package)


def _npm_package(runner: str, package: str) -> Iterator[LoosePackage]:
    # An alias, NAME@npm:OTHER@1.2.3: the other one is what runs.
    spec = package.partition("@npm:")[2] or package
    if spec.startswith(_LOCAL):
        return
    if ":" in spec or spec.count("/") > spec.startswith("@"):
        if not _COMMIT.fullmatch(spec.rpartition("#")[2]):
            yield _at_an_address(runner, package)
        return
    name, _, version = spec[1:].partition("@")
    if not _SEMVER.fullmatch(version):
        yield _newest(runner, spec[:1] + name, version, write=f"{spec[:1]}{name}@X.Y.Z")


def _deno(runner: str, words: list[str]) -> Iterator[LoosePackage]:
    target = next((word for word in words if not word.startswith("-")), "")
    registry, colon, spec = target.partition(":")
    if registry in ("npm", "jsr"):
        scope, slash, rest = spec.partition("/") if spec.startswith("@") else ("", "", spec)
        name, _, version = rest.partition("/")[0].partition("@")
        if not _SEMVER.fullmatch(version):
            whole = f"{registry}{colon}{scope}{slash}{name}"
            yield _newest(runner, whole, version, write=f"{whole}@X.Y.Z")
    elif spec.startswith("//"):
        yield _at_an_address(runner, target)


def _uvx(runner: str, words: list[str]) -> Iterator[LoosePackage]:
    options, positional = read_options(words, _UV_VALUES)
    named = [value for name, value in options if name == "--from"]
    for package in named or positional[:1]:
        yield from _python_package(runner, package)
    yield from _beside(runner, options)


def _uv_run(runner: str, words: list[str]) -> Iterator[LoosePackage]:
    yield from _beside(runner, read_options(words, _UV_VALUES)[0])


def _pipx(runner: str, words: list[str]) -> Iterator[LoosePackage]:
    options, positional = read_options(words, _PIPX_VALUES)
    named = [value for name, value in options if name == "--spec"]
    for package in named or positional[:1]:
        yield from _python_package(runner, package)
    yield from _beside(runner, options)


def _beside(runner: str, options: list[tuple[str, str]]) -> Iterator[LoosePackage]:
    for name, value in options:
        for package in value.split(",") if name in ("--with", "-w") else ():
            yield from _python_package(f"{runner} {name}", package)


def _python_package(runner: str, package: str) -> Iterator[LoosePackage]:
    spec = package.partition(";")[0].strip()
    if spec.startswith(_LOCAL):
        return
    if "://" in spec:
        commit = spec.partition("#")[0].rpartition("@")[2]
        if not (_COMMIT.fullmatch(commit) or "#sha256=" in spec):
            yield _at_an_address(runner, package)
        return
    found = _PYTHON_NAME.match(spec)
    name = found[0] if found else spec
    rest = spec[len(name) :].strip()
    if not (_PYTHON_AT.fullmatch(rest) or any(_PYTHON_EXACT.fullmatch(part) for part in rest.split(","))):
        yield _newest(runner, name, rest.removeprefix("@"), write=f"{name}==X.Y.Z")


def _image(runner: str, words: list[str]) -> Iterator[LoosePackage]:
    waiting = iter(words)
    for word in waiting:
        if not word.startswith("-"):
            if not _IMAGE_DIGEST.search(word):
                yield _moving_tag(runner, word)
            return
        if word.startswith("--"):
            takes_next = word != "--" and "=" not in word and word not in _DOCKER_FLAGS
        else:
            takes_next = len(word[1:].lstrip(_DOCKER_LETTERS)) == 1
        if takes_next:
            next(waiting, None)


def _go(runner: str, words: list[str]) -> Iterator[LoosePackage]:
    target = next((word for word in words if not word.startswith("-")), "")
    name, at, version = target.partition("@")
    if at and not (version.startswith("v") and _SEMVER.fullmatch(version)):
        yield _newest(runner, name, version, write=f"{name}@vX.Y.Z")


_KINDS: Mapping[tuple[str, ...], Callable[[str, list[str]], Iterator[LoosePackage]]] = {
    ("npx",): _npm,
    ("npm", "exec"): _npm,
    ("npm", "x"): _npm,
    ("pnpx",): _npm,
    ("pnpm", "dlx"): _npm,
    ("yarn", "dlx"): _npm,
    ("bunx",): _npm,
    ("bun", "x"): _npm,
    ("deno", "run"): _deno,
    ("uvx",): _uvx,
    ("uv", "tool", "run"): _uvx,
    ("uv", "run"): _uv_run,
    ("pipx", "run"): _pipx,
    ("docker", "run"): _image,
    ("docker", "container", "run"): _image,
    ("podman", "run"): _image,
    ("podman", "container", "run"): _image,
    ("nerdctl", "run"): _image,
    ("go", "run"): _go,
}
RUNNERS: Mapping[tuple[str, ...], Reader] = {
    words: partial(kind, " ".join(words)) for words, kind in _KINDS.items()
}
"""Programs that fetch what they run, by the words that call them."""


def _newest(runner: str, name: str, version: str, *, write: str) -> LoosePackage:
    which = (
        f"any version of {name} that fits {version!r}" if version else f"whatever version of {name} is newest"
    )
    return LoosePackage(
        package=f"{name}@{version}" if version[:1].isalnum() else f"{name}{version}",
        why=f"{runner} takes {which}",
        todo=f"Write {write}, with the version that you have looked at.",
    )


def _at_an_address(runner: str, package: str) -> LoosePackage:
    return LoosePackage(
        package=package,
        why=f"{runner} takes whatever is at {package} at that moment",
        todo="Name a whole commit (npm: …#COMMIT, Python: git+https://…@COMMIT), or a registry's version.",
    )


def _moving_tag(runner: str, image: str) -> LoosePackage:
    return LoosePackage(
        package=image,
        why=f"{runner} takes the image that is called {image} at that moment",
        todo=f"Write NAME@sha256:…; `docker image inspect {image}` tells it under RepoDigests.",
    )
