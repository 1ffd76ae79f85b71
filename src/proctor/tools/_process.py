"""A child process whose end is an event and which can be ended for certain, with all that it started."""

import asyncio
import os
import signal
from asyncio.subprocess import PIPE, SubprocessStreamProtocol
from contextlib import suppress
from pathlib import Path

_GRACE = 2.0
"""Seconds in which a process may end after its stdin closed, again after SIGTERM, and after SIGKILL."""


class Process:
    """A child in a session of its own, with pipes for stdin, stdout and stderr."""

    def __init__(self, transport: asyncio.SubprocessTransport, protocol: "_Protocol") -> None:
        self._transport = transport
        self._protocol = protocol
        assert protocol.stdin
        assert protocol.stdout
        assert protocol.stderr
        self.stdin, self.stdout, self.stderr = protocol.stdin, protocol.stdout, protocol.stderr

    @classmethod
    async def start(
        cls, command: tuple[str, ...], env: dict[str, str], cwd: Path | None, line_limit: int
    ) -> "Process":
        """A running process. `env` is its whole environment; `line_limit` is in bytes.

        Raises:
            OSError: the program can't be started.
        """
        # `asyncio.create_subprocess_exec` keeps back the protocol, which alone tells of the exit while a
        # grandchild still holds the pipes.
        loop = asyncio.get_running_loop()
        transport, protocol = await loop.subprocess_exec(
            lambda: _Protocol(line_limit, loop),
            *command,
            stdin=PIPE,
            stdout=PIPE,
            stderr=PIPE,
            env=env,
            cwd=cwd,
            start_new_session=True,
        )
        return cls(transport, protocol)

    @property
    def returncode(self) -> int | None:
        """The exit code, negative for a signal; none while the process lives."""
        return self._transport.get_returncode()

    async def exited(self) -> None:
        """Returns when the process has ended, whoever holds its pipes."""
        await self._protocol.exited.wait()

    async def stop(self) -> bool:
        """Ends the process within six seconds; true where closing its stdin was enough."""
        self.stdin.close()
        by_itself = await self._ends()
        # Also after its own end, for the children that it may have left.
        self._signal(signal.SIGTERM)
        if not await self._ends():
            self._signal(signal.SIGKILL)
            await self._ends()
        return by_itself

    def release(self) -> None:
        """Gives the pipes back, also where a grandchild still holds their other ends."""
        self._transport.close()

    def _signal(self, sign: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self._transport.get_pid(), sign)

    async def _ends(self) -> bool:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._protocol.exited.wait(), _GRACE)
        return self._protocol.exited.is_set()


class _Protocol(SubprocessStreamProtocol):
    stdin: asyncio.StreamWriter | None
    stdout: asyncio.StreamReader | None
    stderr: asyncio.StreamReader | None

    def __init__(self, limit: int, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(limit=limit, loop=loop)
        self.exited = asyncio.Event()

    def process_exited(self) -> None:
        super().process_exited()
        self.exited.set()


def exit_text(code: int) -> str:
    """How a process ended, for people."""
    if code >= 0:
        return f"its process exited with code {code}"
    with suppress(ValueError):
        return f"its process was ended by {signal.Signals(-code).name}"
    return f"its process was ended by signal {-code}"
