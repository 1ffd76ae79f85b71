"""A provider's batch interface: files of requests in, files of answers out, as OpenAI has it.

Importing this module imports the OpenAI SDK: only the first batch does it.
"""

import asyncio
import json
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from http import HTTPStatus
from typing import Any, Literal

from openai import DefaultAsyncHttpxClient, Timeout

from proctor.models._batch_values import Line, Progress
from proctor.models._deployments import Endpoint
from proctor.models._exchange import CONNECT_SECONDS, SECONDS, WORDS, Exchange, id_of, lines_of, objects_in
from proctor.models._failures import Failures

OURS = "proctor_batch"
"""The metadata by which a batch is found again at the provider."""

OVER_LIMIT = frozenset({"token_limit_exceeded", "rate_limit_exceeded"})
"""Why a provider refuses a whole batch although nothing is wrong with it."""

_ENDED = frozenset({"completed", "failed", "expired", "cancelled"})
_WINDOW = "24h"
_URL = "/v1/chat/completions"
_PAGE = 100


class FileBatches:
    """The batches of one endpoint that has OpenAI's interface. They carry our id in their metadata."""

    def __init__(self, endpoint: Endpoint) -> None:
        # A redirect would take the request to an address that the configuration doesn't name.
        http = DefaultAsyncHttpxClient(
            base_url=endpoint.base_url,
            timeout=Timeout(SECONDS, connect=CONNECT_SECONDS),
            follow_redirects=False,
            headers={"Authorization": f"Bearer {endpoint.api_key}"} if endpoint.api_key else {},
        )
        self._exchange = Exchange(http, Failures(endpoint))

    async def submit(self, requests: Sequence[tuple[str, str]], *, id: str) -> Progress:
        """The provider's batch of requests: each has a name and a body of JSON.

        Raises:
            ModelRefused: the provider takes none.
            ModelError: it isn't known whether the provider has it.
        """
        content = await asyncio.to_thread(_file, requests)
        file = await self._exchange.ask(
            "POST", "/files", data={"purpose": "batch"}, files={"file": (f"{id}.jsonl", content)}
        )
        wanted = {
            "input_file_id": id_of(file),
            "endpoint": _URL,
            "completion_window": _WINDOW,
            "metadata": {OURS: id},
        }
        return _progress(await self._exchange.ask("POST", "/batches", json=wanted))

    async def find(
        self,
        id: str,
        *,
        since: datetime,
        known: Collection[str],  # noqa: ARG002 - it says itself which one is ours
    ) -> Progress | None:
        """The batch that the provider has under our id, among those that it was given since then."""
        after: dict[str, str] = {}
        while True:
            answer = await self._exchange.ask("GET", "/batches", params={"limit": str(_PAGE), **after})
            found = objects_in(answer, "data")
            for batch in found:
                metadata = batch.get("metadata")
                if isinstance(metadata, dict) and metadata.get(OURS) == id:
                    return _progress(batch)
            made = found[-1].get("created_at") if found else None
            if not answer.get("has_more") or not isinstance(made, int | float) or made < since.timestamp():
                return None
            after = {"after": id_of(found[-1])}

    async def look(self, provider_id: str) -> Progress:
        """Where the provider stands with a batch."""
        return _progress(await self._exchange.ask("GET", f"/batches/{provider_id}"))

    async def stop(self, provider_id: str) -> None:
        """Asks the provider to do no more of a batch; what it has done comes in its files all the same."""
        await self._exchange.ask("POST", f"/batches/{provider_id}/cancel")

    async def read(self, file: str) -> list[Line]:
        """What a file of answers or errors says of each request."""
        return await asyncio.to_thread(lines_of, await self._exchange.fetch(f"/files/{file}/content"), _line)

    async def forget(self, file: str) -> None:
        """Deletes a file at the provider."""
        await self._exchange.ask("DELETE", f"/files/{file}")

    async def close(self) -> None:
        """Closes the connections."""
        await self._exchange.close()


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
    listed = objects_in(errors, "data") if isinstance(errors, dict) else []
    first = listed[0] if listed else {}
    files = tuple(
        file for name in ("output_file_id", "error_file_id") if isinstance(file := batch.get(name), str)
    )
    error = "" if status == "completed" else f"the provider's batch is {status}"
    if first.get("message"):
        error = f"{error}: {str(first['message'])[:WORDS]}"
    state: Literal["working", "stopping", "ended"] = "stopping" if status == "cancelling" else "working"
    return Progress(
        id=id_of(batch),
        state="ended" if status in _ENDED else state,
        files=files,
        sent=sent if isinstance(sent := batch.get("input_file_id"), str) else "",
        error=error,
        over_limit=status == "failed" and first.get("code") in OVER_LIMIT,
    )


def _line(line: Any) -> Line:
    key, response = str(line["custom_id"]), line.get("response") or {}
    body = response.get("body")
    status = response.get("status_code")
    if status == HTTPStatus.OK and isinstance(body, dict):
        return Line(key=key, body=body, error="")
    said = line.get("error") or (body.get("error") if isinstance(body, dict) else None) or {}
    words = said.get("message") or said.get("code") if isinstance(said, dict) else said
    return Line(key=key, body=None, error=str(words or f"the provider answered {status}")[:WORDS])
