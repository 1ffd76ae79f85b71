"""The past of a resumed run: recorded answers, released in the order in which they were recorded.

Parallel branches must meet again as they met the first time. So an answer waits for those recorded before
it, and a call that the journal doesn't hold waits until the past is over. Where a recorded call isn't asked
for, its branch may be busy with something that no journal holds, such as a search: once in an attempt there
is patience for that. After it an answer that nobody asks for any more holds up no other for longer than it
takes the event loop to settle.
"""

import asyncio
from collections.abc import Iterable

from proctor.runs._values import CallKey, RecordedCall

SETTLED = 30
"""Passes of the event loop without a new question after which nobody is on the way to ask.

AutoGen hands a message from one agent to the next in fewer than ten passes; each costs some ten microseconds.
"""

PATIENCE = 2.0
"""Seconds, spent only by a run whose branches differ in speed, or that goes another way than before."""


ASIDE = "/(aside)"
"""Ends the name in whose name a call is made from within another one; no agent can be called so."""


class Replay:
    """Recorded calls on their way to those who ask for them again.

    Calls that were made from within others have no turn: whoever makes the outer one again is given their
    answer, and where the outer one is recorded too nobody asks.
    """

    def __init__(self, recorded: Iterable[RecordedCall]) -> None:
        ended = [call for call in recorded if call.outcome is not None]
        self._asides = {call.key: call for call in ended if call.key.agent.endswith(ASIDE)}
        finished = [call for call in ended if call.key not in self._asides]
        self._calls = {call.key: call for call in finished}
        self._order = [call.key for call in finished]
        self._position = {key: number for number, key in enumerate(self._order)}
        self._next = 0
        self._last: CallKey | None = None
        self._released: set[CallKey] = set()
        self._waiting: dict[CallKey, asyncio.Future[None]] = {}
        self._newcomers: list[asyncio.Future[None]] = []
        self._asked = asyncio.Event()
        self._patient = True
        self._idle = 0
        self._pump: asyncio.Task[None] | None = None

    @property
    def over(self) -> bool:
        """Whether every recorded call has been asked for again."""
        return len(self._released) == len(self._order)

    def unmatched(self) -> tuple[RecordedCall, ...]:
        """Recorded calls that nobody has asked for so far."""
        return tuple(self._calls[key] for key in self._order if key not in self._released)

    def past(self, key: CallKey) -> RecordedCall | None:
        """The recorded call, whether or not its turn has come."""
        return self._calls.get(key)

    def aside(self, key: CallKey) -> RecordedCall | None:
        """The recorded call that was made from within another one."""
        return self._asides.get(key)

    def skip(self, keys: Iterable[CallKey]) -> None:
        """Waits no longer for those who asked for these calls: nobody will ask for them again."""
        self._released.update(key for key in keys if key in self._calls)
        self._idle = 0
        self._asked.set()

    async def answer(self, key: CallKey) -> RecordedCall | None:
        """The recorded call when its turn has come; nothing where there is none and the past has settled."""
        if self.over:
            return None
        if self._pump is None:
            self._pump = asyncio.create_task(self._release())
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if key in self._calls:
            self._waiting[key] = turn
        else:
            self._newcomers.append(turn)
        self._idle = 0
        self._asked.set()
        await turn
        return self._calls.get(key)

    async def close(self) -> None:
        """Ends the release of what is left."""
        if self._pump is not None:
            self._pump.cancel()
            await asyncio.gather(self._pump, return_exceptions=True)
            self._pump = None

    async def _release(self) -> None:
        while not self.over:
            if not self._waiting and not self._newcomers:
                self._asked.clear()
                await self._asked.wait()
            await self._settle()
            if self.over:
                break
            if self._patient and not self._next_is_asked():
                await self._wait_for_a_question()
            elif self._waiting:
                self._let_go(min(self._waiting, key=self._position.__getitem__))
            else:
                self._welcome()
        self._welcome()

    async def _settle(self) -> None:
        """Waits until the next recorded call is asked for, or until nobody seems to ask any more."""
        self._idle = 0
        while self._idle < SETTLED and not self.over:
            self._idle += 1
            await asyncio.sleep(0)
            while self._next < len(self._order) and self._order[self._next] in self._released:
                self._next += 1
            if self._next < len(self._order) and self._follows(self._order[self._next]):
                return

    def _next_is_asked(self) -> bool:
        return self._order[self._next] in self._waiting

    async def _wait_for_a_question(self) -> None:
        self._asked.clear()
        try:
            async with asyncio.timeout(PATIENCE):
                await self._asked.wait()
        except TimeoutError:
            self._patient = False

    def _follows(self, key: CallKey) -> bool:
        """Whether a waiting call needn't let the receiver of the last answer go first: it is the same one."""
        return key in self._waiting and (self._last is None or self._last.agent == key.agent)

    def _let_go(self, key: CallKey) -> None:
        self._released.add(key)
        self._last = key
        turn = self._waiting.pop(key)
        if not turn.done():
            turn.set_result(None)

    def _welcome(self) -> None:
        for turn in self._newcomers:
            if not turn.done():
                turn.set_result(None)
        self._newcomers.clear()
