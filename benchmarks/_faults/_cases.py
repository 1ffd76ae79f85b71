"""Which faults are made, what is to meet each of them, and what must come of it.

Every process of the benchmark reads this, also the contender's, which has no Proctor.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

Family = Literal["agent", "provider", "tool server", "worker", "database"]
Mechanism = Literal[
    "retry",
    "fallback",
    "stand_in",
    "refusal",
    "absorb",
    "person",
    "reschedule",
    "hand_over",
    "wait",
    "by_hand",
]
Engine = Literal["embedded", "temporal"]

LASTING = 1_000_000
"""Strikes of a fault that lasts until it is mended."""

FOR_GOOD = "for good"

HASTY = 1.0
"""Seconds for an answer of a model or a tool server that hangs."""
PATIENT = 60.0
"""Seconds for an answer of the others."""

OUTCOMES: dict[Mechanism, str] = {
    "retry": "completed after a retry",
    "fallback": "completed by a fallback",
    "stand_in": "completed by a stand-in",
    "refusal": "completed with a stated refusal",
    "absorb": "completed",
    "person": "settled by a person, completed",
    "reschedule": "rescheduled, completed",
    "hand_over": "handed over, completed",
    "wait": "completed",
    "by_hand": "parked, resumed by hand, completed",
}
"""What each mechanism is to make of a run."""

LEVELS: dict[Mechanism, int] = {
    "retry": 1,
    "fallback": 1,
    "stand_in": 1,
    "refusal": 1,
    "absorb": 1,
    "person": 1,
    "reschedule": 2,
    "hand_over": 2,
    "wait": 2,
    "by_hand": 2,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One fault, and what is to meet it. Its name is that of a team too."""

    fault: str
    family: Family
    mechanism: Mechanism
    strikes: int = LASTING
    """How often the fault comes, for each run; of a tool server that ends: for all of them."""
    code: str = ""
    """The error that a run is parked with."""
    engine: Engine = "embedded"

    @property
    def name(self) -> str:
        """A word for programs."""
        return f"{self.fault}-{self.mechanism}"

    @property
    def level(self) -> int:
        """The level of isolation that meets the fault (DESIGN 5)."""
        return LEVELS[self.mechanism]

    @property
    def outcome(self) -> str:
        """What every run must come to."""
        return OUTCOMES[self.mechanism]

    @property
    def shared(self) -> bool:
        """Whether one fault meets all runs that are under way."""
        return self.fault in ONCE_FOR_ALL and self.strikes == 1

    @property
    def lasts(self) -> str:
        """How long the fault is there: a team without Proctor meets the same."""
        if self.mechanism == "by_hand":
            return "until it is mended"
        if self.strikes == LASTING:
            return FOR_GOOD
        return "once" if self.strikes == 1 else f"{self.strikes} times"


def _cases() -> Iterator[Case]:
    yield from _agent_cases()
    for fault, code in (
        ("http_429", "model_overloaded"),
        ("http_500", "model_overloaded"),
        ("hang", "model_unreachable"),
        ("nonsense", "model_nonsense"),
        ("half_stream", "model_unreachable"),
    ):
        # A stream of which the reader has seen a part is neither asked for again nor taken to another model.
        before: tuple[Mechanism, ...] = () if fault == "half_stream" else ("retry", "fallback")
        yield from _lasting("provider", f"provider_{fault}", before, code)
    for fault in ("dies", "stalls", "floods"):
        yield from _lasting("tool server", f"tools_{fault}", (), "tool_server_unavailable")
    yield Case(fault="tools_dies", family="tool server", mechanism="person", strikes=1)
    yield Case(fault="tools_floods", family="tool server", mechanism="absorb")
    for fault, engine in WORKER_FAULTS:
        yield Case(
            fault=f"worker_{fault}_{engine}",
            family="worker",
            mechanism="hand_over" if fault == "drained" else "reschedule",
            strikes=1,
            engine=engine,
        )
    yield Case(fault="database_restarts", family="database", mechanism="wait", strikes=1)
    yield Case(fault="database_stays_away", family="database", mechanism="reschedule", strikes=1)


def _agent_cases() -> Iterator[Case]:
    for fault in ("raises", "hangs", "base_exception", "cancels_itself", "loops"):
        for mechanism in ("stand_in", "refusal"):
            yield Case(fault=f"agent_{fault}", family="agent", mechanism=mechanism)
        if fault == "hangs":
            yield Case(fault=f"agent_{fault}", family="agent", mechanism="reschedule", strikes=2)
        else:
            code = "loop_detected" if fault == "loops" else "agent_failed"
            yield Case(fault=f"agent_{fault}", family="agent", mechanism="by_hand", code=code)
    # An error of the system may pass, which makes all the difference.
    yield Case(fault="agent_raises_oserror", family="agent", mechanism="reschedule", strikes=2)


def _lasting(family: Family, fault: str, before: Iterable[Mechanism], code: str) -> Iterator[Case]:
    # A server that ends takes a second to start again: one row for what agents make of it is enough.
    spared: tuple[Mechanism, ...] = ("stand_in",) if fault in ONCE_FOR_ALL else ("stand_in", "refusal")
    for mechanism in (*before, *spared):
        strikes = 2 if mechanism == "retry" else LASTING
        yield Case(fault=fault, family=family, mechanism=mechanism, strikes=strikes)
    if fault not in ONCE_FOR_ALL:
        yield Case(fault=fault, family=family, mechanism="reschedule", strikes=2)
    elif fault == "tools_dies":  # a call that only reads is made once more, by a fresh server
        yield Case(fault=fault, family=family, mechanism="absorb", strikes=1)
    yield Case(fault=fault, family=family, mechanism="by_hand", code=code)


ONCE_FOR_ALL = frozenset({"tools_dies", "tools_floods"})
"""Faults that end the tool server, and so meet every call that is under way."""

WORKER_FAULTS: tuple[tuple[str, Engine], ...] = (
    ("killed", "embedded"),
    ("drained", "embedded"),
    ("killed", "temporal"),
    ("frozen", "temporal"),
    ("drained", "temporal"),
)

BRANCHES: tuple[Family, ...] = ("agent", "provider", "tool server")
"""Faults of one branch alone."""

LADDER = "ladder"
"""The team of the third level."""

CASES: dict[str, Case] = {case.name: case for case in _cases()}

SIBLINGS = ("clerk", "writer")
"""The agents of the branches beside the faulty one."""

_CASE = re.compile(r"Case ([\w-]+)/(\d+):")


def task_of(name: str, number: int) -> str:
    """What the n-th run of a case is started with."""
    return f"Case {name}/{number}: settle it."


def key_of(texts: Iterable[str]) -> str:
    """The case and the number of the run that these texts belong to, as `CASE/NUMBER`."""
    found = next(filter(None, map(_CASE.search, texts)), None)
    return f"{found[1]}/{found[2]}" if found else "/0"
