"""The contender: the same teams with AutoGen 0.7.5 as it comes, in an environment of its own.

`… FOLDER URL PYTHON RUNS TRY CASE…` runs them all side by side, and writes down how each ended.
"""

import asyncio
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from autogen_agentchat.messages import TextMessage
from autogen_core.models import ModelInfo
from autogen_core.tools import FunctionTool, StaticWorkbench, Workbench
from autogen_ext.models.openai import OpenAIChatCompletionClient  # type: ignore[import-not-found]
from autogen_ext.tools.mcp import McpWorkbench, StdioServerParams  # type: ignore[import-not-found]

from benchmarks._faults._agents import WIRE, build, expert_tool, look, make_book
from benchmarks._faults._cases import CASES, HASTY, PATIENT, SIBLINGS, Case, task_of
from benchmarks._faults._traces import ENDS, Traces, released

ROOT = Path(__file__).parents[2]
QUIET = 8.0
"""Seconds without an answer, an effect, an end, or work of this process: runs that are left then hang."""
STALLED = 5.0
"""Seconds for an answer of a tool server that stalls, and for its start: AutoGen's own default."""
LOOK = 0.5
WORK = 0.05
"""Seconds of processor time between two looks that are work."""
MODEL_INFO = ModelInfo(
    vision=False,
    function_calling=True,
    json_output=True,
    family="unknown",
    structured_output=True,
    multiple_system_messages=True,
)


class Contender:
    """Runs teams, and holds what they share: the clients, and a server process for each case."""

    def __init__(self, traces: Traces, url: str, python: str) -> None:
        self._traces = traces
        self._python = python
        self._clients = {
            name: OpenAIChatCompletionClient(
                model=wire,
                base_url=url,
                api_key="none",
                model_info=MODEL_INFO,
                timeout=HASTY if name.endswith("-hasty") else PATIENT,
            )
            for name, wire in WIRE.items()
        }
        functions: dict[str, Callable[..., str]] = {"book": make_book(traces), "look": look}
        self._functions = {
            name: FunctionTool(function, description=str(function.__doc__))
            for name, function in functions.items()
        }
        self._desks: dict[str, Any] = {}

    async def run(self, name: str, number: int, attempt: int) -> None:
        """Runs one team to its end and writes down how it ended."""
        ended, error, kept, answered = "raised", "", set[str](), False
        try:
            said = await self._said(name, number)
        except BaseException as raised:  # noqa: BLE001 - whatever comes of it is what is measured
            error = type(raised).__name__
        else:
            ended, kept, answered = "completed", said & set(SIBLINGS), "expert" in said
        line = {"key": f"{name}/{number}", "attempt": attempt, "ended": ended, "error": error}
        self._traces.write(ENDS, **line, siblings=sorted(kept), answered=answered)

    def hang(self, key: str, attempt: int) -> None:
        """Writes down that a run doesn't come to an end."""
        line = {"key": key, "attempt": attempt, "ended": "hung", "error": ""}
        self._traces.write(ENDS, **line, siblings=[], answered=False)

    async def _said(self, name: str, number: int) -> set[str]:
        """The agents whose answers are in hand at the end."""
        built = build(CASES[name], self._traces, self._client, self._tools)
        result = await built.team.run(task=task_of(name, number))
        said = {
            message.source
            for message in result.messages
            if isinstance(message, TextMessage) and message.content
        }
        if "closer" not in said:
            raise RuntimeError("the team ended before its end")
        return said

    def _client(self, name: str) -> OpenAIChatCompletionClient:
        return self._clients[name]

    def _tools(self, name: str) -> Workbench:
        if name in self._functions:
            return StaticWorkbench([self._functions[name]])
        bench: Workbench = self._desks[name]
        return bench

    async def open_desk(self, case: Case) -> None:
        """Starts the tool server of a case."""
        arguments = ["-m", "benchmarks._faults._desk_server", str(self._traces.folder), case.name]
        server = StdioServerParams(
            command=self._python,
            args=arguments,
            env={"PYTHONPATH": str(ROOT)},
            cwd=ROOT,
            read_timeout_seconds=STALLED if case.fault == "tools_stalls" else PATIENT,
        )
        bench = self._desks[expert_tool(case)] = McpWorkbench(server)
        await bench.start()


async def main(folder: Path, url: str, python: str, names: Sequence[str], *, runs: int, attempt: int) -> None:
    """Runs what hasn't completed in an earlier attempt, until nothing moves any more."""
    traces = Traces(folder)
    contender = Contender(traces, url, python)
    cases = [CASES[name] for name in names]
    await asyncio.gather(*(contender.open_desk(case) for case in cases if case.family == "tool server"))
    done = {end["key"] for end in traces.read(ENDS) if end["ended"] == "completed"}
    print("ready", flush=True)
    keys = [(name, number) for name in names for number in range(runs) if f"{name}/{number}" not in done]
    left = {
        asyncio.create_task(contender.run(name, number, attempt)): f"{name}/{number}" for name, number in keys
    }
    seen, moved, worked = 0, time.monotonic(), time.process_time()
    while any(not task.done() for task in left) and time.monotonic() - moved < QUIET:
        await asyncio.wait(left, timeout=LOOK)
        written = sum(file.stat().st_size for file in folder.glob("*.jsonl"))  # noqa: ASYNC240 - a moment
        held = any(not traces.marked(released(case.name)) for case in cases if case.family == "worker")
        if written != seen or held or time.process_time() - worked > WORK:
            seen, moved = written, time.monotonic()
        worked = time.process_time()
    for task, key in left.items():
        if not task.done():
            contender.hang(key, attempt)
    os._exit(0)  # what hangs must not hold up the end


if __name__ == "__main__":
    _, _folder, _url, _python, _runs, _attempt, *_names = sys.argv
    _numbers = {"runs": int(_runs), "attempt": int(_attempt)}
    asyncio.run(main(Path(_folder), _url, _python, _names, **_numbers))
