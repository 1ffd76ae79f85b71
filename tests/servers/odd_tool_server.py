"""MCP servers with bad habits, on stdio and without the SDK: `python odd_tool_server.py HABIT`."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def send(message: dict[str, Any]) -> None:
    say(json.dumps({"jsonrpc": "2.0", **message}))


def tool(name: str) -> dict[str, Any]:
    return {"name": name, "inputSchema": {"type": "object", "properties": {}}}


def tool_page(habit: str, cursor: str | None) -> dict[str, Any]:
    number = int(cursor or 0)
    if habit == "endless" or (habit == "pages" and number < 2):
        return {"tools": [tool(f"tool_{number}")], "nextCursor": str(number + 1)}
    return {"tools": [tool(f"tool_{number}")]}


def answer_call(habit: str) -> dict[str, Any]:
    match habit:
        case "half":
            return {"content": [{"type": "text", "text": "cut in the middle: \ud83d"}]}
        case "nan":
            return {"content": [], "structuredContent": {"price": float("nan")}}
        case "huge":
            return {"content": [{"type": "text", "text": "x" * 17 * 1024 * 1024}]}
        case "nonsense":
            return {"content": "no list"}
        case "orphan":
            child = subprocess.Popen(["sleep", "100"], stdin=subprocess.DEVNULL)
            sys.stderr.write(f"{child.pid}\n")
            sys.stderr.flush()
            os._exit(5)
        case "flood":
            for number in range(5000):
                params = {"level": "info", "data": f"line {number}"}
                send({"method": "notifications/message", "params": params})
    return {"content": [{"type": "text", "text": "done"}]}


def answer(habit: str, request: dict[str, Any]) -> dict[str, Any]:
    match request["method"]:
        case "initialize":
            info = {"name": "odd", "version": "1"}
            return {
                "protocolVersion": request["params"]["protocolVersion"],
                "capabilities": {"tools": {}},
                "serverInfo": info,
            }
        case "tools/list":
            return tool_page(habit, request.get("params", {}).get("cursor"))
        case "tools/call":
            return answer_call(habit)
    raise KeyError(request["method"])


def serve(habit: str) -> None:
    for line in sys.stdin:
        request = json.loads(line)
        if "id" not in request:
            continue
        try:
            send({"id": request["id"], "result": answer(habit, request)})
        except KeyError:
            send({"id": request["id"], "error": {"code": -32601, "message": "Method not found"}})


if __name__ == "__main__":
    habit = sys.argv[1]
    match habit:
        case "exits":
            sys.exit(f"the key {os.environ.get('API_KEY')} is not valid")
        case "garbage":
            say("Welcome to the shop!")
            sys.stdin.read()
        case "silent":
            sys.stdin.read()
        case "slow_start":
            time.sleep(1)
            serve(habit)
        case "stubborn":
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            serve(habit)
            time.sleep(60)
        case "deaf":
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            sys.stdin.read()
            Path(sys.argv[2]).touch()
            time.sleep(60)
        case "endless_garbage":
            while True:
                say("la la la")
        case _:
            serve(habit)
