"""A tool server that is a child process, as a transport for the MCP SDK which can tell why it ended.

The SDK's own stdio transport hides the exit code, hands on more of our environment than a server needs and
buffers a line without bound; this one does not. It knows no MCP beyond one JSON-RPC message a line.
"""

import asyncio
import json
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import anyio
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from mcp.shared.message import SessionMessage
from mcp_types import JSONRPCMessage, jsonrpc_message_adapter

from proctor.core import ToolServerSettings, in_own_thread, to_its_end
from proctor.tools._environment import elsewhere, environment_of
from proctor.tools._process import Process, exit_text
from proctor.tools._text import cut, printable

MESSAGE_LIMIT = 16 * 1024 * 1024
"""Bytes of one message. A longer one ends the session, since the answer that it holds can't be read."""

Streams = tuple[MemoryObjectReceiveStream[SessionMessage | Exception], MemoryObjectSendStream[SessionMessage]]

_WAITING_LIMIT = 1000
"""Answers to requests of the server that wait to be written. More of them: it writes and doesn't read."""

_WRITES_AHEAD = 64
"""Messages that may wait for a server that reads slowly, so that giving up a call needn't wait as well."""

_EOF_GRACE = 1.0
"""Seconds between a process's exit and the end of its stdout, which a grandchild may hold open for ever."""

_KEPT_BYTES = 4096
"""Of what the server writes that is no message."""
_STDERR_LINES = 10
_LINE = 300
"""Characters of a line of the server's that are shown."""
_SHORTEST_SECRET = 6


class StdioLink:
    """The way to a server that is a child process. Good for one connection."""

    def __init__(self, name: str, settings: ToolServerSettings, environ: Mapping[str, str]) -> None:
        self._settings = settings
        self._environment = environment_of(name, settings, environ)
        self._secrets = (*settings.env.values(), *(self._environment[each] for each in settings.env_from))
        self._exit: int | None = None
        self._complaint = ""
        self._garbage = ""
        self._stderr = bytearray()

    @property
    def title(self) -> str:
        """The command, for people."""
        return f"`{cut(' '.join(self._settings.command), 300)}`"

    @property
    def hint(self) -> str:
        """What to try when the server fails."""
        hint = f"Run {self.title} by hand: it should print nothing and wait for input."
        where = "" if self._settings.cwd else " It runs in an empty folder; `cwd` names another."
        return hint + where

    @asynccontextmanager
    async def connect(self, over: Callable[[], None], /) -> AsyncGenerator[Streams]:
        """The streams to and from the server; calls `over` when the server has ended the connection.

        Raises:
            OSError: the program can't be started.
        """
        async with self._workplace() as (command, folder):
            process = await Process.start(command, self._environment, folder, MESSAGE_LIMIT)
            async with self._streams(process, over) as streams:
                yield streams

    @asynccontextmanager
    async def _workplace(self) -> AsyncGenerator[tuple[tuple[str, ...], Path]]:
        """The command and the folder that it runs in: where none is named an empty one of its own."""
        command, folder = self._settings.command, self._settings.cwd
        if folder is not None:
            yield command, folder
            return
        command = elsewhere(command, self._environment.get("PATH", ""))
        private = TemporaryDirectory(prefix="proctor-tool-", ignore_cleanup_errors=True)
        try:
            yield command, Path(private.name)
        finally:
            await in_own_thread(private.cleanup, name="proctor-tool-folder")

    @asynccontextmanager
    async def _streams(self, process: Process, over: Callable[[], None]) -> AsyncGenerator[Streams]:
        inbound, read = anyio.create_memory_object_stream[SessionMessage | Exception](0)
        write, outbound = anyio.create_memory_object_stream[SessionMessage](_WRITES_AHEAD)
        lost = asyncio.Event()

        def end() -> None:
            lost.set()
            inbound.close()
            over()

        reader = asyncio.create_task(self._read(process, inbound, outbound, end))
        tasks = [
            reader,
            asyncio.create_task(_write(process, outbound, end)),
            asyncio.create_task(self._keep_stderr(process)),
            asyncio.create_task(_watch(process, reader, end)),
        ]

        async def leave(*, by_itself: bool) -> None:
            read.close()
            if await process.stop() and by_itself:
                self._exit = process.returncode
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            for stream in (inbound, read, write, outbound):
                stream.close()
            process.release()

        try:
            yield read, write
        finally:
            await to_its_end(leave(by_itself=lost.is_set()))

    def account(self) -> str:
        """What is known about the end of the connection, with the server's last lines on stderr."""
        parts = [self._complaint] if self._complaint else []
        if self._exit is not None:
            parts.append(exit_text(self._exit))
        if self._garbage:
            parts.append(f"it wrote to its stdout what is no JSON-RPC message: {self._garbage!r}")
        text = "; ".join(parts)
        if lines := self._stderr_lines():
            text += "\nIts last lines on stderr:\n" + "\n".join(f"  {line}" for line in lines)
        return text

    async def _read(
        self,
        process: Process,
        inbound: MemoryObjectSendStream[SessionMessage | Exception],
        outbound: MemoryObjectReceiveStream[SessionMessage],
        end: Callable[[], None],
    ) -> None:
        try:
            while line := await process.stdout.readline():
                message = _parse(line)
                if message is not None:
                    await inbound.send(SessionMessage(message))
                elif line.strip():
                    self._garbage = self._shown(line[:_KEPT_BYTES].decode("utf-8", "replace"))
                    # A flood of garbage must not keep everything else from running.
                    await asyncio.sleep(0)
                if outbound.statistics().tasks_waiting_send > _WAITING_LIMIT:
                    self._complaint = "it sends requests and doesn't read the answers"
                    break
        except ValueError:
            self._complaint = f"it sent a message of more than {MESSAGE_LIMIT:,} bytes"
        except (anyio.ClosedResourceError, anyio.BrokenResourceError):
            pass
        end()
        # A server that still writes must not hang on a full pipe while it is asked to end.
        while await process.stdout.read(65536):
            pass

    async def _keep_stderr(self, process: Process) -> None:
        while chunk := await process.stderr.read(_KEPT_BYTES):
            self._stderr += chunk
            del self._stderr[:-_KEPT_BYTES]

    def _stderr_lines(self) -> list[str]:
        lines = map(self._shown, self._stderr.decode("utf-8", "replace").splitlines())
        return [line for line in lines if line][-_STDERR_LINES:]

    def _shown(self, line: str) -> str:
        # Servers like to print the key that doesn't work, and this text reaches logs and models.
        for value in self._secrets:
            if len(value) >= _SHORTEST_SECRET:
                line = line.replace(value, "[hidden]")
        return cut(printable(line).strip(), _LINE)


async def _write(
    process: Process, outbound: MemoryObjectReceiveStream[SessionMessage], end: Callable[[], None]
) -> None:
    try:
        async for item in outbound:
            line = item.message.model_dump_json(by_alias=True, exclude_unset=True)
            process.stdin.write(line.encode() + b"\n")
            await process.stdin.drain()
    except OSError:
        # It may live on, but nothing can be asked of it any more.
        end()


async def _watch(process: Process, reader: asyncio.Task[None], end: Callable[[], None]) -> None:
    await process.exited()
    await asyncio.wait({reader}, timeout=_EOF_GRACE)
    end()


def _parse(line: bytes) -> JSONRPCMessage | None:
    try:
        return jsonrpc_message_adapter.validate_json(line, by_name=False)
    except ValueError:
        pass
    try:
        # JavaScript escapes half a character as it stands, where a text was cut within an emoji; pydantic
        # takes none, and a call whose answer is dropped would wait for ever.
        text = json.dumps(json.loads(line), ensure_ascii=False)
        return jsonrpc_message_adapter.validate_json(text.encode("utf-8", "ignore"), by_name=False)
    except (ValueError, RecursionError):
        return None
