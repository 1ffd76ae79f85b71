"""The HTTP server: Proctor for any program. All that it does, `Proctor` does."""

from proctor.api._caller import Door
from proctor.api._document import describe
from proctor.api._server import check_address, make_server
from proctor.api._site import make_site

__all__ = ["Door", "check_address", "describe", "make_server", "make_site"]
