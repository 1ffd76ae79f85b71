"""The recorded tasks, read from files that are no part of the project."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from benchmarks._surroundings import data_folder
from proctor.core import JsonObject, ProctorError
from proctor.deployments.support.shop import load_database

Form = Literal["tau1", "tau2"]
"""How a recording writes its database, and takes the hash of it."""

_FILES: Mapping[str, tuple[str, ...]] = {
    "retail": (
        "tau2/retail/replay_train.jsonl",
        "tau1/retail/replay_train.jsonl",
        "tau1/retail/replay_dev.jsonl",
    )
}
"""The domains whose tools are implemented here."""


class DataMissing(ProctorError):
    """The recorded tasks aren't there, or can't be read."""

    code = "data_missing"
    status = 404


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One recorded call."""

    tool: str
    arguments: JsonObject
    writes: bool
    """Whether the tool changes the database; where the step also fails, it changed nothing."""
    fails: bool
    result: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A customer's concern with the calls that settle it."""

    id: str
    form: Form
    text: str
    """What the customer says."""
    steps: tuple[Step, ...]
    patch: Mapping[str, object]
    """What differs from the base database at the beginning."""
    initial_hash: str
    final_hash: str

    @property
    def effects(self) -> list[tuple[str, JsonObject]]:
        """Every write that must take effect, in order."""
        return [(step.tool, step.arguments) for step in self.steps if step.writes and not step.fails]


def load_tasks(domain: str, files: Sequence[Path] | None = None) -> tuple[Task, ...]:
    """Every task of the files, one a line; without files, every recorded task of the domain that is known.

    Raises:
        DataMissing: the data isn't there, or is no replay of this domain.
    """
    if domain not in _FILES:
        raise DataMissing(f"there is no domain {domain!r} here", hint=f"There is {', '.join(_FILES)}.")
    if files is None:
        files = [_root() / name for name in _FILES[domain]]
    tasks = tuple(task for file in files for task in _read(file, domain))
    if not tasks:
        raise DataMissing(
            f"there is no task in {', '.join(map(str, files))}", hint="One task a line, as JSON."
        )
    return tasks


def spread(tasks: Sequence[Task], limit: int | None) -> Sequence[Task]:
    """As many tasks as wanted, from all over the list."""
    if limit is None or limit >= len(tasks):
        return tasks
    return [tasks[place * len(tasks) // limit] for place in range(limit)]


def load_base(root: Path, tenant: str, form: Form) -> None:
    """Makes a tenant of the database that recordings of a form begin with.

    Raises:
        DataMissing: the data isn't there.
    """
    source = _root() / ("tau1/retail/db" if form == "tau1" else "tau2/retail/db.json")
    if not source.exists():
        raise DataMissing(f"there is no {source}", hint=_HINT)
    # tau2-bench recorded its results with a fault in how replaced lines are priced.
    load_database(root, tenant, source, price_rule="own_variant" if form == "tau1" else "last_variant")


_HINT = "Set PROCTOR_DATA to the folder that holds tau1 and tau2."


def _read(file: Path, domain: str) -> Iterator[Task]:
    try:
        with file.open(encoding="utf-8") as lines:
            for line in filter(str.strip, lines):
                yield _task(json.loads(line), domain)
    except OSError as error:
        raise DataMissing(f"{file} can't be read: {error.strerror}", hint=_HINT) from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataMissing(
            f"{file} is no replay: {type(error).__name__}: {error}", hint="One task a line, as JSON."
        ) from error


def _root() -> Path:
    root = data_folder()
    if not root.is_dir():
        raise DataMissing(f"there is no folder {root}", hint=_HINT)
    return root


def _task(line: Mapping[str, Any], domain: str) -> Task:
    if line.get("domain", domain) != domain:
        raise ValueError(f"task {line['task_id']} is of the domain {line['domain']!r}")
    if any(step.get("requestor", "assistant") != "assistant" for step in line["steps"]):
        raise ValueError(f"task {line['task_id']} has steps of the customer's side, which no tool here takes")
    initial, final = line["initial_db_hash"], line["final_db_hash"]
    # tau2 takes the hash of two databases, of which a shop has one.
    pair = isinstance(final, list)
    said = line.get("instruction") or line.get("user_instructions") or ""
    return Task(
        id=f"{line.get('bench', 'task')}/{line['task_id']}",
        form="tau2" if pair else "tau1",
        text=said if isinstance(said, str) else _told(said),
        steps=tuple(_step(step) for step in line["steps"]),
        patch=line.get("initial_patch") or {},
        initial_hash=initial[0] if pair else initial,
        final_hash=final[0] if pair else final,
    )


def _step(step: Mapping[str, Any]) -> Step:
    result = step["result"]
    return Step(
        tool=step["name"],
        arguments=step["arguments"],
        writes=bool(step["mutates"]),
        fails=bool(step["error"]),
        result=result if isinstance(result, str) else json.dumps(result),
    )


def _told(instructions: Mapping[str, Any]) -> str:
    parts = (instructions.get("reason_for_call"), instructions.get("known_info"))
    return " ".join(str(part) for part in parts if part)
