"""MCP servers that ask for something while they work: `python asking_tool_server.py old|new|http PORT`.

`old` speaks the older protocol over a pipe, without the SDK; `http` does it over HTTP; `new` is the SDK's.
"""

import json
import os
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from pathlib import Path
from queue import Queue
from typing import Annotated, Any

PAGES = 3
PER_PAGE = 100

Send = Any
numbers, visits = count(1), count(1)
waiting: dict[str, Queue[dict[str, Any]]] = {}
both = threading.Barrier(2)


class Locked(Exception):
    """Somebody has to open an address first."""


def form(message: str, **properties: Any) -> dict[str, Any]:
    schema = {"type": "object", "properties": properties, "required": list(properties)}
    return {"message": message, "requestedSchema": schema}


def ask(send: Send, method: str, params: dict[str, Any]) -> dict[str, Any]:
    """What the client answers."""
    id = f"ask-{next(numbers)}"
    waiting[id] = Queue()
    send({"id": id, "method": method, "params": params})
    answer = waiting[id].get(timeout=20)
    return answer.get("result") or {"action": "error", "error": answer["error"]["message"]}


def elicit(send: Send, params: dict[str, Any]) -> dict[str, Any]:
    return ask(send, "elicitation/create", params)


def tell(send: Send, method: str, **params: Any) -> None:
    send({"method": f"notifications/{method}", "params": params})


def book(a: Any, _: Any, send: Send) -> str:
    seats = elicit(send, form("How many seats?", seats={"type": "integer", "default": 2}))
    if seats["action"] != "accept":
        return f"not booked: {seats['action']}"
    guest = elicit(send, form("In whose name?", name={"type": "string", "minLength": 1}))
    if guest["action"] != "accept":
        return f"not booked: {guest['action']}"
    booking = f"{seats['content']['seats']} for {guest['content']['name']}"
    if "journal" in a:
        with Path(a["journal"]).open("a") as journal:
            journal.write(f"{booking}\n")
    if "dies" in a:
        os._exit(1)
    return f"booked {booking}"


def twice(_a: Any, _: Any, send: Send) -> str:
    said = [elicit(send, form("Sure?", yes={"type": "boolean"})) for _ in range(2)]
    return " ".join(f"{each['action']} {each.get('content')}" for each in said)


def endless(a: Any, _: Any, send: Send) -> str:
    said = [elicit(send, form(f"{n}?", x={"type": "string"})) for n in range(a["times"])]
    return " ".join(each["action"] for each in said)


def odd_form(_a: Any, _: Any, send: Send) -> str:
    schema = {"type": "object", "properties": {"x": {"$ref": "http://127.0.0.1:1/"}}}
    return elicit(send, {"message": "x?", "requestedSchema": schema})["action"]


def patterned(_a: Any, _: Any, send: Send) -> str:
    return elicit(send, form("x?", x={"type": "string", "pattern": "^(a+)+$", "default": "a" * 40 + "!"}))[
        "action"
    ]


def visit(_a: Any, _: Any, send: Send) -> str:
    address = {"mode": "url", "message": "Sign in, please.", "url": "https://example.com/in"}
    return elicit(send, {**address, "elicitationId": "1"})["action"]


def think(a: Any, _: Any, send: Send) -> str:
    wanted = {
        "messages": [{"role": "user", "content": {"type": "text", "text": a["about"]}}],
        "maxTokens": 5000,
        "systemPrompt": "Be brief.",
        "includeContext": "allServers",
    }
    answer = ask(send, "sampling/createMessage", wanted)
    return answer["error"] if "error" in answer else f"{answer['content']['text']} by {answer['model']}"


def report(a: Any, meta: Any, send: Send) -> str:
    token, times = meta.get("progressToken"), a["times"]
    total = float("nan") if a.get("lost") else times
    for n in range(times):
        step = f"step\u200b {n}"
        tell(send, "progress", progressToken=token, progress=n, total=total, message=step)
        tell(send, "message", level="info", logger="book", data=f"line \u202e{n}")
    return "reported"


def pair(_a: Any, _: Any, send: Send) -> str:
    both.wait(timeout=20)
    answer = elicit(send, form("Who?", name={"type": "string"}))
    both.wait(timeout=20)  # so that each asks while the other is under way
    return answer["action"]


def who(a: Any, _: Any, send: Send) -> str:
    answer = elicit(send, form(a["question"], name={"type": "string"}))
    return f"{answer['action']} {answer.get('content')}"


def locked(_a: Any, _: Any, _send: Send) -> str:
    if next(visits) == 1:
        raise Locked
    return "open"


TOOLS = {
    tool.__name__: tool
    for tool in (book, twice, endless, odd_form, patterned, visit, think, report, pair, who, locked)
}


def page(cursor: str | None) -> dict[str, Any]:
    number = int(cursor or 0)
    notes = [number * PER_PAGE + n for n in range(PER_PAGE)]
    found = {"resources": [{"uri": f"note://{n}", "name": f"note {n}"} for n in notes]}
    return found if number == PAGES - 1 else {**found, "nextCursor": str(number + 1)}


def text_of_call(params: Any, send: Send) -> dict[str, Any]:
    text = TOOLS[params["name"]](params.get("arguments") or {}, params.get("_meta") or {}, send)
    return {"content": [{"type": "text", "text": text}]}


def listed(name: str) -> dict[str, Any]:
    hints = {"readOnlyHint": name != "book", "title": name.title()}
    return {"name": name, "inputSchema": {"type": "object"}, "annotations": hints}


def prompt(params: Any) -> dict[str, Any]:
    said = {"type": "text", "text": f"Greet {params['arguments']['whom']}."}
    return {"messages": [{"role": "user", "content": said}]}


METHODS: dict[str, Any] = {
    "initialize": lambda params, _: {
        "protocolVersion": params["protocolVersion"],
        "capabilities": {"tools": {}, "logging": {}, "resources": {}, "prompts": {}},
        "serverInfo": {"name": "asking", "version": "1"},
    },
    "tools/list": lambda *_: {"tools": [listed(name) for name in TOOLS]},
    "tools/call": text_of_call,
    "resources/list": lambda params, _: page(params.get("cursor")),
    "resources/templates/list": lambda *_: {
        "resourceTemplates": [{"uriTemplate": "note://{number}", "name": "any note"}]
    },
    "resources/read": lambda params, _: {
        "contents": [
            {"uri": params["uri"], "text": f"the text of {params['uri']}"},
            {"uri": params["uri"], "blob": "AAAA"},
        ]
    },
    "prompts/list": lambda *_: {
        "prompts": [{"name": "greet", "arguments": [{"name": "whom", "required": True}]}]
    },
    "prompts/get": lambda params, _: prompt(params),
}


def respond(request: dict[str, Any], send: Send) -> None:
    try:
        result = METHODS[request["method"]](request.get("params") or {}, send)
        send({"id": request["id"], "result": result})
    except Locked:
        address = {
            "mode": "url",
            "message": "Unlock it.",
            "url": "https://example.com/key",
            "elicitationId": "1",
        }
        error = {"code": -32042, "message": "It is locked.", "data": {"elicitations": [address]}}
        send({"id": request["id"], "error": error})
    except KeyError:
        send({"id": request["id"], "error": {"code": -32601, "message": "Method not found"}})


def serve_old() -> None:
    writing = threading.Lock()

    def send(message: dict[str, Any]) -> None:
        with writing:
            sys.stdout.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
            sys.stdout.flush()

    for line in sys.stdin:
        message = json.loads(line)
        if "method" not in message:
            waiting[message["id"]].put(message)
        elif "id" in message:
            threading.Thread(target=respond, args=(message, send), daemon=True).start()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        message = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if "method" not in message:
            waiting[message["id"]].put(message)
        if "method" not in message or "id" not in message:
            self.send_response(202)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.send_header("Mcp-Session-Id", "one")
        self.end_headers()
        respond(message, self.send)
        self.close_connection = True

    def send(self, message: dict[str, Any]) -> None:
        text = json.dumps({"jsonrpc": "2.0", **message})
        self.wfile.write(f"event: message\ndata: {text}\n\n".encode())
        self.wfile.flush()

    def do_GET(self) -> None:
        self.send_error(405)

    def do_DELETE(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


def serve_new() -> None:
    from mcp.server.mcpserver import Context, MCPServer
    from mcp.server.mcpserver.resolve import Elicit, Resolve, Sample
    from mcp_types import CreateMessageResult, SamplingMessage, TextContent
    from pydantic import BaseModel

    server = MCPServer("asking", log_level="ERROR")

    class Seats(BaseModel):
        seats: int = 2

    class Name(BaseModel):
        name: str

    def how_many() -> Elicit[Seats]:
        return Elicit("How many seats?", Seats)

    def whose() -> Elicit[Name]:
        return Elicit("In whose name?", Name)

    def thought(about: str) -> Sample:
        message = SamplingMessage(role="user", content=TextContent(text=about))
        return Sample([message], max_tokens=5000)

    @server.tool()
    def book(
        seats: Annotated[Seats, Resolve(how_many)], name: Annotated[Name, Resolve(whose)], journal: str = ""
    ) -> str:
        """Books seats."""
        if journal:
            with Path(journal).open("a") as kept:
                kept.write(f"{seats.seats} for {name.name}\n")
        return f"booked {seats.seats} for {name.name}"

    @server.tool()
    def think(about: str, said: Annotated[CreateMessageResult, Resolve(thought)]) -> str:
        """Asks a model."""
        return f"{said.content.text} by {said.model}"  # type: ignore[union-attr]

    @server.tool()
    async def report(times: int, context: Context) -> str:
        """Tells how far it is."""
        for n in range(times):
            await context.report_progress(n, times, f"step {n}")
        return "reported"

    server.run()


if __name__ == "__main__":
    match sys.argv[1]:
        case "old":
            serve_old()
        case "new":
            serve_new()
        case "http":
            listening = ThreadingHTTPServer(("127.0.0.1", int(sys.argv[2])), Handler)
            print(listening.server_port, flush=True)  # noqa: T201 - whoever starts it waits for that
            listening.serve_forever()
