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

# Beside schemathesis' own: a version that is missing or another one (428, 412), and a body that is too long.
[checks.positive_data_acceptance]
expected-statuses = ["2xx", "3xx", 401, 403, 404, 409, 412, 428, 429, "5xx"]
[checks.negative_data_rejection]
expected-statuses = [400, 401, 403, 404, 405, 406, 409, 412, 413, 415, 422, 428, 429, "5xx"]
"""
HOLDS = "/degradation/hold$"
HELD = """
# Who holds a level has asked for this answer to the next that starts a run.
[checks.not_a_server_error]
expected-statuses = ["2xx", "3xx", "4xx", 503]
"""
PATIENCE = 3_600


async def fuzz(
    folder: Path, address: str, key: str, *, examples: int, seed: int, only: str = ""
) -> dict[str, Any]:
    """How many cases were sent to how many routes, and which failed; `only` those whose path matches.

    What failed is written whole to the standard error. The level is held last: no run before meets it.
    """
    asked = ("--header", f"Authorization: Bearer {key}", "--max-examples", str(examples), "--seed", str(seed))
    if only:
        return _figures(
            [await _part(folder, address, CONFIG + HELD, *asked, "--include-path-regex", only)], seed
        )
    free = await _part(folder, address, CONFIG, *asked, "--exclude-path-regex", HOLDS)
    held = await _part(folder, address, CONFIG + HELD, *asked, "--include-path-regex", HOLDS)
    return _figures([free, held], seed)


async def _part(folder: Path, address: str, settings: str, *asked: str) -> dict[str, Any]:
    config, report = folder / "schemathesis.toml", folder / "report.json"
    config.write_text(settings)
    report.unlink(missing_ok=True)
    program = Path(sys.executable).with_name("schemathesis")
    command = [
        *(str(program), "--config-file", str(config), "run", f"{address}/api/v1/openapi.json"),
        *(
            "--checks",
            "all",
            "--workers",
            "1",
            *asked,
            "--request-timeout",
            "60",
            "--continue-on-failure",
            "--no-color",
        ),
        *("--report", "json", "--report-json-path", str(report)),
        *("--suppress-health-check", "all"),
    ]
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
    told: dict[str, Any] = json.loads(report.read_text()) if report.exists() else {}
    return told


def _figures(parts: list[dict[str, Any]], seed: int) -> dict[str, Any]:
    operations, cases = ([part.get(name, {}) for part in parts] for name in ("operations", "test_cases"))
    failed = [failure for part in parts for failure in part.get("failures", [])]
    return {
        "operations": sum(each.get("selected", 0) for each in operations),
        "tested": sum(each.get("tested", 0) for each in operations),
        "cases": sum(each.get("generated", 0) for each in cases),
        "failures": sum(each.get("unique_failures", 0) for each in cases),
        "errors": sum(len(part.get("errors", [])) for part in parts),
        "phases": [
            {name: phase["status"] for name, phase in part.get("phases", {}).items()} for part in parts
        ],
        "failed": [f"{each['title']}: {', '.join(each['operations'])}" for each in failed],
        "complete": all(part.get("complete", False) for part in parts),
        "seed": seed,
        "version": parts[0].get("schemathesis_version", ""),
    }
