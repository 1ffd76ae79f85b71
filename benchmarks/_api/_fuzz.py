"""Schemathesis over the whole OpenAPI, with all of its checks, against the real server."""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

CONFIG = """\
# A stream lasts as long as it is asked to, and a waiting request as well.
[parameters]
"query.seconds" = 1
"query.wait" = 0
"""
PATIENCE = 3_600
SHOWN = 20


async def fuzz(folder: Path, address: str, key: str, *, examples: int, seed: int) -> dict[str, Any]:
    """How many cases were sent to how many routes, and which failed."""
    config, report = folder / "schemathesis.toml", folder / "report.json"
    config.write_text(CONFIG)
    program = Path(sys.executable).with_name("schemathesis")
    command = (
        *(str(program), "--config-file", str(config), "run", f"{address}/api/v1/openapi.json"),
        *("--header", f"Authorization: Bearer {key}", "--checks", "all"),
        *("--max-examples", str(examples), "--seed", str(seed), "--workers", "1"),
        *("--request-timeout", "60", "--continue-on-failure", "--no-color"),
        *("--report", "json", "--report-json-path", str(report)),
        *("--suppress-health-check", "all"),
    )
    process = await asyncio.create_subprocess_exec(
        *command, cwd=folder, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    async with asyncio.timeout(PATIENCE):
        said, _ = await process.communicate()
    told = json.loads(report.read_text()) if report.exists() else {}
    return {"exit": process.returncode, "said": said.decode()[-3000:], "report": told}
