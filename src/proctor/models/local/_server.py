"""Keeps one OpenAI-compatible model server alive beside this process, on loopback, while it lives."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import json
import os
import secrets
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Literal, Self

from proctor.models.local._errors import LocalExtraMissing, LocalServerFailed
from proctor.models.local._lock import Lock
from proctor.models.local._pull import verified

_CHILD = Path(__file__).with_name("_child.py")
_LOG_LINES = 12
_LOG_BYTES = 8192
_STOP_SECONDS = 5.0
_BACKOFF_SECONDS = (0.5, 1.0, 2.0, 5.0, 15.0, 30.0)

ServerState = Literal["stopped", "starting", "ready", "restarting"]


def _cores() -> int:
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerOptions:
    """How a local model server runs."""

    context_tokens: int = 8192
    """Prompt and answer together, for each slot."""
    slots: int = 1
    """Requests computed at the same time; more than one makes each slower."""
    threads: int | None = None
    """None means as many as this process has cores."""
    prompt_cache_mib: int = 1024
    """Memory for prompts of other agents, so that alternating between them needs no recomputing."""
    start_seconds: float = 180.0
    """A cold disk took 73 s for 1.1 GB; a warm one takes 3 s."""


class LocalServer:
    """An OpenAI-compatible endpoint for one local model, up for as long as the context lasts.

    When the server process dies it is started again at the same address, with growing pauses; calls made
    meanwhile fail to connect. When this process dies, in whatever way, the server ends too.

        async with LocalServer("qwen2.5-coder-1.5b-instruct-q4_k_m", folder=folder) as server:
            client = AsyncOpenAI(base_url=server.base_url, api_key=server.api_key)
    """

    def __init__(
        self,
        name: str,
        *,
        folder: Path,
        options: ServerOptions = ServerOptions(),
        lock: Lock | None = None,
    ) -> None:
        self.name = name
        self.api_key = secrets.token_urlsafe(24)
        """Without a key any page in a browser on this machine could use the server."""
        self.state: ServerState = "stopped"
        self.restarts = 0
        self._folder = folder
        self._options = options
        self._lock = lock
        self._file = Path()
        self._address = ""
        self._log: IO[bytes] | None = None
        self._process: asyncio.subprocess.Process | None = None
        self._watch: asyncio.Task[None] | None = None
        self._ready = asyncio.Event()

    @property
    def base_url(self) -> str:
        """The address for an OpenAI client; it stays the same when the server is restarted."""
        return f"{self._address}/v1"

    @property
    def pid(self) -> int | None:
        """The server's process, while there is one."""
        return self._process.pid if self._process and self._process.returncode is None else None

    async def __aenter__(self) -> Self:
        """The server, once it answers requests.

        Raises:
            LocalModelUnknown: the lock has no such model.
            LocalModelMissing: the model has not been pulled.
            LocalModelTampered: the file isn't the pinned one.
            LocalExtraMissing: the runtime isn't installed.
            LocalServerFailed: the server ended, or didn't get ready in time.
        """
        if importlib.util.find_spec("xllamacpp") is None:
            raise LocalExtraMissing
        self._file = await verified(self.name, folder=self._folder, lock=self._lock)
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - closed in _stop
        self.state = "starting"
        try:
            await self._start(self._log)
        except BaseException:
            await self._stop()
            raise
        self._watch = asyncio.create_task(self._keep_alive(self._log), name=f"local-server:{self.name}")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._watch is not None:
            self._watch.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._watch
            self._watch = None
        await self._stop()

    async def ready(self, *, within_seconds: float) -> None:
        """Returns as soon as the server answers, at once if it does.

        Raises:
            LocalServerFailed: it didn't within that time.
        """
        try:
            async with asyncio.timeout(within_seconds):
                await self._ready.wait()
        except TimeoutError:
            raise LocalServerFailed(f"is not ready after {within_seconds:g} s", self._log_tail()) from None

    async def _start(self, log: IO[bytes]) -> None:
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", str(_CHILD)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=log,
            # Spinning threads fall from 18 to about one token a second as soon as anything else wants a core.
            env={**os.environ, "OMP_WAIT_POLICY": "PASSIVE"},
            # Ctrl-C is for the parent, which stops this child in its own order.
            start_new_session=True,
        )
        address = await self._first_line(self._process)
        if not address:
            code = await self._process.wait()
            raise LocalServerFailed(f"ended with exit code {code} while starting", self._log_tail())
        self._address = address
        self.state = "ready"
        self._ready.set()

    async def _first_line(self, process: asyncio.subprocess.Process) -> str:
        """The address that the child writes when it is ready, or nothing if it ends before."""
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(self._settings_line())
        seconds = self._options.start_seconds
        try:
            async with asyncio.timeout(seconds):
                return (await process.stdout.readline()).decode().strip()
        except TimeoutError:
            raise LocalServerFailed(f"is not ready after {seconds:g} s", self._log_tail()) from None

    def _settings_line(self) -> bytes:
        port = int(self._address.rpartition(":")[2]) if self._address else 0
        settings = {
            **asdict(self._options),
            "name": self.name,
            "file": str(self._file),
            "port": port,
            "api_key": self.api_key,
            "threads": self._options.threads or _cores(),
        }
        return json.dumps(settings).encode() + b"\n"

    async def _keep_alive(self, log: IO[bytes]) -> None:
        """Starts the server again whenever it ends, for as long as this task lives."""
        failures = 0
        while True:
            if self._process is not None:
                await self._process.wait()
            self.state = "restarting"
            self._ready.clear()
            await asyncio.sleep(_BACKOFF_SECONDS[min(failures, len(_BACKOFF_SECONDS) - 1)])
            try:
                await self._start(log)
            except (LocalServerFailed, OSError):
                failures += 1
                await self._end_process()
            else:
                failures = 0
                self.restarts += 1

    async def _stop(self) -> None:
        await self._end_process()
        self.state = "stopped"
        self._ready.clear()
        if self._log is not None:
            self._log.close()
            self._log = None

    async def _end_process(self) -> None:
        process, self._process = self._process, None
        if process is None or process.returncode is not None:
            return
        assert process.stdin is not None
        process.stdin.close()
        try:
            async with asyncio.timeout(_STOP_SECONDS):
                await process.wait()
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):  # It may have ended in the same moment.
                process.kill()
            await process.wait()

    def _log_tail(self) -> tuple[str, ...]:
        if self._log is None:
            return ()
        # Reading at a place of its own: the child writes through the same position.
        size = os.fstat(self._log.fileno()).st_size
        tail = os.pread(self._log.fileno(), _LOG_BYTES, max(0, size - _LOG_BYTES))
        return tuple(tail.decode(errors="replace").splitlines()[-_LOG_LINES:])
