"""Claude's batch interface: one list of requests in, one file of results out.

Importing this module imports Anthropic's SDK: only the first batch does it.
"""

import asyncio
import json
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from proctor.core import ModelNonsense, ModelUnreachable
from proctor.models._batch_values import Line, Progress
from proctor.models._claude_client import claude_http
from proctor.models._deployments import Endpoint
from proctor.models._exchange import SECONDS, WORDS, Exchange, id_of, lines_of, objects_in
from proctor.models._failures import Failures

_PATH = "/v1/messages/batches"
_PAGE = 100


class ClaudeBatches:
    """The batches of one endpoint that has Claude's interface.

    It takes no id of ours for a batch: that stands before the key in the name of each request, and is seen
    again with the results.
    """

    def __init__(self, endpoint: Endpoint) -> None:
        self._exchange = Exchange(claude_http(endpoint, SECONDS), Failures(endpoint))
        self._address = endpoint.base_url

    async def submit(self, requests: Sequence[tuple[str, str]], *, id: str) -> Progress:
        """The provider's batch of requests: each has a key and a body of JSON.

        Raises:
            ModelRefused: the provider takes none.
            ModelError: it isn't known whether the provider has it.
        """
        content = await asyncio.to_thread(_content, requests, id)
        return _progress(await self._exchange.ask("POST", _PATH, content=content))

    async def find(self, id: str, *, since: datetime, known: Collection[str]) -> Progress | None:
        """The batch that holds our requests, among those that the provider was given since then.

        Raises:
            ModelUnreachable: a batch that may be it hasn't ended.
        """
        working = ""
        for progress in await self._given(since):
            if progress.id in known:
                continue
            if progress.state != "ended":
                working = progress.id
            elif f"{id}-".encode() in await self._exchange.fetch(_results(progress.id)):
                return progress
        if working:
            words = f"whether {self._address} has the batch is known when its batch {working} has ended"
            raise ModelUnreachable(words)
        return None

    async def _given(self, since: datetime) -> list[Progress]:
        """The batches that the provider was given since then, newest first."""
        given: list[Progress] = []
        after: dict[str, str] = {}
        while True:
            answer = await self._exchange.ask("GET", _PATH, params={"limit": str(_PAGE), **after})
            page = objects_in(answer, "data")
            new = [_progress(batch) for batch in page if _made(batch) >= since]
            given += new
            if not answer.get("has_more") or not new or len(new) < len(page):
                return given
            after = {"after_id": new[-1].id}

    async def look(self, provider_id: str) -> Progress:
        """Where the provider stands with a batch."""
        return _progress(await self._exchange.ask("GET", f"{_PATH}/{provider_id}"))

    async def stop(self, provider_id: str) -> None:
        """Asks the provider to do no more of a batch; what it has done comes all the same."""
        await self._exchange.ask("POST", f"{_PATH}/{provider_id}/cancel")

    async def read(self, file: str) -> list[Line]:
        """What came of each request of a batch that has ended."""
        return await asyncio.to_thread(lines_of, await self._exchange.fetch(_results(file)), _line)

    async def forget(self, file: str) -> None:
        """Deletes a batch and its results at the provider."""
        await self._exchange.ask("DELETE", f"{_PATH}/{file}")

    async def close(self) -> None:
        """Closes the connections."""
        await self._exchange.close()


def _content(requests: Sequence[tuple[str, str]], id: str) -> bytes:
    """All requests as one JSON object. The bodies are JSON already."""
    each = (f'{{"custom_id":{json.dumps(f"{id}-{key}")},"params":{body}}}' for key, body in requests)
    return f'{{"requests":[{",".join(each)}]}}'.encode()


def _results(provider_id: str) -> str:
    return f"{_PATH}/{provider_id}/results"


def _progress(batch: Mapping[str, Any]) -> Progress:
    id = id_of(batch)
    match batch.get("processing_status"):
        case "ended":
            return Progress(id=id, state="ended", files=(id,))
        case "canceling":
            return Progress(id=id, state="stopping")
        case _:
            return Progress(id=id, state="working")


def _made(batch: Mapping[str, Any]) -> datetime:
    try:
        return datetime.fromisoformat(str(batch.get("created_at"))).astimezone(UTC)
    except ValueError:
        raise ModelNonsense("the provider doesn't say when it was given a batch") from None


def _line(line: Any) -> Line:
    key, result = line["custom_id"].partition("-")[2], line["result"]
    if result["type"] == "succeeded":
        return Line(key=key, body=result["message"], error="")
    error = result.get("error") or {}
    words = error.get("error", error).get("message") or f"the provider's request is {result['type']}"
    return Line(key=key, body=None, error=str(words)[:WORDS])
