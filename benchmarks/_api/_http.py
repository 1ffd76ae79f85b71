"""A client of few lines on plain sockets: five hundred of a usual one would be what is measured."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

LINE = 1 << 20
"""Bytes that a header line may have: places in many runs are long."""


class Connection:
    """One connection, which is kept for the next request unless a stream was left in its middle."""

    def __init__(self, address: str, key: str) -> None:
        self._address = urlsplit(address)
        self._key = key
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Breaks the connection off."""
        if self._streams is not None:
            writer = self._streams[1]
            self._streams = None
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()

    async def ask(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """The status and the JSON of an answer."""
        status, headers, reader = await self._send(method, path, body, {})
        content = await reader.readexactly(int(headers["content-length"]))
        return status, json.loads(content)

    async def follow(self, path: str, last: str) -> AsyncIterator[dict[str, str]]:
        """The events of a stream, each with its fields."""
        more = {"Last-Event-ID": last} if last else {}
        status, headers, reader = await self._send("GET", path, None, more)
        if status != 200 or headers.get("transfer-encoding") != "chunked":
            raise RuntimeError(f"{path} was answered with {status}")
        waiting = ""
        while size := int((await reader.readline()).strip() or b"0", 16):
            waiting += (await reader.readexactly(size)).decode()
            await reader.readexactly(2)
            *whole, waiting = waiting.split("\n\n")
            for text in whole:
                fields = dict(line.split(": ", 1) for line in text.split("\n") if line[:1] not in ("", ":"))
                if "event" in fields:
                    yield fields
        await self.close()

    async def _send(
        self, method: str, path: str, body: Any, more: Mapping[str, str]
    ) -> tuple[int, dict[str, str], asyncio.StreamReader]:
        if self._streams is None:
            host, port = self._address.hostname, self._address.port
            self._streams = await asyncio.open_connection(host, port, limit=LINE)
        reader, writer = self._streams
        content = b"" if body is None else json.dumps(body).encode()
        headers = {
            "Host": self._address.netloc,
            "Authorization": f"Bearer {self._key}",
            "Content-Type": "application/json",
            "Content-Length": str(len(content)),
            **more,
        }
        head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        writer.write(f"{method} /api/v1{path} HTTP/1.1\r\n{head}\r\n".encode() + content)
        await writer.drain()
        status = int((await reader.readline()).split()[1])
        answered: dict[str, str] = {}
        while line := (await reader.readline()).decode().strip():
            name, _, value = line.partition(":")
            answered[name.lower()] = value.strip()
        return status, answered, reader
