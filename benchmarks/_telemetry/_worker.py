"""Proctor with all of its telemetry, or with none: the third argument is the collector, or `off`."""

import sys
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import proctor
from benchmarks._overhead._proctor import DurableAutoGen, make_app
from benchmarks._overhead._worker import serve
from benchmarks._overhead._workload import MODEL
from proctor.cli._report import log_segment
from proctor.core import TelemetrySettings
from proctor.telemetry import set_up_logs


@asynccontextmanager
async def open_contender(url: str, folder: Path) -> AsyncIterator[DurableAutoGen]:
    """Proctor, ready to run; with telemetry as a service has it: spans, both kinds of metrics, JSON logs."""
    collector = sys.argv[3]
    price = {"input": "0.25", "output": "2"}
    settings: dict[str, Any] = {
        "database": {"url": f"sqlite:///{folder}/{'off' if collector == 'off' else 'on'}.db"},
        "models": {"small": {"model": MODEL, "base_url": url, "api_key": "none", "price": price}},
        "telemetry": {"metrics": False},
    }
    if collector == "off":
        configured = proctor.Settings.model_validate(settings)
        async with proctor.open(make_app(), settings=configured) as running:
            yield DurableAutoGen(running)
        return
    settings["telemetry"] = {"endpoint": collector, "logs": "json"}
    configured = proctor.Settings.model_validate(settings)
    with (folder / "log.jsonl").open("w", encoding="utf-8", buffering=1) as log:
        set_up_logs(TelemetrySettings(logs="json"), "service", stream=log)
        async with proctor.open(make_app(), settings=configured, on_segment=log_segment) as running:
            yield DurableAutoGen(running)


def sending() -> float:
    """Seconds of processor time of the threads that send to the collector."""
    own = [each.native_id for each in threading.enumerate() if each.name.startswith("Otel")]
    told = [Path(f"/proc/self/task/{one}/schedstat").read_text(encoding="ascii") for one in own]
    return sum(int(each.split()[0]) for each in told) / 1e9


if __name__ == "__main__":
    serve(open_contender, "opentelemetry-sdk", "structlog", "prometheus-client", beside=sending)
