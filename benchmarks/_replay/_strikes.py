"""What is done to workers, stores and the database, at moments that were drawn and at chosen ones."""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import Random
from typing import Literal, assert_never

from benchmarks._replay._faults import Aim, Strike
from benchmarks._replay._fleet import LOOK, Fleet
from benchmarks._replay._life import Life
from benchmarks._replay._losses import Struck
from benchmarks._replay._sight import Sight
from benchmarks._servers import Postgres, Stop

PAUSE = 0.3
"""Seconds for which a store holds a write, where a strike is aimed at it."""
PATIENCE = 5.0
"""Seconds in which the place that was aimed at must come; else the strike falls where the worker stands."""
FROZEN = (5.0, 8.0)
"""Seconds for which a worker stands still: longer than its lease."""
DOWN = (0.0, 2.0)
"""Seconds between the database's end and its start."""
BEHIND = 8
"""Model calls that a strike may be late, before no further run is started."""


@dataclass(slots=True)
class Story:
    """What was done."""

    counts: Counter[str] = field(default_factory=Counter)
    """Strikes by kind."""
    aimed: Counter[str] = field(default_factory=Counter)
    """Kills by the place that they were aimed at."""
    hit: Counter[str] = field(default_factory=Counter)
    """Kills by what they interrupted; one may interrupt several things."""
    struck: list[Struck] = field(default_factory=list)
    drains: list[float] = field(default_factory=list)
    """Seconds that each drained worker took to end."""


class Strikes:
    """Strikes, one after the other; a worker that is frozen stays so while the next ones fall."""

    def __init__(
        self, strikes: Sequence[Strike], fleet: Fleet, sight: Sight, postgres: Postgres | None, rng: Random
    ) -> None:
        self._strikes = strikes
        self._fleet = fleet
        self._sight = sight
        self._postgres = postgres
        self._rng = rng
        self._aims = [strike.aim for strike in strikes if strike.blow == "kill"]
        self.fallen = 0
        self.story = Story()

    @property
    def planned(self) -> int:
        """All strikes, fallen and to come."""
        return len(self._strikes)

    @property
    def pause(self) -> str:
        """What a store that starts now does with writes, so that the next kill meets one where it should."""
        match next(iter(self._aims), "anywhere"):
            case "before effect":
                return f"before:{PAUSE}"
            case "after effect":
                return f"after:{PAUSE}"
            case _:
                return ""

    async def fall(self) -> None:
        """Returns when every strike has fallen and what was frozen goes on."""
        async with asyncio.TaskGroup() as group:
            for strike in self._strikes:
                if strike.aim != "start":
                    while self._fleet.answered < strike.at:  # noqa: ASYNC110 - of several processes
                        await asyncio.sleep(LOOK)
                if strike.blow == "freeze":
                    life = await self._any()
                    group.create_task(self._freeze(life))
                else:
                    await self._strike(strike)
                self.fallen += 1
                self.story.counts[strike.blow] += 1

    async def caught_up(self) -> None:
        """Returns when no strike is late, or all have fallen."""
        while self.fallen < self.planned:
            if self._fleet.answered < self._strikes[self.fallen].at + BEHIND:
                return
            await asyncio.sleep(LOOK)

    async def _strike(self, strike: Strike) -> None:
        match strike.blow:
            case "kill":
                await self._kill(strike.aim)
            case "drain":
                life = await self._any()
                self._note(life, "drain")
                self.story.drains.append(await self._fleet.drain(life))
            case "store kill":
                await self._kill_stores()
            case "database restart":
                await self._restart_database()
            case "freeze":
                raise AssertionError("a freeze goes on beside the next strikes")
            case _:
                assert_never(strike.blow)

    async def _kill(self, aim: Aim) -> None:
        life = await self._target(aim)
        del self._aims[0]  # now, since the next worker may start at once
        at = datetime.now(UTC)
        life.kill(with_stores=self._rng.random() < 1 / 4)
        self._note(life, "kill", at)
        await life.over.wait()
        self.story.aimed[aim] += 1
        self.story.hit.update(await self._interrupted(life))

    async def _kill_stores(self) -> None:
        while True:
            life = await self._target("before effect")
            if life.kill_stores():
                return
            await asyncio.sleep(LOOK)

    async def _freeze(self, life: Life) -> None:
        at = datetime.now(UTC)
        life.freeze()
        try:
            await asyncio.sleep(self._rng.uniform(*FROZEN))
        finally:
            life.thaw()
            self.story.struck.append(Struck(pid=life.pid, blow="freeze", at=at, woke_at=datetime.now(UTC)))

    async def _restart_database(self) -> None:
        assert self._postgres is not None
        modes: tuple[Stop, ...] = ("fast", "immediate")
        await asyncio.to_thread(
            self._postgres.stop, modes[self.story.counts["database restart"] % len(modes)]
        )
        await asyncio.sleep(self._rng.uniform(*DOWN))
        await asyncio.to_thread(self._postgres.start)

    def _note(self, life: Life, blow: Literal["kill", "drain"], at: datetime | None = None) -> None:
        self.story.struck.append(Struck(pid=life.pid, blow=blow, at=at or datetime.now(UTC)))

    async def _target(self, aim: Aim) -> Life:
        """A worker that is at the place; where none comes to it, one that stands where it stands."""
        with suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE):
                return await self._at(aim)
        return await self._any()

    async def _at(self, aim: Aim) -> Life:
        match aim:
            case "model call":
                return await self._one_of(lambda life: life.thinks)
            case "before effect":
                life = await self._begun(took_effect=False)
                await asyncio.sleep(self._rng.uniform(0, PAUSE / 2))
            case "after effect":
                life = await self._begun(took_effect=True)
            case "start":
                await self._any()
                life = self._fleet.active[0]
                await asyncio.sleep(self._rng.uniform(0, 2))
            case "anywhere":
                await asyncio.sleep(self._rng.uniform(0, 0.5))
                return await self._any()
            case _:
                assert_never(aim)
        return life if life.active else await self._any()

    async def _begun(self, *, took_effect: bool) -> Life:
        while True:
            for begun in await self._sight.begun():
                for life in self._fleet.active:
                    if life.pid == begun.pid and begun.took_effect == took_effect:
                        return life
            await asyncio.sleep(LOOK)

    async def _any(self) -> Life:
        return await self._one_of(lambda _: True)

    async def _one_of(self, wanted: Callable[[Life], bool]) -> Life:
        while True:
            if found := [life for life in self._fleet.active if wanted(life)]:
                return self._rng.choice(found)
            await asyncio.sleep(LOOK)

    async def _interrupted(self, life: Life) -> set[str]:
        """What a kill has interrupted, as far as the marks, the journal and the shops tell."""
        places = {
            "after effect" if begun.took_effect else "before effect"
            for begun in await self._sight.begun()
            if begun.pid == life.pid
        }
        if life.thinks:
            places.add("model call")
        return places or {"elsewhere"}
