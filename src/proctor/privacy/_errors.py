"""What breaks in this room.

Forbidden
├── ConsentMissing        nobody may process this for that purpose: the subject didn't consent to it
└── Restricted            the subject's data is kept, and not processed
Conflict
├── Erased                the run's texts are gone: it can't go on, and can't be replayed
├── OnHold                the law demands that this is kept
└── StillRunning          a run of the subject goes on, and doesn't stop
"""

from proctor.core import Conflict, Forbidden


class ConsentMissing(Forbidden):
    """Nobody may process this for that purpose: the subject didn't consent to it, or does no more."""

    code = "consent_missing"

    def __init__(self, message: str, *, purpose: str, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.purpose = purpose


class Restricted(Forbidden):
    """The subject's data is kept, and not processed."""

    code = "restricted"


class Erased(Conflict):
    """The run's texts are gone: it can't go on, and can't be replayed."""

    code = "erased"
    status = 410


class OnHold(Conflict):
    """The law demands that this is kept."""

    code = "on_hold"
    status = 423

    def __init__(self, message: str, *, holds: tuple[str, ...], hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.holds = holds
        """Their ids."""


class StillRunning(Conflict):
    """A run of the subject goes on, and doesn't stop."""

    code = "still_running"
    retryable = True
