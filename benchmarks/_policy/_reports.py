"""How the trained checks do on sources that their training never saw: what the trainings wrote down."""

import json
from pathlib import Path
from typing import Any

_ROOT = Path(__file__).parents[2]
_REPORTS = {
    "injection": _ROOT / "src" / "proctor" / "policies" / "data" / "injection_report.json",
    "advice": _ROOT / "benchmarks" / "_compliance" / "advice_report.json",
    "dark patterns": _ROOT / "benchmarks" / "_compliance" / "dark_patterns_report.json",
}


def left_out() -> dict[str, Any]:
    """The reports by check; none where a training hasn't written one."""
    return {
        name: json.loads(path.read_text(encoding="utf-8")) if path.exists() else None
        for name, path in _REPORTS.items()
    }
