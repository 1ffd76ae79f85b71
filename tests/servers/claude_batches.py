"""A real HTTP provider with Claude's batch interface. It refuses what Claude does, and works when told to."""

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from servers.anthropic_endpoint import complaints, message, text
from servers.batch_endpoint import Provider
from servers.openai_endpoint import Body, listening

Answering = Callable[[Body], Body | str]
"""A request's message; a text where it is refused."""


def echo(body: Body) -> Body:
    """Says what was asked last."""
    return message(text(f"Answer to: {body['messages'][-1]['content'][-1]['text']}"))


@dataclass
class ClaudeProvider(Provider):
    """What was given to the provider, and what it has answered."""

    requests: dict[str, list[Body]] = field(default_factory=dict)
    results: dict[str, list[Body]] = field(default_factory=dict)

    def finish(self, id: str = "msgbatch_1", answer: Answering | None = echo) -> None:
        """Ends a batch with an answer to each of its requests; without `answer` they were canceled."""
        self.results[id] = [
            {"custom_id": request["custom_id"], "result": self._result(request["params"], answer)}
            for request in reversed(self.requests[id])
        ]
        self.batches[id]["processing_status"] = "ended"

    def finish_all(self) -> None:
        """Answers what has not ended."""
        for id in self.batches.keys() - self.results.keys():
            self.finish(id)

    def _result(self, params: Body, answer: Answering | None) -> Body:
        if answer is None:
            return {"type": "canceled"}
        wrong = next(complaints(params), None)
        said = wrong if wrong is not None else answer(params)
        if isinstance(said, str):
            error = {"type": "invalid_request_error", "message": said}
            return {"type": "errored", "error": {"type": "error", "error": error, "request_id": "r1"}}
        return {"type": "succeeded", "message": said}

    async def create(self, request: Request) -> Response:
        wanted = (await request.json())["requests"]
        names = [each["custom_id"] for each in wanted]
        assert all(re.fullmatch("[a-zA-Z0-9_-]{1,64}", name) for name in names)
        id = f"msgbatch_{len(self.requests) + 1}"
        self.requests[id] = wanted
        self.keys += [name.partition("-")[2] for name in names]
        made = datetime.fromtimestamp(self.now, UTC).isoformat().replace("+00:00", "Z")
        self.batches[id] = {
            "id": id,
            "type": "message_batch",
            "processing_status": "in_progress",
            "created_at": made,
        }
        return self.taken(id)

    async def listed(self, request: Request) -> Response:
        page, more = self.page_after(request.query_params.get("after_id"))
        return JSONResponse({"data": page, "has_more": more, "last_id": page[-1]["id"] if page else None})

    async def look(self, request: Request) -> Response:
        return JSONResponse(self.batches[request.path_params["id"]])

    async def cancel(self, request: Request) -> Response:
        batch = self.batches[request.path_params["id"]]
        batch["processing_status"] = "canceling"
        return JSONResponse(batch)

    async def read(self, request: Request) -> Response:
        lines = self.results[request.path_params["id"]]
        content = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
        return Response(content, media_type="application/binary")

    async def delete(self, request: Request) -> Response:
        del self.batches[request.path_params["id"]]
        return JSONResponse({"type": "message_batch_deleted"})


@contextmanager
def serving_claudes_batches() -> Iterator[ClaudeProvider]:
    """Runs a provider on a free loopback port, in a thread of its own."""
    provider, path = ClaudeProvider(), "/v1/messages/batches"
    routes = [
        Route(path, provider.serve(provider.create), methods=["POST"]),
        Route(path, provider.serve(provider.listed)),
        Route(f"{path}/{{id}}", provider.serve(provider.look)),
        Route(f"{path}/{{id}}", provider.serve(provider.delete), methods=["DELETE"]),
        Route(f"{path}/{{id}}/results", provider.serve(provider.read)),
        Route(f"{path}/{{id}}/cancel", provider.serve(provider.cancel), methods=["POST"]),
    ]
    with listening(routes) as provider.url:
        yield provider
