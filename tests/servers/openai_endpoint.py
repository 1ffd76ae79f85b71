"""A real HTTP endpoint that speaks OpenAI's chat completions and can be told to misbehave."""

import json
import threading
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

Body = dict[str, Any]
Reply = Callable[[Body], Response]

USAGE = {
    "prompt_tokens": 20,
    "completion_tokens": 5,
    "total_tokens": 25,
    "prompt_tokens_details": {"cached_tokens": 8},
    "completion_tokens_details": {"reasoning_tokens": 2},
}


def completion(
    content: str | None = "Hello there.",
    *,
    tool_calls: list[Body] | None = None,
    finish_reason: str | None = "stop",
    usage: Body | None = USAGE,
) -> Body:
    message: Body = {"role": "assistant", "content": content}
    if tool_calls is not None:
        message["tool_calls"] = tool_calls
    answer: Body = {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1_790_000_000,
        "model": "fake-1-2026",
        "choices": [{"index": 0, "message": message, "finish_reason": finish_reason}],
    }
    return answer | ({"usage": usage} if usage is not None else {})


def tool_call(name: str = "look_up", arguments: str = '{"order": 7}', *, id: str | None = "call_1") -> Body:
    call: Body = {"type": "function", "function": {"name": name, "arguments": arguments}}
    return call | ({"id": id} if id is not None else {})


def says(answer: Body) -> Reply:
    """Answers with a completion, in pieces where the request asks for a stream."""

    def reply(body: Body) -> Response:
        if not body.get("stream"):
            return JSONResponse(answer)
        return streams(list(chunks(answer)))(body)

    return reply


def chunks(answer: Body) -> Iterator[Body]:
    """The events of a stream that says what the completion says, two characters at a time."""
    [choice] = answer["choices"]

    def chunk(delta: Body, finish_reason: str | None = None) -> Body:
        choices = [{"index": 0, "delta": delta, "finish_reason": finish_reason}]
        return {"id": answer["id"], "model": answer["model"], "choices": choices}

    yield chunk({"role": "assistant", "content": ""})
    text = choice["message"]["content"] or ""
    for start in range(0, len(text), 2):
        yield chunk({"content": text[start : start + 2]})
    for index, call in enumerate(choice["message"].get("tool_calls", [])):
        function = call["function"]
        yield chunk({"tool_calls": [call | {"index": index, "function": function | {"arguments": ""}}]})
        for start in range(0, len(function["arguments"]), 5):
            piece = function["arguments"][start : start + 5]
            yield chunk({"tool_calls": [{"index": index, "function": {"arguments": piece}}]})
    yield chunk({}, choice["finish_reason"])
    if "usage" in answer:
        yield {"id": answer["id"], "model": answer["model"], "choices": [], "usage": answer["usage"]}


def streams(events: Iterable[Body], *, end: bytes = b"data: [DONE]\n\n") -> Reply:
    async def lines() -> AsyncIterator[bytes]:
        for event in events:
            yield f"data: {json.dumps(event)}\n\n".encode()
        yield end

    return lambda _: StreamingResponse(lines(), media_type="text/event-stream")


def breaks_off(*events: Body) -> Reply:
    """Sends some events, then drops the connection."""
    return lambda _: _Unfinished(events)


def fails(status: int, message: str = "no", *, code: str | None = None, **headers: str) -> Reply:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda _: JSONResponse({"error": {"message": message, "code": code}}, status, headers=named)


def raw(text: str, media_type: str = "application/json") -> Reply:
    return lambda _: Response(text, media_type=media_type)


@dataclass
class Endpoint:
    """What is going to be answered, in order (the last answer repeats), and what was asked."""

    replies: list[Reply] = field(default_factory=lambda: [says(completion())])
    bodies: list[Body] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    began: threading.Event = field(default_factory=threading.Event)
    """A request has arrived."""
    hung_up: threading.Event = field(default_factory=threading.Event)
    """A client went away while `hangs` or `stalls` kept it waiting."""
    url: str = ""

    def hangs(self, *events: Body) -> Reply:
        """Never answers; with events, streams them first. Notices when the client goes away."""

        def reply(_: Body) -> Response:
            return _Hanging(events, self.hung_up)

        return reply

    async def answer(self, request: Request) -> Response:
        body = await request.json()
        self.bodies.append(body)
        self.headers.append(dict(request.headers))
        self.began.set()
        return self.replies[min(len(self.bodies), len(self.replies)) - 1](body)


class _Unfinished(Response):
    def __init__(self, events: tuple[Body, ...]) -> None:
        super().__init__(media_type="text/event-stream")
        self.events = events

    async def __call__(self, scope, receive, send) -> None:
        if self.events:
            headers = [(b"content-type", b"text/event-stream")]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            for event in self.events:
                line = f"data: {json.dumps(event)}\n\n".encode()
                await send({"type": "http.response.body", "body": line, "more_body": True})


class _Hanging(_Unfinished):
    def __init__(self, events: tuple[Body, ...], hung_up: threading.Event) -> None:
        super().__init__(events)
        self.hung_up = hung_up

    async def __call__(self, scope, receive, send) -> None:
        await super().__call__(scope, receive, send)
        while (await receive())["type"] != "http.disconnect":
            pass
        self.hung_up.set()


@contextmanager
def serving(*replies: Reply, port: int = 0, path: str = "/v1/chat/completions") -> Iterator[Endpoint]:
    """Runs an endpoint on a free loopback port, in a thread of its own."""
    endpoint = Endpoint()
    if replies:
        endpoint.replies = list(replies)
    with listening([Route(path, endpoint.answer, methods=["POST"])], port=port) as address:
        endpoint.url = f"{address}/v1"
        yield endpoint


@contextmanager
def listening(routes: list[Route], *, port: int = 0) -> Iterator[str]:
    """The address of a server that has these routes, in a thread of its own, on a free loopback port."""
    config = uvicorn.Config(
        Starlette(routes=routes),
        host="127.0.0.1",
        port=port,
        log_level="critical",
        lifespan="off",
        date_header=False,
        timeout_graceful_shutdown=1,
    )
    server = _Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        assert server.ready.wait(10), "the server did not start"
        [listener] = server.servers
        yield f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(10)
        assert not thread.is_alive(), "the server did not stop"


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = threading.Event()

    async def startup(self, sockets=None) -> None:
        await super().startup(sockets)
        self.ready.set()
