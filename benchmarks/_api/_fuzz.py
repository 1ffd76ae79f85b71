"""Schemathesis over the whole OpenAPI, with all of its checks, against the real server."""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

CONFIG = """\
# A stream lasts as long as it is asked to, and so does a request that waits.
[parameters]
"query.seconds" = 1
"query.wait" = 0

# Cases may set the system's level by hand; that it then takes no new runs is what was asked for.
[checks.not_a_server_error]
expected-statuses = ["2xx", "3xx", "4xx", 503]

# Beside schemathesis' own: a version that is missing or another one (428, 412), and a body that is too long.
[checks.positive_data_acceptance]
expected-statuses = ["2xx", "3xx", 401, 403, 404, 409, 412, 428, 429, "5xx"]
[checks.negative_data_rejection]
expected-statuses = [400, 401, 403, 404, 405, 406, 409, 412, 413, 415, 422, 428, 429, "5xx"]
"""
PATIENCE = 3_600


async def fuzz(
    folder: Path, address: str, key: str, *, examples: int, seed: int, only: str = ""
) -> dict[str, Any]:
    """How many cases were sent to how many routes, and which failed; `only` those whose path matches.

    What failed is written whole to the standard error.
    """
    config, report = folder / "schemathesis.toml", folder / "report.json"
    config.write_text(CONFIG)
    program = Path(sys.executable).with_name("schemathesis")
    command = [
        *(str(program), "--config-file", str(config), "run", f"{address}/api/v1/openapi.json"),
        *("--header", f"Authorization: Bearer {key}", "--checks", "all"),
        *("--max-examples", str(examples), "--seed", str(seed), "--workers", "1"),
        *("--request-timeout", "60", "--continue-on-failure", "--no-color"),
        *("--report", "json", "--report-json-path", str(report)),
        *("--suppress-health-check", "all"),
    ]
    if only:
        command += ["--include-path-regex", only]
    process = await asyncio.create_subprocess_exec(
        *command, cwd=folder, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    try:
        async with asyncio.timeout(PATIENCE):
            said, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode or not report.exists():
        print(said.decode(), file=sys.stderr, flush=True)
    return _figures(json.loads(report.read_text()) if report.exists() else {}, seed=seed)


def _figures(told: dict[str, Any], *, seed: int) -> dict[str, Any]:
    operations, cases = told.get("operations", {}), told.get("test_cases", {})
    return {
        "operations": operations.get("selected", 0),
        "tested": operations.get("tested", 0),
        "cases": cases.get("generated", 0),
        "failures": cases.get("unique_failures", 0),
        "errors": len(told.get("errors", [])),
        "phases": {name: phase["status"] for name, phase in told.get("phases", {}).items()},
        "failed": [f"{each['title']}: {', '.join(each['operations'])}" for each in told.get("failures", [])],
        "complete": told.get("complete", False),
        "seed": seed,
        "version": told.get("schemathesis_version", ""),
    }
