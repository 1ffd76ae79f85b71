"""What a benchmark finds around it: the machine, and the data that are no part of the project."""

import os
import platform
from pathlib import Path


def machine() -> dict[str, str | int | None]:
    """What figures depend on, to be told beside them."""
    return {
        "python": platform.python_version(),
        "system": platform.platform(),
        "cores": os.cpu_count(),
    }


def data_folder() -> Path:
    """The folder of data sets: `PROCTOR_DATA`, or the one beside the repository."""
    beside = Path(__file__).resolve().parents[2] / "shared" / "data"
    return Path(os.environ.get("PROCTOR_DATA") or beside)
