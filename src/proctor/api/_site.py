"""The site: every route of the server, in one place."""

from fastapi import APIRouter, FastAPI

from proctor.api import (
    _alerts,
    _approvals,
    _audit,
    _budgets,
    _calls,
    _costs,
    _degradation,
    _events,
    _health,
    _keys,
    _knowledge,
    _metrics,
    _policies,
    _reviewing,
    _runs,
    _sign_in,
    _teams,
    _threads,
    _tools,
)
from proctor.api._caller import Door
from proctor.api._problems import ANY_PROBLEM, tell_problems
from proctor.api._waits import Waits
from proctor.api.protocols import open_protocols
from proctor.app import Proctor

ROUTERS: tuple[APIRouter, ...] = (
    _health.router,
    _runs.router,
    _calls.router,
    _events.router,
    _threads.router,
    _keys.router,
    _sign_in.router,
    _approvals.router,
    _alerts.router,
    _audit.router,
    _reviewing.router,
    _costs.router,
    _budgets.router,
    _metrics.router,
    _tools.router,
    _policies.router,
    _knowledge.router,
    _degradation.router,
    _teams.router,
)
"""What stands under `/api/v1`."""


def make_site(proctor: Proctor, *, door: Door) -> FastAPI:
    """The application that answers requests for a running Proctor."""
    site = FastAPI(
        title="Proctor",
        version="1",
        description="The production runtime for AutoGen teams.",
        openapi_url="/api/v1/openapi.json",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        responses=ANY_PROBLEM,
    )
    site.state.proctor, site.state.door = proctor, door
    site.state.waits = Waits(proctor.settings.access.waits_at_once)
    tell_problems(site)
    for router in ROUTERS:
        site.include_router(router, prefix="/api/v1")
    open_protocols(site, proctor, door=door)
    return site
