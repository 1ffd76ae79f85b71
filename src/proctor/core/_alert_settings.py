"""`[alerts]`: what is out of the ordinary, and who is told."""

from proctor.core._section import Section


class AlertSettings(Section):
    """When somebody is told that something is wrong."""
