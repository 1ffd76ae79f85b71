"""MCP's own conformance suite against our adapter, as far as it is about what we do.

It has further scenarios for clients in which a person signs in with a browser, or by a signed assertion: all
others below `auth/`. We sign in as a program, by id and secret.
"""

import asyncio
import re
import shutil
import sys
from pathlib import Path

import pytest

CLIENT = Path(__file__).parent.parent / "servers" / "conformance_client.py"
SUITE = ("-p", "node@22.23.3", "-p", "@modelcontextprotocol/conformance@0.1.16", "conformance")
"""The suite, and the Node.js that it needs."""

pytestmark = pytest.mark.slow


async def suite(*arguments: str) -> tuple[int, str]:
    """How the suite ends, and what it says; skips the test where there is no npx."""
    npx = shutil.which("npx")
    if npx is None:
        pytest.skip("npx isn't installed: https://nodejs.org")
    process = await asyncio.create_subprocess_exec(
        *(npx, "-y", *SUITE, *arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        async with asyncio.timeout(180):
            said, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return process.returncode or 0, said.decode("utf-8", "replace")


@pytest.fixture
async def fetched() -> None:
    """The suite is there; skips the test where npm's registry can't be reached, or doesn't have it."""
    code, said = await suite("list", "--client")
    if code and "npm error" in said:
        pytest.skip(f"the suite can't be had from npm: {said[-300:]}")
    assert code == 0, said[-3000:]


@pytest.mark.usefixtures("fetched")
@pytest.mark.parametrize(
    "scenario",
    [
        "initialize",
        "tools_call",
        "elicitation-sep1034-client-defaults",
        "sse-retry",
        "auth/client-credentials-basic",
        "auth/pre-registration",
    ],
)
async def test_the_conformance_suite_passes(scenario: str) -> None:
    command = f"{sys.executable} {CLIENT}"
    code, said = await suite("client", "--scenario", scenario, "--command", command)
    assert code == 0, said[-3000:]
    assert re.search(r"Passed: ([1-9]\d*)/\1, 0 failed, 0 warnings", said), said[-3000:]
