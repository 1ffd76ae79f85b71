"""An MCP server of the first era behind HTTP, which can forget its sessions: `python … PORT`."""

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

sessions: set[str] = set()
acted: list[str] = []


def answer(request: dict[str, Any]) -> dict[str, Any]:
    match request["method"]:
        case "initialize":
            return {
                "protocolVersion": request["params"]["protocolVersion"],
                "capabilities": {"tools": {}},
                "serverInfo": {"name": "legacy", "version": "1"},
            }
        case "tools/list":
            names = ("act", "forget")
            return {"tools": [{"name": name, "inputSchema": {"type": "object"}} for name in names]}
        case "tools/call":
            acted.append(request["params"]["name"])
            if acted[-1] == "forget":
                sessions.clear()
            return {"content": [{"type": "text", "text": " ".join(acted)}]}
    raise KeyError(request["method"])


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.headers.get("Authorization") != "Bearer open-sesame":
            self.reply(401, {})
        elif request["method"] == "initialize":
            sessions.add(session := f"session-{len(sessions)}-{len(acted)}")
            self.reply(200, {"jsonrpc": "2.0", "id": request["id"], "result": answer(request)}, session)
        elif self.headers.get("Mcp-Session-Id") not in sessions:
            self.reply(404 if self.headers.get("Mcp-Session-Id") else 400, {})
        elif "id" not in request:
            self.reply(202, {})
        else:
            self.reply(200, {"jsonrpc": "2.0", "id": request["id"], "result": answer(request)})

    def do_GET(self) -> None:
        self.reply(405, {})

    def do_DELETE(self) -> None:
        self.reply(200, {})

    def reply(self, status: int, body: dict[str, Any], session: str = "") -> None:
        content = json.dumps(body).encode() if body else b""
        self.send_response(status)
        self.send_header("Content-Type", "application/json" if body else "text/plain")
        self.send_header("Content-Length", str(len(content)))
        if session:
            self.send_header("Mcp-Session-Id", session)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass


if __name__ == "__main__":
    listening = ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler)
    print(listening.server_port, flush=True)  # noqa: T201 - whoever starts it waits for that
    listening.serve_forever()
