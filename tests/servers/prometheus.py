"""Prometheus' own programs for tests, which are skipped where they can't be had."""

from functools import cache

import pytest

from benchmarks._prometheus._programs import ProgramsMissing, programs


@cache
def program(name: str) -> str:
    """The path of `prometheus`, `promtool` or `amtool`; skips the test where it can't be had."""
    try:
        return programs()[name]
    except ProgramsMissing as missing:
        pytest.skip(str(missing))
