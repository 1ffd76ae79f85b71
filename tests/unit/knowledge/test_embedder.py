import asyncio
import threading

import numpy as np
import pytest

from proctor.knowledge import Embedder
from proctor.knowledge._embeddings import MOST_TEXTS, SIZE


class Lengths:
    """Stands in for the encoder: the length of a text is its vector. It waits for a gate."""

    def __init__(self):
        self.batches: list[list[str]] = []
        self.gate = threading.Event()
        self.gate.set()
        self.error: Exception | None = None

    def encode(self, texts):
        self.batches.append(list(texts))
        assert self.gate.wait(10)
        if self.error is not None:
            raise self.error
        return np.array([[len(text)] for text in texts], dtype=np.float32)


async def test_what_is_asked_for_at_the_same_time_is_embedded_together():
    encoder = Lengths()
    embedder = Embedder(encoder)
    async with asyncio.timeout(10):
        found = await asyncio.gather(*(embedder.embed(["x" * size, "y"]) for size in range(1, 9)))
    assert [rows.tolist() for rows in found] == [[[size], [1]] for size in range(1, 9)]
    assert [len(batch) for batch in encoder.batches] == [16]


async def test_a_batch_is_bounded_and_nobody_is_left_out():
    encoder = Lengths()
    embedder = Embedder(encoder)
    async with asyncio.timeout(10):
        found = await asyncio.gather(
            *(embedder.embed(["x"] * 10) for _ in range(20)), embedder.embed(["z"] * 100)
        )
    assert [len(rows) for rows in found] == [10] * 20 + [100]
    assert all(len(batch) <= MOST_TEXTS for batch in encoder.batches[:-1])
    assert sum(map(len, encoder.batches)) == 300


async def test_who_is_cancelled_takes_nothing_from_others():
    encoder = Lengths()
    encoder.gate.clear()
    embedder = Embedder(encoder)
    async with asyncio.timeout(10):
        asked = [asyncio.create_task(embedder.embed([text])) for text in ("a", "bb", "ccc")]
        while not encoder.batches:
            await asyncio.sleep(0)
        later = [asyncio.create_task(embedder.embed([text])) for text in ("dddd", "eeeee")]
        await asyncio.sleep(0)
        asked[1].cancel()
        later[0].cancel()
        encoder.gate.set()
        found = await asyncio.gather(*asked, *later, return_exceptions=True)
    assert [rows.tolist() for rows in found if not isinstance(rows, BaseException)] == [[[1]], [[3]], [[5]]]
    assert encoder.batches == [["a", "bb", "ccc"], ["eeeee"]]


async def test_a_failure_reaches_all_who_wait_and_the_next_are_served():
    encoder = Lengths()
    encoder.error = ValueError("broken")
    embedder = Embedder(encoder)
    async with asyncio.timeout(10):
        found = await asyncio.gather(*(embedder.embed(["a"]) for _ in range(2)), return_exceptions=True)
        encoder.error = None
        assert [str(error) for error in found] == ["broken"] * 2
        assert (await embedder.embed(["aa"])).tolist() == [[2]]


async def test_nothing_is_embedded_for_nothing():
    encoder = Lengths()
    assert (await Embedder(encoder).embed([])).shape == (0, SIZE)
    assert encoder.batches == []


async def test_the_built_in_encoder_gives_the_same_vectors_together_as_alone():
    embedder = Embedder()
    texts = ["When do you open?", "什么时候开门", "Wann öffnen Sie?"]
    async with asyncio.timeout(60):
        together = await asyncio.gather(*(embedder.embed([text]) for text in texts))
        [alone] = await embedder.embed([texts[0]])
    assert together[0][0] == pytest.approx(alone, abs=1e-5)
    assert float(together[0][0] @ together[1][0]) > 0.5
