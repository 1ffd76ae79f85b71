"""Callers of the platform: what belongs to no tenant is for them alone."""

from typing import Annotated

from fastapi import Depends

from proctor.access import Principal
from proctor.api._caller import Admin, Auditor, Operator, Viewer
from proctor.core import Forbidden


def tenant_of(principal: Principal, wanted: str = "") -> str | None:
    """The tenant whose things a caller is shown; none: those of all.

    Raises:
        Forbidden: the caller wants another tenant's.
    """
    if principal.tenant is None:
        return wanted or None
    if not principal.tenant or wanted not in ("", principal.tenant):
        raise Forbidden("that is another tenant's", hint="Leave `tenant` out.")
    return principal.tenant


def tenant_for(principal: Principal, wanted: str = "") -> str:
    """The tenant for which a caller does something: the wanted one, else their own, else `default`.

    Raises:
        Forbidden: the caller wants another tenant's.
    """
    return tenant_of(principal, wanted) or "default"


def _of_platform(principal: Principal) -> Principal:
    if principal.tenant is not None:
        raise Forbidden("this belongs to no tenant", hint="It is for those who run the platform.")
    return principal


async def _viewer(principal: Viewer) -> Principal:
    return _of_platform(principal)


async def _operator(principal: Operator) -> Principal:
    return _of_platform(principal)


async def _auditor(principal: Auditor) -> Principal:
    return _of_platform(principal)


async def _admin(principal: Admin) -> Principal:
    return _of_platform(principal)


PlatformViewer = Annotated[Principal, Depends(_viewer)]
PlatformOperator = Annotated[Principal, Depends(_operator)]
PlatformAuditor = Annotated[Principal, Depends(_auditor)]
PlatformAdmin = Annotated[Principal, Depends(_admin)]
