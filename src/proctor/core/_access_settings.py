"""`[access]`: who may use the server, and as what."""

import ipaddress
from datetime import timedelta
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import Field, PositiveInt, model_validator

from proctor.core._names import TenantName
from proctor.core._section import Duration, Pause, Section

AccessRole = Literal["viewer", "operator", "approver", "auditor", "admin"]
"""`viewer` reads runs; `operator` starts, cancels and sets things; `approver` decides; `auditor` reads the
record and exports it; `admin` does all that, and says who may do what."""

LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})


def is_loopback(host: str) -> bool:
    """Whether an address to listen on is reached from this machine alone."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


Claim = Annotated[str, Field(min_length=1, max_length=200)]


class AccessGrant(Section):
    """What a group of the identity provider may do: `[[access.oidc.grants]]`."""

    group: str = Field(min_length=1, max_length=200)
    roles: Annotated[tuple[AccessRole, ...], Field(min_length=1)]
    tenant: TenantName | None = None
    """The one tenant whose things its members see. Absent: they belong to the platform and see all."""


class OidcSettings(Section):
    """`[access.oidc]`: where people sign in."""

    issuer: str = Field(max_length=500)
    """As the provider writes itself in its tokens; its discovery document is looked for beneath."""
    client_id: str = Field(min_length=1, max_length=200)
    client_secret_env: str | None = None
    """The environment variable that holds the client's secret; absent for a public client, which PKCE
    protects."""
    scopes: tuple[str, ...] = ("openid", "email", "profile")
    name: Claim = "email"
    """The claim that names a person as `[roles]` does. An `email` counts where it is verified."""
    groups: Claim = "groups"
    """The claim that lists a person's groups."""
    grants: tuple[AccessGrant, ...] = ()
    """The first that matches says the tenant; further ones of the same tenant add their roles. Whom none
    matches may not enter."""
    bearer_audience: str | None = Field(default=None, min_length=1, max_length=200)
    """Access tokens of the provider for this audience are taken as they are, in place of a key."""
    clock_skew: Pause = timedelta(seconds=30)

    @model_validator(mode="after")
    def _is_safe(self) -> "OidcSettings":
        parts = urlsplit(self.issuer)
        if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in LOOPBACK_NAMES):
            raise ValueError("the issuer is an https address")
        if "openid" not in self.scopes:
            raise ValueError('`scopes` hold "openid"')
        if self.bearer_audience == self.client_id:
            # Else a token that only says who signed in would open the door as one that was meant to.
            raise ValueError("`bearer_audience` is another than `client_id`")
        return self


class AccessSettings(Section):
    """Keys, people who sign in, and their limits."""

    authentication: Literal["none", "required"] = "none"
    """`none`: whoever reaches the server, on this machine alone, is its admin."""
    oidc: OidcSettings | None = None
    session_idle: Duration = timedelta(hours=1)
    """After which somebody who does nothing is signed out."""
    session_life: Duration = timedelta(hours=12)
    """After which everybody signs in anew."""
    requests_per_minute: PositiveInt = 1_200
    """Of one key or person, to one process."""
    waits_at_once: PositiveInt = 100
    """Streams, and answers waited for under /v1 and /mcp, that one key or person has open at one process."""
    failures_per_minute: PositiveInt = 20
    """Failed tries to authenticate from one address; further ones aren't looked at."""

    @model_validator(mode="after")
    def _fits_together(self) -> "AccessSettings":
        if self.oidc and self.authentication == "none":
            raise ValueError('people sign in only where `authentication = "required"`')
        return self
