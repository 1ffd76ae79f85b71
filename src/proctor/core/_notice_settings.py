"""`[notices]`: how people are told of what waits for them, and where they decide."""

from datetime import timedelta
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from proctor.core._section import Duration, Name, Section

_LOOPBACK = ("localhost", "127.0.0.1", "::1")


class NoticeSettings(Section):
    """What the roles' `notify` addresses are used for."""

    roles: tuple[Name, ...] = ()
    """Who is told of a question that names nobody."""
    link_base: str | None = None
    """Where the decision page is reached from outside: `https://proctor.example.org`. Absent: no links."""
    link_key_env: str | None = None
    """The environment variable that holds the key that signs links: at least 32 random characters."""
    link_life: Duration = timedelta(days=3)
    """How long a link can be used, where its question doesn't expire before."""
    timeout: Annotated[timedelta, Field(ge=timedelta(seconds=1), le=timedelta(minutes=5))] = timedelta(
        seconds=30
    )
    """For one message."""

    @field_validator("link_base")
    @classmethod
    def _reachable(cls, base: str | None) -> str | None:
        if base is None:
            return None
        try:
            parts = urlsplit(base)
        except ValueError:
            raise ValueError("this is no address: write https://proctor.example.org") from None
        if not parts.hostname or parts.query or parts.fragment or parts.username is not None:
            raise ValueError("give scheme, host and perhaps a path: https://proctor.example.org")
        if parts.scheme != "https" and (parts.scheme, parts.hostname in _LOOPBACK) != ("http", True):
            raise ValueError("who can read a link can decide: the address must begin with https://")
        return base.rstrip("/")

    @model_validator(mode="after")
    def _both(self) -> "NoticeSettings":
        if (self.link_base is None) != (self.link_key_env is None):
            raise ValueError("`link_base` and `link_key_env` belong together: give both or none")
        return self
