"""What the tool chains of all teams share, one of each a process."""

from dataclasses import dataclass

from proctor.app._settings import Settings
from proctor.core import Clock
from proctor.store import Database
from proctor.tools import Pins, ToolRates, ToolRules


@dataclass(frozen=True, slots=True, kw_only=True)
class Guards:
    """What holds for tools, what they were when they were believed, and whose turn it is."""

    rules: ToolRules
    pins: Pins
    rates: ToolRates


def make_guards(settings: Settings, database: Database, *, clock: Clock) -> Guards:
    """The guards of a process."""
    rules = ToolRules(settings.tools, settings.functions, settings.data)
    return Guards(
        rules=rules,
        pins=Pins(database, clock=clock, settings=settings.trust),
        rates=ToolRates(rules, clock),
    )
