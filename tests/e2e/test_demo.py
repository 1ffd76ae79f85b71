"""`make demo` as a person starts it, on the real local model."""

import asyncio
import json
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.local_model, pytest.mark.slow]

LONGEST = 25 * 60
"""Seconds, on a machine that is busy with other tests; alone it takes a fifth."""


async def test_the_demo_answers_nearly_all_questions_rightly(tmp_path: Path) -> None:
    command = ["-m", "proctor.deployments.support.demo", "--json", "--folder", str(tmp_path / "demo")]
    process = await asyncio.create_subprocess_exec(sys.executable, *command, stdout=-1, stderr=-1)
    async with asyncio.timeout(LONGEST):
        out, shown = await process.communicate()
    report = json.loads(out)
    assert (process.returncode, report["ok"]) == (0, True), shown.decode()
    assert report["right"] >= 5
    acted = next(question for question in report["questions"] if question["title"] == "cancellation")
    assert (acted["verdict"], acted["right"]) == ("approved", True)
    refused = next(question for question in report["questions"] if question["title"] == "a secret")
    assert (refused["state"], refused["model_calls"], refused["right"]) == ("refused", 0, True)
