"""The tools that stand for teams: their names, what they take, and what they answer."""

import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain, count
from typing import Any

import mcp_types as types
from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match

from proctor.api.protocols._questions import DECISIONS
from proctor.core import InvalidInput

_RUN: dict[str, Any] = {"type": "string", "pattern": "^run_[0-9a-hjkmnp-tv-z]{26}$"}
_WAIT: dict[str, Any] = {
    "type": "number",
    "minimum": 0,
    "maximum": 3600,
    "description": "Return after so many seconds, even if the team is at work. Absent: when it has ended, "
    "or the server waits no longer.",
}
_OUTPUT: dict[str, Any] = {
    "type": "object",
    "required": ["run_id", "state", "cost_micros", "answer", "approvals"],
    "properties": {
        "run_id": {"type": "string"},
        "state": {"type": "string"},
        "thread": {"type": ["string", "null"]},
        "cost_micros": {"type": "integer"},
        "answer": {"type": ["string", "null"]},
        "error": {"type": ["string", "null"]},
        "approvals": {"type": "array", "items": {"type": "object"}},
    },
}
DECISION: dict[str, Any] = {
    "type": "object",
    "properties": {
        "decision": {
            "type": "string",
            "enum": [*DECISIONS],
            "description": "May it be done? `respond`: no, and the comment is the answer.",
        },
        "comment": {"type": "string", "description": "Why; the agents read it.", "maxLength": 10_000},
    },
    "required": ["decision"],
}
"""What a person is asked by the client."""


def _inputs(required: list[str], **properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": False,
    }


TASK = _inputs(
    ["task"],
    task={"type": "string", "minLength": 1, "maxLength": 1_000_000, "description": "What the team is to do."},
    thread={
        "type": "string",
        "pattern": "^(new|thr_[0-9a-hjkmnp-tv-z]{26})$",
        "description": "The conversation it belongs to, as an earlier answer named it; `new` opens one.",
    },
    wait_seconds=_WAIT,
)
CONTINUE = types.Tool(
    name="continue_run",
    description="Wait on for a run that was begun, and read its answer.",
    input_schema=_inputs(["run_id"], run_id=_RUN, wait_seconds=_WAIT),
    output_schema=_OUTPUT,
)
CANCEL = types.Tool(
    name="cancel_run",
    description="Stop a run at its next step.",
    input_schema=_inputs(["run_id"], run_id=_RUN),
)


def tool_of(name: str, team: str) -> types.Tool:
    """The tool that gives a task to a team."""
    description = f"Give a task to the team {team}."
    return types.Tool(name=name, description=description, input_schema=TASK, output_schema=_OUTPUT)


def tool_names(teams: Iterable[str]) -> Iterator[tuple[str, str]]:
    """The tools' names with their teams: a tool's name holds fewer kinds of characters than a team's."""
    taken: set[str] = set()
    for team in teams:
        plain = "run_" + re.sub(r"[^A-Za-z0-9_-]", "_", team)
        name = next(each for each in chain([plain], (f"{plain}_{n}" for n in count(2))) if each not in taken)
        taken.add(name)
        yield name, team


def check(given: Mapping[str, Any], schema: dict[str, Any]) -> None:
    """Returns where arguments fit.

    Raises:
        InvalidInput: they don't.
    """
    fault = best_match(Draft202012Validator(schema).iter_errors(given))
    if fault is not None:
        place = ".".join(str(part) for part in fault.absolute_path) or "arguments"
        raise InvalidInput(f"{place}: {fault.message[:500]}")
    if any(isinstance(value, str) and "\x00" in value for value in given.values()):
        raise InvalidInput("a text holds a character that nobody can store")
