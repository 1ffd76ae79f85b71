"""The person who decides: holds an action against the recording, and looks into the shop after a crash."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from benchmarks._replay._data import Task
from proctor import Decision, Proctor, Run, approvals
from proctor.approvals import Approval
from proctor.core import JsonObject, JsonValue, canonical_json
from proctor.deployments.support.shop import read_effects

NAME = "person@example.org"


async def at_once() -> None:
    """Waits for nothing."""


class Person:
    """Decides what runs ask, with access to the shops' own records.

    `settled` returns when no shop still works for a worker that is dead.
    """

    def __init__(
        self, running: Proctor, shops: Path, settled: Callable[[], Awaitable[None]] = at_once
    ) -> None:
        self._running = running
        self._shops = shops
        self._settled = settled

    async def attend(self, run: Run, task: Task) -> Run:
        """The run after it has ended, with every question of it decided."""
        while (run := await self._running.wait(run.id)).state == "waiting":
            asked = await questions(self._running, run.id)
            for place, approval in enumerate(asked):
                if approval.state == "pending":
                    decision = await self._decide(approval, asked[:place], run, task)
                    await self._running.decide(approval.id, decision)
        return run

    async def _decide(
        self, approval: Approval, earlier: Sequence[Approval], run: Run, task: Task
    ) -> Decision:
        action = approval.question.action
        match approval.question.kind:
            case "action":
                known = [other.question.action for other in earlier if other.question.kind == "action"]
                if is_next_write(task, known, action):
                    return Decision(kind="approve", by=NAME)
                return Decision(kind="reject", comment="The recording has another action here.", by=NAME)
            case "uncertain":
                await self._settled()
                result = await self._result_in_shop(action, run)
                if result is None:
                    return Decision(kind="approve", by=NAME)
                return Decision(kind="respond", comment=result, by=NAME)
            case _:
                return Decision(kind="reject", comment="This can't be asked here.", by=NAME)

    async def _result_in_shop(self, action: JsonObject, run: Run) -> str | None:
        """What the shop answered to the call in doubt, by its own record; nothing where it has none."""
        effects = await asyncio.to_thread(read_effects, self._shops, run.tenant)
        results = [
            effect.result
            for effect in effects
            if same_call(action, effect.tool, json.loads(effect.arguments))
        ]
        finished = [
            call
            for call in await self._running.runs.calls(run.id)
            if call.outcome is not None and call.request == action and not call.outcome["is_error"]
        ]
        return results[len(finished)] if len(results) > len(finished) else None


async def questions(running: Proctor, run_id: str) -> tuple[Approval, ...]:
    """All questions of a run, oldest first."""
    return await running.database.read(lambda connection: approvals.of_run(connection, run_id))


def is_next_write(task: Task, earlier: Sequence[JsonObject], action: JsonObject) -> bool:
    """Whether the action is the task's next write after those asked for, down to the last character.

    A write that fails may be missing among them: what its schema refuses no person is asked about.
    """
    wanted = iter(step for step in task.steps if step.writes)
    for asked in (*earlier, action):
        for step in wanted:
            if same_call(asked, step.tool, step.arguments):
                break
            if not step.fails:
                return False
        else:
            return False
    return True


def same_call(action: JsonObject, tool: str, arguments: JsonValue) -> bool:
    """Whether an action is the call of a tool with exactly these arguments."""
    return canonical_json([action["tool"], action["arguments"]]) == canonical_json([tool, arguments])
