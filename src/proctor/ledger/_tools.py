"""What calls of tools cost, by the configuration of their server."""

from proctor.core import Micros, ToolServerSettings, to_micros

BYTES = 4
"""Of a character, at most, in UTF-8."""

GIGABYTE = 10**9


def most_of(server: ToolServerSettings) -> Micros:
    """What a call costs at most: it takes no longer than it may, and gives no more text than it may."""
    seconds = server.call_timeout.total_seconds()
    return price_of(server, seconds=seconds, size=BYTES * server.max_output)


def price_of(server: ToolServerSettings, *, seconds: float, size: int) -> Micros:
    """What a call costs that took so long and gave so many bytes of text; waiting before it isn't counted."""
    billed = min(seconds, server.call_timeout.total_seconds())
    return (
        to_micros(server.cost_per_call)
        + _half_up(to_micros(server.cost_per_second) * round(billed * 1000), 1000)
        + _half_up(to_micros(server.cost_per_gb) * min(size, BYTES * server.max_output), GIGABYTE)
    )


def _half_up(amount: int, of: int) -> Micros:
    return (2 * amount + of) // (2 * of)
