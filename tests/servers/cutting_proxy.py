"""A real network connection to PostgreSQL that breaks exactly where it hurts."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Literal

Fault = Literal["answer lost", "request lost", "held"]
"""What the next COMMIT meets: its answer is lost; it is lost itself; it stays on the way until `cut`."""


class CuttingProxy:
    """Forwards to a server's socket, and does to the next COMMIT what `fault` says."""

    def __init__(self, upstream: Path) -> None:
        self._upstream = upstream
        self.fault: Fault | None = None
        self.struck = asyncio.Event()
        """Set when the fault has happened."""
        self.cut = asyncio.Event()
        """To be set by the test: ends a connection that is held."""
        self.away = False
        """Whether new connections are refused."""
        self.port = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carries one connection."""
        try:
            if not self.away:
                await self._connect(reader, writer)
        finally:
            writer.transport.abort()

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            answers, requests = await asyncio.open_unix_connection(self._upstream)
        except OSError:
            return
        back = asyncio.create_task(self._carry(answers, writer))
        try:
            while data := await reader.read(65536):
                if self.fault is not None and b"COMMIT" in data:
                    await self._strike(data, back, answers, requests)
                    break
                requests.write(data)
        except ConnectionError:
            pass
        finally:
            requests.close()  # first: who is cancelled while it waits goes no further
            back.cancel()
            await asyncio.gather(back, return_exceptions=True)

    async def _strike(
        self,
        data: bytes,
        back: "asyncio.Task[None]",
        answers: asyncio.StreamReader,
        requests: asyncio.StreamWriter,
    ) -> None:
        fault, self.fault = self.fault, None
        back.cancel()
        await asyncio.gather(back, return_exceptions=True)
        if fault == "answer lost":
            requests.write(data)
            await answers.read(65536)
        self.struck.set()
        if fault == "held":
            await self.cut.wait()

    @staticmethod
    async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65536):
                writer.write(data)
        except ConnectionError:
            pass
        writer.close()


@asynccontextmanager
async def cutting_proxy(upstream: Path) -> AsyncIterator[CuttingProxy]:
    """A proxy on a free port of this machine."""
    proxy = CuttingProxy(upstream)
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        task.add_done_callback(tasks.discard)
        await proxy.serve(reader, writer)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        proxy.cut.set()
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
