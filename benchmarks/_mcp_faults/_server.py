"""An MCP server on stdio that does what it is asked to, also what no server should: `… FOLDER HABIT`.

It needs nothing but Python, so that it is the same for all contenders.
"""

import json
import os
import sys
import threading
import time
from pathlib import Path
from typing import Any

FLOOD = 5_000
"""Messages."""
SLOW_START = 3.0
"""Seconds."""

FOLDER, HABIT = Path(sys.argv[1]), sys.argv[2]
_writing = threading.Lock()
_cancelled: dict[Any, threading.Event] = {}
_grown = threading.Event()


def _write(line: str) -> None:
    with _writing:
        sys.stdout.write(line + "\n")
        sys.stdout.flush()


def _send(**message: Any) -> None:
    _write(json.dumps({"jsonrpc": "2.0", **message}))


def _tools() -> list[dict[str, Any]]:
    names = ("echo", "pid", "slow", "stall", "flood", "garbage", "grow")
    tools = [{"name": name, "description": name, "inputSchema": {"type": "object"}} for name in names]
    if _grown.is_set():
        tools[0]["inputSchema"] = {"type": "object", "properties": {"more": {"type": "string"}}}
    return tools


def _call(request: Any, name: str, arguments: dict[str, Any]) -> str:
    match name:
        case "pid":
            return str(os.getpid())
        case "slow":
            (FOLDER / str(arguments["mark"])).touch()
            if _cancelled[request].wait(arguments["seconds"]):
                (FOLDER / f"{arguments['mark']}.cancelled").touch()
        case "stall":
            _cancelled[request].wait(60)
        case "flood":
            for number in range(FLOOD):
                params = {"level": "info", "data": f"line {number}"}
                _send(method="notifications/message", params=params)
        case "garbage":
            for number in range(FLOOD):
                _write(f"DEBUG {number}: this is no message")
        case "grow":
            _grown.set()
            _send(method="notifications/tools/list_changed")
    return str(arguments.get("text", name))


def _answer(request: dict[str, Any]) -> None:
    params = request.get("params") or {}
    match request["method"]:
        case "initialize":
            result: dict[str, Any] = {
                "protocolVersion": params["protocolVersion"],
                "capabilities": {"tools": {"listChanged": True}, "logging": {}},
                "serverInfo": {"name": "faulty", "version": "1"},
            }
        case "tools/list":
            result = {"tools": _tools()}
        case "tools/call":
            text = _call(request["id"], params["name"], params.get("arguments") or {})
            result = {"content": [{"type": "text", "text": text}]}
        case "ping":
            result = {}
        case _:
            _send(id=request["id"], error={"code": -32601, "message": "Method not found"})
            return
    _send(id=request["id"], result=result)


def _serve() -> None:
    for line in sys.stdin:
        message = json.loads(line)
        if message.get("method") == "notifications/cancelled":
            _cancelled.setdefault(message["params"]["requestId"], threading.Event()).set()
        elif "id" in message and "method" in message:
            _cancelled.setdefault(message["id"], threading.Event())
            threading.Thread(target=_answer, args=(message,), daemon=True).start()


if __name__ == "__main__":
    if HABIT == "slow_start":
        time.sleep(SLOW_START)
    if HABIT == "mute":
        sys.stdin.read()
    else:
        _serve()
