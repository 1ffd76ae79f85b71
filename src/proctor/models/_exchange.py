"""What batches send and fetch, over one endpoint's connections: each HTTP request once."""

import asyncio
import json
from collections.abc import Callable, Mapping
from typing import Any, cast

from proctor.core import ModelNonsense
from proctor.models._batch_values import Line
from proctor.models._failures import Failures

SECONDS = 300.0
"""For one request: what is sent may be large."""
CONNECT_SECONDS = 10.0
WORDS = 300
"""Characters of a provider's message that are kept."""


class Exchange:
    """Exchanges JSON and files with an endpoint. `http` is a client of the library that its SDK brings."""

    def __init__(self, http: Any, failures: Failures) -> None:
        self._http = http
        self._failures = failures

    async def ask(self, method: str, path: str, **parts: Any) -> dict[str, Any]:
        """The JSON object that a request is answered with.

        Raises:
            ModelError: there is none.
        """
        response = await self._send(method, path, **parts)
        with self._failures.typed(SECONDS):
            answer = response.json()
        if not isinstance(answer, dict):
            raise ModelNonsense(f"the answer of {path} is not a JSON object")
        return cast("dict[str, Any]", answer)

    async def fetch(self, path: str) -> bytes:
        """The content of a file.

        Raises:
            ModelError: it can't be fetched.
        """
        content: bytes = (await self._send("GET", path)).content
        return content

    async def close(self) -> None:
        """Closes the connections."""
        await self._http.aclose()

    async def _send(self, method: str, path: str, **parts: Any) -> Any:
        with self._failures.typed(SECONDS):
            async with asyncio.timeout(SECONDS):
                response = await self._http.request(method, path, **parts)
        if not response.is_success:
            raise self._failures.refusal(response.status_code, response.headers, response.text)
        return response


def id_of(thing: Mapping[str, Any]) -> str:
    """The id that a provider gave to a thing: it becomes a part of addresses.

    Raises:
        ModelNonsense: it gave none.
    """
    id = thing.get("id")
    if not isinstance(id, str) or not id.replace("-", "").replace("_", "").isalnum():
        raise ModelNonsense("the provider gives no id")
    return id


def objects_in(answer: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    """The JSON objects of a list in an answer."""
    listed = answer.get(name)
    return [each for each in listed if isinstance(each, dict)] if isinstance(listed, list) else []


def lines_of(content: bytes, read: Callable[[Any], Line]) -> list[Line]:
    """What the lines of a file say. JSON itself may hold what other functions take for the end of a line."""
    return [_line(text, read) for text in content.split(b"\n") if text.strip()]


def _line(text: bytes, read: Callable[[Any], Line]) -> Line:
    try:
        return read(json.loads(text))
    except (ValueError, RecursionError, KeyError, TypeError, AttributeError):
        return Line(key="", body=None, error="the provider's answer can't be read")
