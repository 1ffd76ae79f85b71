"""A provider's batch interface: files of requests in, files of answers out, as OpenAI has it.

Importing this module imports the OpenAI SDK: only the first batch does it.
"""

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import Any, Literal, cast

from openai import DefaultAsyncHttpxClient, Timeout

from proctor.core import JsonObject, ModelNonsense
from proctor.models._deployments import Endpoint
from proctor.models._failures import Failures

OURS = "proctor_batch"
"""The metadata by which a batch is found again at the provider."""

OVER_LIMIT = frozenset({"token_limit_exceeded", "rate_limit_exceeded"})
"""Why a provider refuses a whole batch although nothing is wrong with it."""

_ENDED = frozenset({"completed", "failed", "expired", "cancelled"})
_WINDOW = "24h"
_URL = "/v1/chat/completions"
_PAGE = 100
_WORDS = 300
_SECONDS = 300.0
"""For one request: files are large."""
_CONNECT_SECONDS = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """Where a provider stands with a batch."""

    id: str
    state: Literal["working", "stopping", "ended"]
    files: tuple[str, ...]
    """Those with answers and those with errors."""
    sent: str
    """The file that was sent."""
    error: str
    """Why it ended without having done all; else nothing."""
    over_limit: bool
    """Whether it may be sent again later: nothing of it was done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """What came of one request."""

    key: str
    body: JsonObject | None
    """The completion."""
    error: str


class BatchClient:
    """Sends batches to one endpoint, each HTTP request once."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._failures = Failures(endpoint)
        # A redirect would take the request to an address that the configuration doesn't name.
        self._http = DefaultAsyncHttpxClient(
            base_url=endpoint.base_url,
            timeout=Timeout(_SECONDS, connect=_CONNECT_SECONDS),
            follow_redirects=False,
            headers={"Authorization": f"Bearer {endpoint.api_key}"} if endpoint.api_key else {},
        )

    async def close(self) -> None:
        """Closes the connections."""
        await self._http.aclose()

    async def submit(self, requests: Sequence[tuple[str, str]], *, id: str) -> Progress:
        """The provider's batch of requests: each has a name and a body of JSON.

        Raises:
            ModelRefused: the provider takes none.
            ModelError: it isn't known whether the provider has it.
        """
        content = await asyncio.to_thread(_file, requests)
        file = await self._ask(
            "POST", "/files", data={"purpose": "batch"}, files={"file": (f"{id}.jsonl", content)}
        )
        wanted = {
            "input_file_id": _id(file),
            "endpoint": _URL,
            "completion_window": _WINDOW,
            "metadata": {OURS: id},
        }
        return _progress(await self._ask("POST", "/batches", json=wanted))

    async def find(self, id: str, *, since: datetime) -> Progress | None:
        """The batch that the provider has under our id, among those that it was given since then."""
        after: dict[str, str] = {}
        while True:
            answer = await self._ask("GET", "/batches", params={"limit": str(_PAGE), **after})
            data = answer.get("data")
            found = [each for each in data if isinstance(each, dict)] if isinstance(data, list) else []
            for batch in found:
                metadata = batch.get("metadata")
                if isinstance(metadata, dict) and metadata.get(OURS) == id:
                    return _progress(batch)
            made = found[-1].get("created_at") if found else None
            if not answer.get("has_more") or not isinstance(made, int | float) or made < since.timestamp():
                return None
            after = {"after": _id(found[-1])}

    async def look(self, provider_id: str) -> Progress:
        """Where the provider stands with a batch."""
        return _progress(await self._ask("GET", f"/batches/{provider_id}"))

    async def stop(self, provider_id: str) -> None:
        """Asks the provider to do no more of a batch; what it has done comes in its files all the same."""
        await self._ask("POST", f"/batches/{provider_id}/cancel")

    async def read(self, file: str) -> list[Line]:
        """What a file of answers or errors says of each request."""
        response = await self._send("GET", f"/files/{file}/content")
        return await asyncio.to_thread(_lines, response.content)

    async def forget(self, file: str) -> None:
        """Deletes a file at the provider."""
        await self._send("DELETE", f"/files/{file}")

    async def _ask(self, method: str, path: str, **parts: Any) -> dict[str, Any]:
        response = await self._send(method, path, **parts)
        with self._failures.typed(_SECONDS):
            answer = response.json()
        if not isinstance(answer, dict):
            raise ModelNonsense(f"the answer of {path} is not a JSON object")
        return cast("dict[str, Any]", answer)

    async def _send(self, method: str, path: str, **parts: Any) -> Any:
        with self._failures.typed(_SECONDS):
            async with asyncio.timeout(_SECONDS):
                response = await self._http.request(method, path, **parts)
        if not response.is_success:
            raise self._failures.refusal(response.status_code, response.headers, response.text)
        return response


def _file(requests: Sequence[tuple[str, str]]) -> bytes:
    """The requests as JSON lines. The bodies are JSON without line breaks already."""
    lines = (
        f'{{"custom_id":{json.dumps(key)},"method":"POST","url":"{_URL}","body":{body}}}\n'
        for key, body in requests
    )
    return "".join(lines).encode()


def _progress(batch: Mapping[str, Any]) -> Progress:
    status = batch.get("status")
    errors = batch.get("errors")
    listed = errors.get("data") if isinstance(errors, dict) else None
    first = next((each for each in listed or () if isinstance(each, dict)), {})
    files = tuple(
        file for name in ("output_file_id", "error_file_id") if isinstance(file := batch.get(name), str)
    )
    error = "" if status == "completed" else f"the provider's batch is {status}"
    if first.get("message"):
        error = f"{error}: {str(first['message'])[:_WORDS]}"
    state: Literal["working", "stopping", "ended"] = "stopping" if status == "cancelling" else "working"
    return Progress(
        id=_id(batch),
        state="ended" if status in _ENDED else state,
        files=files,
        sent=sent if isinstance(sent := batch.get("input_file_id"), str) else "",
        error=error,
        over_limit=status == "failed" and first.get("code") in OVER_LIMIT,
    )


def _id(thing: Mapping[str, Any]) -> str:
    id = thing.get("id")
    if not isinstance(id, str) or not id.replace("-", "").replace("_", "").isalnum():
        raise ModelNonsense("the provider gives no id")
    return id


def _lines(content: bytes) -> list[Line]:
    """Each line apart: JSON itself may hold what other functions take for the end of a line."""
    return [_line(text) for text in content.split(b"\n") if text.strip()]


def _line(text: bytes) -> Line:
    try:
        line = json.loads(text)
        key, response = str(line["custom_id"]), line.get("response") or {}
        body = response.get("body")
        status = response.get("status_code")
    except (ValueError, RecursionError, KeyError, TypeError, AttributeError):
        return Line(key="", body=None, error="the provider's answer can't be read")
    if status == HTTPStatus.OK and isinstance(body, dict):
        return Line(key=key, body=body, error="")
    said = line.get("error") or (body.get("error") if isinstance(body, dict) else None) or {}
    words = said.get("message") or said.get("code") if isinstance(said, dict) else said
    return Line(key=key, body=None, error=str(words or f"the provider answered {status}")[:_WORDS])
