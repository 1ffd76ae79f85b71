"""`[access]`: who may use the server, and as what."""

from proctor.core._section import Section


class AccessSettings(Section):
    """Keys, people who sign in, and their limits."""
