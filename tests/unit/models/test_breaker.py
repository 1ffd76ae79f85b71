import asyncio
from functools import partial

import pytest

from proctor.core import (
    BudgetExceeded,
    DatabaseUnavailable,
    DeploymentSettings,
    ModelCall,
    ModelNonsense,
    ModelOverloaded,
    ModelRefused,
    ModelResting,
    ModelUnreachable,
)
from proctor.models import Breakers, Models
from proctor.testing import FakeClock, FakeScope, ScriptedModel

GONE = ModelUnreachable("gone")
UNSENT = ModelRefused("it takes no images")
UNSENT.sent = False


class Setup:
    """A deployment that is left alone for 10 s after 3 failures in a row, and one beside it."""

    def __init__(self, script=()) -> None:
        settings = {
            name: DeploymentSettings.model_validate(
                {"model": name, "breaker_failures": 3, "breaker_pause": "PT10S"}
            )
            for name in ("big", "small")
        }
        self.clock = FakeClock()
        self.changes: list[tuple[str, str]] = []
        self.model = ScriptedModel(script)
        self.models = Models(settings, environ={}, providers={"openai": self.model})
        self.breakers = Breakers(
            settings, clock=self.clock, on_change=lambda name, state: self.changes.append((name, state))
        )

    async def ask(self, model="big", *, handle=None, left=600.0, **more):
        call = ModelCall(scope=FakeScope(left=left), model=model, messages=(), **more)
        return await self.breakers.model(call, handle or self.models.complete)

    async def fail(self, *errors) -> None:
        for error in errors:
            with pytest.raises(type(error)):
                await self.ask(handle=partial(_raise, error))

    async def answer(self) -> None:
        await self.ask(handle=_answer)

    async def rests(self) -> float:
        """Seconds to wait, where nothing is sent."""
        with pytest.raises(ModelResting) as raised:
            await self.ask()
        assert raised.value.retry_after is not None
        return raised.value.retry_after

    def state(self, name="big") -> str:
        [look] = [look for look in self.breakers.states() if look.deployment == name]
        return look.state


async def _raise(error, _call):
    raise error


async def _answer(call):
    models = Models(
        {call.model: DeploymentSettings(model="any")},
        environ={},
        providers={"openai": ScriptedModel(["Yes."])},
    )
    return await models.complete(call)


async def test_after_failures_in_a_row_a_deployment_is_left_alone():
    setup = Setup()
    await setup.fail(GONE, ModelOverloaded("busy"), ModelNonsense("half"))
    assert await setup.rests() == 10
    assert setup.model.calls == []
    assert setup.changes == [("big", "open")]
    assert setup.state() == "open"


async def test_an_answer_between_failures_begins_the_count_anew():
    setup = Setup()
    await setup.fail(GONE, GONE)
    await setup.answer()
    await setup.fail(GONE, GONE)
    assert setup.state() == "closed"


async def test_a_deployment_that_rests_keeps_no_other_from_answering():
    setup = Setup(["Yes."])
    await setup.fail(GONE, GONE, GONE)
    assert (await setup.ask("small")).message["content"] == "Yes."


@pytest.mark.parametrize(
    "error",
    [
        ModelRefused("no"),
        BudgetExceeded("spent"),
        DatabaseUnavailable("away"),
        ModelResting("its rate is taken", retry_after=3),
        asyncio.CancelledError(),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_what_is_not_the_providers_failure_opens_nothing(error):
    setup = Setup()
    await setup.fail(*[error] * 5)
    assert setup.changes == []


async def test_a_request_that_the_end_of_its_run_cut_off_is_not_the_providers_failure():
    setup = Setup()
    for _ in range(5):
        with pytest.raises(ModelUnreachable):
            await setup.ask(handle=partial(_raise, GONE), left=0)
    assert setup.state() == "closed"


async def test_after_the_pause_one_call_probes_and_its_answer_closes():
    setup = Setup()
    await setup.fail(GONE, GONE, GONE)
    setup.clock.advance(10)
    probing, go = asyncio.Event(), asyncio.Event()

    async def slowly(call):
        probing.set()
        await go.wait()
        return await _answer(call)

    async with asyncio.timeout(5):
        probe = asyncio.create_task(setup.ask(handle=slowly))
        await probing.wait()
        assert setup.state() == "half_open"
        assert await setup.rests() == 1
        go.set()
        await probe
    await setup.answer()
    assert [state for _, state in setup.changes] == ["open", "half_open", "closed"]


async def test_a_probe_that_is_streamed_closes_at_its_first_word():
    setup = Setup()
    await setup.fail(GONE, GONE, GONE)
    setup.clock.advance(10)
    heard: list[str] = []

    async def streams(call):
        call.on_text("Once upon")
        assert setup.state() == "closed"
        call.on_text(" a time")
        raise GONE

    with pytest.raises(ModelUnreachable):
        await setup.ask(handle=streams, on_text=heard.append)
    assert heard == ["Once upon", " a time"]
    assert setup.state() == "closed"


async def test_each_probe_that_fails_doubles_the_pause_up_to_eight_times():
    setup = Setup()
    await setup.fail(GONE, GONE, GONE)
    pauses = [await setup.rests()]
    for _ in range(5):
        setup.clock.advance(pauses[-1])
        await setup.fail(GONE)
        pauses.append(await setup.rests())
    assert pauses == [10, 20, 40, 80, 80, 80]
    setup.clock.advance(80)
    await setup.answer()
    await setup.fail(GONE, GONE, GONE)
    assert await setup.rests() == 10


@pytest.mark.parametrize(
    "error",
    [asyncio.CancelledError(), BudgetExceeded("spent"), UNSENT],
    ids=lambda error: type(error).__name__,
)
async def test_a_probe_that_tells_nothing_frees_its_place(error):
    setup = Setup()
    await setup.fail(GONE, GONE, GONE)
    setup.clock.advance(10)
    await setup.fail(error)
    assert setup.state() == "half_open"
    await setup.answer()
    assert setup.state() == "closed"


async def test_a_provider_that_refuses_a_probe_is_there_again():
    setup = Setup()
    await setup.fail(GONE, GONE, GONE)
    setup.clock.advance(10)
    await setup.fail(ModelRefused("no"))
    assert setup.state() == "closed"


async def test_what_began_before_the_pause_tells_nothing_after_it():
    setup = Setup()
    late = asyncio.Event()

    async def fails_late(_call):
        await late.wait()
        raise GONE

    async with asyncio.timeout(5):
        old = [asyncio.create_task(setup.ask(handle=fails_late)) for _ in range(4)]
        await asyncio.sleep(0)
        await setup.fail(GONE, GONE, GONE)
        setup.clock.advance(10)
        await setup.answer()
        late.set()
        await asyncio.gather(*old, return_exceptions=True)
    assert setup.state() == "closed"


async def test_a_clock_that_is_set_back_does_not_prolong_the_pause():
    setup = Setup(["Yes."])
    await setup.fail(GONE, GONE, GONE)
    setup.clock.advance(-3600)
    await setup.ask()
    assert setup.state() == "closed"
