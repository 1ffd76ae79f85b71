"""`[degradation]`: when the system steps down, and when it climbs back."""

from datetime import timedelta
from itertools import pairwise
from typing import Annotated, TypeAlias

from pydantic import Field, FiniteFloat, PositiveInt, model_validator

from proctor.core._section import Duration, Section

Lines: TypeAlias = Annotated[tuple[Annotated[FiniteFloat, Field(gt=0)], ...], Field(max_length=4)]
"""Where levels 1, 2, 3 and 4 are entered. A level without a line isn't entered by this rule."""

Shares: TypeAlias = Annotated[tuple[Annotated[float, Field(gt=0, le=1)], ...], Field(max_length=4)]
"""As `Lines`, between 0 and 1."""


class DegradationSettings(Section):
    """`[degradation]`: the lines at which the system steps down, each level with its own."""

    enabled: bool = True
    """Whether rules change the level. An operator may set one in any case."""
    error_rate: Shares = (0.25, 0.5, 0.75, 0.9)
    """Share of model calls that their providers fail, after their retries."""
    p95_seconds: Lines = (60, 120, 240, 480)
    """What 95 of 100 model calls don't exceed, retries included."""
    budget_share: Shares = (0.8, 0.9)
    """Of the day's budget that is spent. Beyond it the budget itself refuses what costs money."""
    window: Duration = timedelta(seconds=60)
    """Calls of this time count, as far as they began at the present level."""
    min_calls: PositiveInt = 20
    """With fewer calls in the window no error rate and no latency makes it worse."""
    hold: Duration = timedelta(seconds=10)
    """Between two changes of the level."""
    recover_after: Duration = timedelta(seconds=60)
    """How long the exit rule of a level must hold: what led there stays below half of its line, all else
    below its own."""
    probe_share: Annotated[float, Field(gt=0, le=1)] = 0.05
    """Of the calls of a deployment that rests, one at a time: by them its recovery is seen."""
    probe_every: Duration = timedelta(seconds=10)
    """At least so often one of its calls is such a probe, where it has calls."""

    @model_validator(mode="after")
    def _rising(self) -> "DegradationSettings":
        for name in ("error_rate", "p95_seconds", "budget_share"):
            lines: tuple[float, ...] = getattr(self, name)
            if any(below >= above for below, above in pairwise(lines)):
                raise ValueError(f"the lines of {name} must rise from level to level")
        return self
