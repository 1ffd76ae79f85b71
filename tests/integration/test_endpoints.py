"""What holds of every endpoint, whichever wire it speaks: time, cancellation, keys, redirects."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from starlette.responses import JSONResponse

from proctor.core import (
    DeploymentSettings,
    InvalidInput,
    ModelCall,
    ModelRefused,
    ModelResult,
    ModelUnreachable,
    PriceUnknown,
    Usage,
)
from proctor.models import Models
from proctor.testing import FakeScope
from servers import anthropic_endpoint as claude
from servers import openai_endpoint as chat
from servers.openai_endpoint import Body, Endpoint, Reply

KEY = "sk-secret-123"


@dataclass(frozen=True, kw_only=True)
class Wire:
    """An endpoint of one kind."""

    provider: str
    path: str
    serving: Callable[..., AbstractContextManager[Endpoint]]
    fails: Callable[..., Reply]
    began: list[Body]
    """The first events of a stream, with some text."""
    uncounted: Reply
    """An answer that counts no tokens."""


WIRES = (
    Wire(
        provider="openai",
        path="/chat/completions",
        serving=chat.serving,
        fails=chat.fails,
        began=list(chat.chunks(chat.completion()))[:2],
        uncounted=chat.says(chat.completion(usage=None)),
    ),
    Wire(
        provider="anthropic",
        path="/v1/messages",
        serving=claude.serving,
        fails=claude.fails,
        began=list(claude.events(claude.message()))[:4],
        uncounted=claude.says(claude.message(usage=None)),
    ),
)


def ignore(_: str) -> None:
    return


@dataclass(frozen=True)
class Way:
    """An endpoint of one kind, that is asked for whole answers or for streams."""

    wire: Wire
    streamed: bool

    def call(self, *, scope: FakeScope | None = None, **parts: Any) -> ModelCall:
        parts = {"messages": ({"role": "user", "content": "Hi"},)} | parts
        on_text = ignore if self.streamed else None
        return ModelCall(scope=scope or FakeScope(), model="one", **({"on_text": on_text} | parts))

    @asynccontextmanager
    async def connected(self, endpoint: Endpoint, **settings: Any) -> AsyncIterator[Models]:
        price = {"input": 5, "output": 25}
        given = {"provider": self.wire.provider, "model": "m", "api_key": KEY, "price": price}
        given |= {"base_url": endpoint.url} | settings
        models = Models({"one": DeploymentSettings.model_validate(given)}, environ={})
        try:
            async with asyncio.timeout(20):
                yield models
        finally:
            await models.close()

    async def ask(self, endpoint: Endpoint, wanted: ModelCall | None = None, **settings: Any) -> ModelResult:
        async with self.connected(endpoint, **settings) as models:
            return await models.complete(wanted or self.call())

    @contextmanager
    def hanging(self) -> Iterator[Endpoint]:
        """An endpoint that never answers; a stream has begun. It has noticed when the client went away."""
        with self.wire.serving() as endpoint:
            endpoint.replies = [endpoint.hangs(*self.wire.began if self.streamed else ())]
            yield endpoint
            assert endpoint.hung_up.wait(5)


@pytest.fixture(params=WIRES, ids=lambda wire: wire.provider)
def wire(request: pytest.FixtureRequest) -> Wire:
    found: Wire = request.param
    return found


@pytest.fixture(params=[False, True], ids=["whole", "streamed"])
def way(request: pytest.FixtureRequest, wire: Wire) -> Way:
    return Way(wire, request.param)


async def test_a_redirect_takes_no_request_to_another_address(way: Way) -> None:
    with way.wire.serving() as elsewhere:
        moved = way.wire.fails(307, location=f"{elsewhere.url}{way.wire.path}")
        with way.wire.serving(moved) as endpoint, pytest.raises(ModelRefused) as caught:
            await way.ask(endpoint)
    assert elsewhere.bodies == []
    assert "base_url" in caught.value.hint


async def test_the_providers_words_are_passed_on_without_the_key(way: Way) -> None:
    refusal = {"error": {"type": "invalid", "message": f"bad {KEY} " + "x" * 1000}}
    refuses = way.wire.serving(lambda _: JSONResponse(refusal, 400))
    with refuses as endpoint, pytest.raises(ModelRefused) as caught:
        await way.ask(endpoint)
    assert "bad *** xxx" in caught.value.message
    assert len(caught.value.message) < 400
    assert caught.value.__cause__ is None


async def test_a_key_with_a_line_break_stays_out_of_the_error(way: Way) -> None:
    with way.wire.serving() as endpoint, pytest.raises(ModelUnreachable) as caught:
        await way.ask(endpoint, api_key=f"{KEY}\n")
    assert KEY not in caught.value.message
    assert not caught.value.produced


async def test_an_endpoint_that_hangs_is_given_up_after_its_timeout(way: Way) -> None:
    with way.hanging() as endpoint, pytest.raises(ModelUnreachable) as caught:
        await way.ask(endpoint, timeout=timedelta(seconds=0.3))
    assert caught.value.produced


async def test_the_runs_deadline_shortens_the_timeout(way: Way) -> None:
    with way.hanging() as endpoint, pytest.raises(ModelUnreachable, match=r"0\.3 s") as caught:
        await way.ask(endpoint, way.call(scope=FakeScope(left=0.3)))
    assert caught.value.produced


@pytest.mark.parametrize("left", [0.0, -1.0])
async def test_without_time_nothing_is_sent(way: Way, left: float) -> None:
    with way.wire.serving() as endpoint, pytest.raises(ModelUnreachable) as caught:
        await way.ask(endpoint, way.call(scope=FakeScope(left=left)))
    assert endpoint.bodies == []
    assert not caught.value.produced


async def test_cancelling_a_call_closes_its_request(way: Way) -> None:
    with way.hanging() as endpoint:
        async with way.connected(endpoint) as models:
            asking = asyncio.create_task(models.complete(way.call()))
            assert await asyncio.to_thread(endpoint.began.wait, 10)
            asking.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asking
            assert await asyncio.to_thread(endpoint.hung_up.wait, 5), "before the connections are closed"


async def test_a_listener_that_fails_ends_the_request(wire: Wire) -> None:
    def listen(_text: str) -> None:
        raise RuntimeError("the listener is gone")

    way = Way(wire, streamed=True)
    with way.hanging() as endpoint:
        async with way.connected(endpoint) as models:
            with pytest.raises(RuntimeError, match="the listener is gone"):
                await models.complete(way.call(on_text=listen))
            assert await asyncio.to_thread(endpoint.hung_up.wait, 5), "before the connections are closed"


async def test_an_endpoint_that_is_not_there_has_billed_nothing(way: Way) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        nobody = Endpoint(url=f"http://127.0.0.1:{free.getsockname()[1]}")
        with pytest.raises(ModelUnreachable) as caught:
            await way.ask(nobody)
    assert not caught.value.produced


async def test_text_that_utf8_cannot_carry_is_refused_as_input(way: Way) -> None:
    wanted = way.call(messages=({"role": "user", "content": "\ud800"},))
    with way.wire.serving() as endpoint, pytest.raises(InvalidInput):
        await way.ask(endpoint, wanted)


async def test_a_repeated_request_carries_the_key_of_the_first(wire: Wire) -> None:
    whole, streamed = Way(wire, streamed=False), Way(wire, streamed=True)
    with wire.serving() as endpoint:
        async with whole.connected(endpoint) as models:
            for tag in ("", "", "h"):
                await models.complete(whole.call(scope=FakeScope(key="k1"), attempt_tag=tag))
            await models.complete(streamed.call(scope=FakeScope(key="k1")))
    keys = [headers["idempotency-key"] for headers in endpoint.headers]
    assert keys[0] == keys[1] == keys[3] != keys[2]


async def test_answers_that_count_no_tokens_are_taken_only_where_they_cost_nothing(wire: Wire) -> None:
    way = Way(wire, streamed=False)
    with wire.serving(wire.uncounted) as endpoint:
        assert (await way.ask(endpoint, price="free")).usage == Usage()
        with pytest.raises(PriceUnknown) as caught:
            await way.ask(endpoint)
    assert caught.value.produced
