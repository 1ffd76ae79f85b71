"""Identifiers that sort by the time they were made."""

import os
import time
from datetime import datetime

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
"""Crockford's base 32: no i, l, o, u, so that an id can be read aloud."""
_PAIRS = [first + second for first in _ALPHABET for second in _ALPHABET]
_SHIFTS = tuple(range(120, -1, -10))


def new_id(prefix: str) -> str:
    """A fresh identifier such as `run_01k9x…`: 48 bits of milliseconds, then 80 random bits, in base 32."""
    return _written(prefix, (time.time_ns() // 1_000_000 << 80) | int.from_bytes(os.urandom(10)))


def first_id(prefix: str, at: datetime) -> str:
    """The least identifier that can have been made at an instant: those made before sort before it."""
    return _written(prefix, max(0, int(at.timestamp() * 1000)) << 80)


def _written(prefix: str, number: int) -> str:
    return f"{prefix}_{''.join([_PAIRS[(number >> shift) & 1023] for shift in _SHIFTS])}"
