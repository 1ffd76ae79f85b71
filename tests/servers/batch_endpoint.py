"""A real HTTP provider with a batch interface: files in, files out, and it does its work when told to."""

import json
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from servers.openai_endpoint import Body, completion, listening, says

Answering = Callable[[Body], Body | None]
"""A request's completion; nothing where it is refused."""


def echo(body: Body) -> Body:
    """Says what was asked last."""
    return completion(f"Answer to: {body['messages'][-1]['content']}")


@dataclass
class Provider:
    """What providers of batches have in common, and how they can be told to misbehave."""

    now: float = 1_767_225_600.0
    """Its clock: the first of January 2026, as `FakeClock` begins."""
    has_batches: bool = True
    hangs_up_after_taking: bool = False
    """The next batch is taken, and the client doesn't learn it."""
    refuses: int = 0
    """An HTTP status for whatever is asked."""
    batches: dict[str, Body] = field(default_factory=dict)
    keys: list[str] = field(default_factory=list)
    """The name of every request in every batch, as they came."""
    asked: list[tuple[str, str]] = field(default_factory=list)
    """Each request for files and batches, as method and path."""
    stalls_at: int = 0
    """The number of the request for files and batches that is carried out, and never answered."""
    stalled: threading.Event = field(default_factory=threading.Event)
    url: str = ""

    def taken(self, id: str) -> Response:
        """What the client learns of a batch that was taken."""
        if self.hangs_up_after_taking:
            self.hangs_up_after_taking = False
            return JSONResponse({"error": {"message": "lost"}}, 503)
        return JSONResponse(self.batches[id])

    def page_after(self, id: str | None) -> tuple[list[Body], bool]:
        """Two batches that come behind one in the list, and whether there are more."""
        newest = list(reversed(self.batches.values()))
        start = next((at + 1 for at, each in enumerate(newest) if each["id"] == id), 0)
        return newest[start : start + 2], len(newest) > start + 2

    def serve(self, work: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Any]:
        """A handler of files or batches, as far as the provider has and answers them."""

        async def serve(request: Request) -> Response:
            self.asked.append((request.method, request.url.path.removeprefix("/v1")))
            number = len(self.asked)
            if status := self.refuses or (0 if self.has_batches else 404):
                return JSONResponse({"error": {"message": "no"}}, status)
            response = await work(request)
            if number == self.stalls_at:
                self.stalled.set()
                while (await request.receive())["type"] != "http.disconnect":
                    pass
            return response

        return serve


@dataclass
class BatchProvider(Provider):
    """What was given to the provider, and what it has answered."""

    chats: list[Body] = field(default_factory=list)
    """Requests that were made at once."""
    files: dict[str, bytes] = field(default_factory=dict)

    def requests(self, batch_id: str) -> list[Body]:
        """What a batch holds."""
        content = self.files[self.batches[batch_id]["input_file_id"]]
        return [json.loads(line) for line in content.splitlines()]

    def finish_all(self) -> None:
        """Answers what has not ended."""
        for id, batch in self.batches.items():
            if batch["status"] == "validating":
                self.finish(id)

    def finish(
        self, batch_id: str = "batch_1", answer: Answering = echo, *, status: str = "completed"
    ) -> None:
        """Answers each request of a batch; what `answer` refuses stands in the file of errors."""
        answers, errors = [], []
        for number, request in enumerate(self.requests(batch_id)):
            body = answer(request["body"])
            status_code = 200 if body is not None else 400
            refusal = {"error": {"message": "no such model", "code": "bad"}}
            response = {"status_code": status_code, "request_id": f"r{number}", "body": body or refusal}
            line = {
                "id": f"l{number}",
                "custom_id": request["custom_id"],
                "response": response,
                "error": None,
            }
            (answers if body is not None else errors).append(line)
        self.end(batch_id, status=status, answers=answers, errors=errors)

    def end(
        self, batch_id: str = "batch_1", *, status: str, answers: Any = (), errors: Any = (), code: str = ""
    ) -> None:
        """Ends a batch, with what its files hold."""
        batch = self.batches[batch_id]
        for name, lines in (("output_file_id", answers), ("error_file_id", errors)):
            if lines:
                text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
                batch[name] = self._keep(text.encode())
        if code:
            batch["errors"] = {"object": "list", "data": [{"code": code, "message": f"because of {code}"}]}
        batch["status"] = status

    def _keep(self, content: bytes) -> str:
        id = f"file-{len(self.asked)}-{len(self.files)}"
        self.files[id] = content
        return id

    async def chat(self, request: Request) -> Response:
        body = await request.json()
        self.chats.append(body)
        return says(completion(f"At once: {body['messages'][-1]['content']}"))(body)

    async def upload(self, request: Request) -> Response:
        async with request.form() as form:
            assert form["purpose"] == "batch"
            content = await form["file"].read()
        return JSONResponse({"id": self._keep(content), "object": "file"})

    async def content(self, request: Request) -> Response:
        return Response(self.files[request.path_params["id"]], media_type="application/octet-stream")

    async def delete(self, request: Request) -> Response:
        del self.files[request.path_params["id"]]
        return JSONResponse({"deleted": True})

    async def create(self, request: Request) -> Response:
        wanted = await request.json()
        id = f"batch_{len(self.batches) + 1}"
        assert wanted["completion_window"] == "24h"
        assert wanted["endpoint"] == "/v1/chat/completions"
        self.batches[id] = {
            "id": id,
            "status": "validating",
            "created_at": int(self.now),
            "output_file_id": None,
            "error_file_id": None,
            "errors": None,
            **wanted,
        }
        self.keys += [each["custom_id"] for each in self.requests(id)]
        return self.taken(id)

    async def listed(self, request: Request) -> Response:
        page, more = self.page_after(request.query_params.get("after"))
        return JSONResponse({"object": "list", "data": page, "has_more": more})

    async def look(self, request: Request) -> Response:
        return JSONResponse(self.batches[request.path_params["id"]])

    async def cancel(self, request: Request) -> Response:
        batch = self.batches[request.path_params["id"]]
        batch["status"] = "cancelling"
        return JSONResponse(batch)


@contextmanager
def serving_batches() -> Iterator[BatchProvider]:
    """Runs a provider on a free loopback port, in a thread of its own."""
    provider = BatchProvider()
    routes = [
        Route("/v1/chat/completions", provider.chat, methods=["POST"]),
        Route("/v1/files", provider.serve(provider.upload), methods=["POST"]),
        Route("/v1/files/{id}", provider.serve(provider.delete), methods=["DELETE"]),
        Route("/v1/files/{id}/content", provider.serve(provider.content)),
        Route("/v1/batches", provider.serve(provider.create), methods=["POST"]),
        Route("/v1/batches", provider.serve(provider.listed)),
        Route("/v1/batches/{id}", provider.serve(provider.look)),
        Route("/v1/batches/{id}/cancel", provider.serve(provider.cancel), methods=["POST"]),
    ]
    with listening(routes) as address:
        provider.url = f"{address}/v1"
        yield provider
