"""The HTTP server: Proctor for any program. All that it does, `Proctor` does."""

from proctor.api._caller import Door
from proctor.api._document import describe
from proctor.api._server import check_address, check_reach, make_server, make_worker_server
from proctor.api._site import make_site
from proctor.api.protocols import local_mcp

__all__ = [
    "Door",
    "check_address",
    "check_reach",
    "describe",
    "local_mcp",
    "make_server",
    "make_site",
    "make_worker_server",
]
