import asyncio
from collections.abc import AsyncIterator
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proctor.core import (
    BudgetExceeded,
    DeploymentSettings,
    ModelCall,
    ModelOverloaded,
    ModelResting,
    ModelResult,
    ModelUnreachable,
    Usage,
)
from proctor.models import Rates
from proctor.models._bucket import HOLD_SECONDS, WINDOW_SECONDS, Bucket
from proctor.store import Database
from proctor.testing import FakeClock, FakeScope

USED = Usage(input=900, output=100)


def text(tokens: int) -> tuple[dict[str, str], ...]:
    """Messages that are estimated to hold so many tokens."""
    return ({"content": "x" * 3 * tokens},)


class Setup:
    """A deployment with limits, and the instants at which its requests were sent."""

    def __init__(self, database, clock, **limits) -> None:
        self.clock = clock
        self.database = database
        self.waits: list[float] = []
        self.sent: list[float] = []
        self._began = clock.now()
        settings = DeploymentSettings.model_validate({"model": "m", "max_output": 100} | limits)
        self.rates = Rates(
            {"big": settings, "free": DeploymentSettings(model="m")},
            database=database,
            clock=clock,
            rng=Random(7),
            on_wait=lambda _, seconds: self.waits.append(seconds),
        )

    async def ask(self, model="big", *, left=600.0, messages=(), error=None, used=USED, **more):
        call = ModelCall(scope=FakeScope(left=left), model=model, messages=messages, **more)

        async def handle(_call):
            self.sent.append((self.clock.now() - self._began).total_seconds())
            if error is not None:
                raise error
            return ModelResult(message={}, finish_reason="stop", usage=used, deployment=model, model="m")

        async with asyncio.timeout(20):
            return await self.rates.model(call, handle)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def database(tmp_path) -> AsyncIterator[Database]:
    async with await Database.open(f"sqlite:///{tmp_path}/proctor.db") as database:
        yield database


def most_in_a_minute(instants) -> int:
    return max(sum(1 for other in instants if 0 <= other - one < WINDOW_SECONDS) for one in instants)


async def test_a_deployment_without_limits_costs_nothing(database, clock):
    setup = Setup(database, clock, requests_per_minute=1)
    before = database.commits
    for _ in range(50):
        await setup.ask("free")
    assert (database.commits, setup.clock.slept) == (before, [])


@pytest.mark.parametrize("limit", [1, 7, 60, 600])
async def test_no_minute_sees_more_requests_than_the_limit(database, clock, limit):
    setup = Setup(database, clock, requests_per_minute=limit)
    wanted = min(3 * limit, 300)
    for _ in range(wanted):
        await setup.ask()
    assert most_in_a_minute(setup.sent) <= limit
    # And nearly as many as are allowed.
    assert setup.sent[-1] <= wanted * (WINDOW_SECONDS + HOLD_SECONDS) / limit * 1.12


async def test_several_workers_share_one_limit(database, clock):
    workers = [Setup(database, clock, requests_per_minute=120) for _ in range(4)]
    await asyncio.gather(*(worker.ask() for worker in workers for _ in range(80)))
    sent = sorted(instant for worker in workers for instant in worker.sent)
    assert len(sent) == 320
    assert most_in_a_minute(sent) <= 120


async def test_who_came_first_goes_first(database, clock):
    setup = Setup(database, clock, requests_per_minute=6)
    order: list[int] = []

    async def ask(number):
        await setup.ask()
        order.append(number)

    await asyncio.gather(*(ask(number) for number in range(12)))
    assert order == list(range(12))


async def test_whoever_asks_again_at_once_goes_behind_those_who_wait(database, clock):
    setup = Setup(database, clock, requests_per_minute=600)
    order: list[str] = []

    async def ask_twice(name):
        for _ in range(2):
            await setup.ask()
            order.append(name)

    await asyncio.gather(*(ask_twice(name) for name in "abc"))
    assert order == list("abcabc")


async def test_what_was_taken_is_used_within_a_second_or_not_at_all(database, clock):
    setup = Setup(database, clock, requests_per_minute=6000)
    for _ in range(20):
        await setup.ask()
    for _ in range(10):
        setup.clock.advance(1)
        before = database.commits
        await setup.ask()
        assert database.commits == before + 1


async def test_many_calls_pay_few_commits_where_the_limit_is_high(database, clock):
    setup = Setup(database, clock, requests_per_minute=60_000)
    before = database.commits
    for _ in range(1000):
        await setup.ask()
        setup.clock.advance(0.001)
    assert database.commits - before < 40


async def test_who_calls_rarely_takes_no_more_than_it_uses(database, clock):
    rare, busy = (Setup(database, clock, requests_per_minute=600) for _ in range(2))
    for _ in range(20):
        await rare.ask()
        rare.clock.advance(5)
    await rare.ask()
    for _ in range(59):  # all that is left of the burst
        await busy.ask()
    assert busy.waits == []


async def test_a_turn_that_would_come_too_late_is_refused_at_once(database, clock):
    setup = Setup(database, clock, requests_per_minute=2)
    await setup.ask()
    with pytest.raises(ModelResting) as raised:
        await setup.ask(left=10)
    assert raised.value.retry_after > 10
    assert setup.clock.slept == []
    await setup.ask(left=40)
    assert setup.waits == [pytest.approx(30.5, abs=0.2)]


async def test_who_stands_far_behind_is_refused_without_a_look_at_the_database(database, clock):
    setup = Setup(database, clock, requests_per_minute=6)
    asking = [asyncio.create_task(setup.ask()) for _ in range(30)]
    await asyncio.sleep(0)
    before = database.commits
    with pytest.raises(ModelResting):
        await setup.ask(left=60)
    assert database.commits == before
    await asyncio.gather(*asking)


async def test_where_another_stands_in_nobody_waits_for_long(database, clock):
    setup = Setup(database, clock, tokens_per_minute=100, fallback=["free"])
    await setup.ask(messages=text(100))
    with pytest.raises(ModelResting):
        await setup.ask(messages=text(100), left=600)
    assert setup.clock.slept == []


async def test_a_second_request_of_a_hedged_call_takes_only_what_is_free(database, clock):
    setup = Setup(database, clock, requests_per_minute=60)
    for _ in range(4):
        await setup.ask()
    await setup.ask(attempt_tag="h")
    await setup.ask()
    with pytest.raises(ModelResting):
        await setup.ask(attempt_tag="h")


async def test_tokens_are_estimated_before_and_corrected_after(database, clock):
    setup = Setup(database, clock, tokens_per_minute=6000)
    # Each is taken for 600 tokens, all of a burst, and has used only 60.
    for _ in range(8):
        await setup.ask(messages=text(500), used=Usage(input=50, output=10))
    assert sum(setup.clock.slept) < 10
    await setup.ask(messages=text(500), used=Usage(input=6000, output=0))
    waited = len(setup.waits)
    await setup.ask(messages=text(500))
    assert setup.waits[waited] > 30


async def test_what_a_failed_request_cannot_have_used_is_free_again(database, clock):
    setup = Setup(database, clock, tokens_per_minute=6000)
    for error in (ModelOverloaded("busy"), BudgetExceeded("spent"), ModelUnreachable("gone")) * 5:
        with pytest.raises(type(error)):
            await setup.ask(messages=text(500), error=error)
    assert setup.waits == []
    with pytest.raises(ModelUnreachable):
        await setup.ask(messages=text(500), error=ModelUnreachable("half an answer", produced=True))
    await setup.ask(messages=text(500))
    assert len(setup.waits) == 1


async def test_a_request_larger_than_any_bucket_is_sent_in_the_end(database, clock):
    setup = Setup(database, clock, tokens_per_minute=1000)
    with pytest.raises(ModelUnreachable):
        await setup.ask(messages=text(50_000), error=ModelUnreachable("half an answer", produced=True))
    await setup.ask(messages=text(50_000))
    assert 60 <= setup.sent[1] <= 80


async def test_an_image_is_no_novel(database, clock):
    setup = Setup(database, clock, tokens_per_minute=60_000)
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "A" * 10**6}}
    for _ in range(2):
        await setup.ask(messages=({"role": "user", "content": [picture]},))
    assert setup.waits == []


async def test_whoever_gives_up_waiting_leaves_its_turn_to_the_next(database, clock):
    held = HeldClock(clock)
    setup = Setup(database, held, requests_per_minute=60)
    for _ in range(6):
        await setup.ask()
    first, second = (asyncio.create_task(setup.ask()) for _ in range(2))
    async with asyncio.timeout(10):
        while not held.slept:
            await asyncio.sleep(0.001)
        first.cancel()
        while len(held.slept) < 2:
            await asyncio.sleep(0)
        commits = database.commits
        clock.advance(held.slept[-1])
        held.over.set()
        await second
    assert database.commits == commits
    assert first.cancelled()


async def test_a_clock_that_was_set_back_stops_nobody_for_good(database, clock):
    setup = Setup(database, clock, requests_per_minute=60)
    await setup.ask()
    setup.clock.advance(-86_400)
    await Setup(database, clock, requests_per_minute=60).ask(left=300)


class HeldClock:
    """Shows a fake clock's time; its sleeps end when they are told to."""

    def __init__(self, clock: FakeClock) -> None:
        self.now = clock.now
        self.slept: list[float] = []
        self.over = asyncio.Event()

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        await self.over.wait()


@given(
    limit=st.integers(1, 5000),
    steps=st.lists(st.tuples(st.integers(1, 20), st.floats(0, 20)), min_size=1, max_size=200),
)
def test_no_window_of_a_bucket_sees_more_than_its_limit(limit, steps):
    bucket = Bucket(limit=limit)
    at, full_at, drawn = 0.0, 0.0, []
    for wanted, pause in steps:
        amount = min(wanted, bucket.burst)
        at += pause
        wait = bucket.wait(max(0.0, full_at - at), amount)
        full_at = at + bucket.after(max(0.0, full_at - at), amount, wait=wait)
        at += wait
        drawn.append((at, amount))
    window = WINDOW_SECONDS + HOLD_SECONDS
    for start, _ in drawn:
        inside = sum(amount for at, amount in drawn if 0 <= at - start < window - 1e-6)
        assert inside <= limit
