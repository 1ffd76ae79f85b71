"""What the processes of the benchmark leave behind for each other: lines in files, and marks.

Each line is written at once and whole, so it survives whoever wrote it.
"""

import json
import os
import time
from pathlib import Path
from typing import Any


class Traces:
    """The files of one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def write(self, file: str, **line: Any) -> None:
        """Adds a line, with the time."""
        data = json.dumps({**line, "at": time.time()}).encode() + b"\n"
        handle = os.open(self.folder / f"{file}.jsonl", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        try:
            os.write(handle, data)
        finally:
            os.close(handle)

    def read(self, file: str) -> list[dict[str, Any]]:
        """All lines, in order."""
        path = self.folder / f"{file}.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def mark(self, name: str) -> None:
        """Sets a mark."""
        (self.folder / f"{name}.mark").touch()

    def unmark(self, name: str) -> None:
        """Takes a mark away."""
        (self.folder / f"{name}.mark").unlink()

    def marked(self, name: str) -> bool:
        """Whether a mark is set."""
        return (self.folder / f"{name}.mark").exists()

    def strikes(self, key: str, *, most: int, of: str = "") -> bool:
        """Whether the fault comes now to this run; then it is written down. It comes so often to all `of` it.

        Once everything is `mended` it comes no more.
        """
        of = of or key
        if self.marked(MENDED) or sum(line["of"] == of for line in self.read(STRIKES)) >= most:
            return False
        self.write(STRIKES, key=key, of=of)
        return True


MENDED = "mended"
STRIKES = "strikes"
ANSWERS = "answers"
"""Answers of the model that reached whoever asked."""
HELD = "held"
"""Requests that the model doesn't answer until their case is released."""
EFFECTS = "effects"
"""What tools did to the world."""
ENDS = "ends"
"""How runs without Proctor ended."""


def released(case: str) -> str:
    """The mark by which the model answers what it holds of a case."""
    return f"released-{case}"


def of_case(lines: list[dict[str, Any]], case: str) -> list[dict[str, Any]]:
    """The lines of one case."""
    return [line for line in lines if str(line["key"]).rpartition("/")[0] == case]
