"""The processes that a test has started, by their commands."""

from collections.abc import Sequence
from contextlib import suppress

import psutil


def processes_of(word: str, *, but: Sequence[str] = ()) -> list[psutil.Process]:
    """Those below this process whose command holds a word, and none of some others."""
    found = []
    for child in psutil.Process().children(recursive=True):
        with suppress(psutil.Error):  # it has ended
            command = " ".join(child.cmdline())
            if word in command and not any(other in command for other in but):
                found.append(child)
    return found
