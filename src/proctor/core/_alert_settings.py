"""`[alerts]`: what is out of the ordinary, and who is told."""

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import Field, FiniteFloat, NonNegativeInt

from proctor.core._section import Duration, Name, Pause, Section

Sensitivity = Literal["off", "low", "normal", "high"]
"""How unlikely something must be by chance before it is told: `high` tells more, and is wrong more often."""

Line = Annotated[FiniteFloat, Field(ge=0)]
"""What is above it is told. 0: the rule is off."""


class TeamAlertSettings(Section):
    """What holds for one team instead; what isn't said is as for all."""

    enabled: bool = True
    roles: tuple[Name, ...] | None = None
    sensitivity: Sensitivity | None = None
    p99_seconds: Line | None = None
    error_rate: Annotated[FiniteFloat, Field(ge=0, lt=1)] | None = None
    calls_per_second: Line | None = None
    backlog: NonNegativeInt | None = None
    backlog_age: Pause | None = None


class AlertSettings(Section):
    """When somebody is told that something is wrong."""

    enabled: bool = True
    roles: tuple[Name, ...] = ()
    """Who is told. Nobody where none is named: alerts are then only listed."""
    sensitivity: Sensitivity = "normal"
    """Of the rules that compare a team with its own past. `off`: only fixed lines hold."""
    p99_seconds: Line = 5
    """What 99 of 100 model calls of five minutes don't exceed."""
    error_rate: Annotated[FiniteFloat, Field(ge=0, lt=1)] = 0.05
    """Share of calls of five minutes that come to an error. 0: the rule is off."""
    calls_per_second: Line = 100
    """Calls, in the mean of a minute."""
    backlog: NonNegativeInt = 50
    """Questions of a team that wait for people. 0: the rule is off."""
    backlog_age: Pause = timedelta(hours=4)
    """How long a question may wait. 0: the rule is off."""
    after: Pause = timedelta(minutes=1)
    """How long something must stay wrong before it is told."""
    clear_after: Duration = timedelta(minutes=10)
    """How long it must be well again before it counts as resolved."""
    group_for: Pause = timedelta(minutes=5)
    """After a message, further ones to the same people are gathered so long."""
    repeat_every: Duration = timedelta(hours=4)
    """How often what stays wrong is told again."""
    history: Annotated[timedelta, Field(ge=timedelta(days=2), le=timedelta(days=90))] = timedelta(days=14)
    """How much of the past says what is usual."""
    teams: dict[Name, TeamAlertSettings] = Field(default={})

    @property
    def all_roles(self) -> tuple[str, ...]:
        """Everybody who is told of anything."""
        own = (role for team in self.teams.values() for role in team.roles or ())
        return tuple(dict.fromkeys((*self.roles, *own)))

    def of(self, team: str) -> "AlertSettings":
        """The settings that hold for a team."""
        own = self.teams.get(team)
        if own is None:
            return self
        said = {name: value for name, value in own if value is not None}
        return self.model_copy(update={**said, "enabled": self.enabled and own.enabled, "teams": {}})
