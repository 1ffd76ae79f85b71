"""What a request has brought so far: it is paid for also where the answer breaks off."""

from dataclasses import replace

from proctor.core import ModelCall, Usage
from proctor.ledger._bounds import size_of, usual_usage


class Meter:
    """What has come of an answer so far."""

    __slots__ = ("_on_text", "_on_usage", "received", "usage")

    def __init__(self, call: ModelCall) -> None:
        self._on_text = call.on_text
        self._on_usage = call.on_usage
        self.received = 0
        """Bytes of text."""
        self.usage: Usage | None = None

    def text(self, piece: str) -> None:
        """Counts a piece and passes it on."""
        self.received += size_of(piece)
        if self._on_text is not None:
            self._on_text(piece)

    def count(self, usage: Usage) -> None:
        """Takes what the provider has counted so far, and passes it on."""
        self.usage = usage
        if self._on_usage is not None:
            self._on_usage(usage)

    def used(self, call: ModelCall) -> Usage:
        """What is paid for: what was counted, or about that; and no less than the text that came."""
        if self.usage is None:
            return usual_usage(call, self.received)
        received = usual_usage(call, self.received).output if self.received else 0
        return self.usage if received <= self.usage.output else replace(self.usage, output=received)
