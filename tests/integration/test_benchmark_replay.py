"""Short runs of the replay benchmarks, as their users start them; and what they must not let pass."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks._replay._data import Step, Task, load_tasks, spread
from benchmarks._replay._hashes import database_hash
from benchmarks._replay._person import is_next_write

ROOT = Path(__file__).parents[2]
DATA = Path(os.environ.get("PROCTOR_DATA") or ROOT.parent / "shared" / "data")
