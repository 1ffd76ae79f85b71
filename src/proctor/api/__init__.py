"""The HTTP server: Proctor for any program. All that it does, `Proctor` does."""

from proctor.api._caller import Door
from proctor.api._site import make_site

__all__ = ["Door", "make_site"]
