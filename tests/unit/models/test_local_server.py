"""Starting a model server where it can't start; the real model is asked in the integration tests."""

import hashlib
from pathlib import Path

import pytest

from proctor.models.local import LocalModel, LocalModelMissing, LocalServer, LocalServerFailed, Lock

NONSENSE = b"these are no weights"


def lock() -> Lock:
    model = LocalModel(
        note="",
        licence="MIT",
        upstream="",
        file="tiny.gguf",
        size=len(NONSENSE),
        sha256=hashlib.sha256(NONSENSE).hexdigest(),
        sources=(),
    )
    return Lock(models={"tiny": model})


async def test_a_model_that_was_not_pulled_is_not_served(tmp_path: Path) -> None:
    pytest.importorskip("xllamacpp")
    server = LocalServer("tiny", folder=tmp_path, lock=lock())
    with pytest.raises(LocalModelMissing):
        await server.__aenter__()
    assert (server.state, server.pid) == ("stopped", None)


async def test_a_server_that_does_not_start_shows_the_end_of_its_log(tmp_path: Path) -> None:
    pytest.importorskip("xllamacpp")
    (tmp_path / "tiny.gguf").write_bytes(NONSENSE)
    server = LocalServer("tiny", folder=tmp_path, lock=lock())
    with pytest.raises(LocalServerFailed) as failure:
        await server.__aenter__()
    assert any("tiny.gguf" in line for line in failure.value.log_tail)
    assert (server.state, server.pid) == ("stopped", None)
