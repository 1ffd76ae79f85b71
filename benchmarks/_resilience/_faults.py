"""Which request fails, and how: drawn from seed and request, so that both contenders meet the same."""

from hashlib import sha256
from typing import Literal, get_args

Fault = Literal["too_many_requests", "server_error", "hang", "half_an_answer", "nonsense", "reset"]
FAULTS: tuple[Fault, ...] = get_args(Fault)


def fault_of(seed: int, share: float, *, model: str, request: str, attempt: int) -> Fault | None:
    """The fault of the n-th attempt at a request, if it has one; each kind is as likely."""
    drawn = sha256(f"{seed}/{model}/{request}/{attempt}".encode()).digest()
    place = int.from_bytes(drawn[:8]) / 2**64
    if place >= share:
        return None
    return FAULTS[int(place / share * len(FAULTS))]
