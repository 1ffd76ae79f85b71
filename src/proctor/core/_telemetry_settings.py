"""`[telemetry]`: traces, metrics and logs, and what they may hold."""

from proctor.core._section import Section


class TelemetrySettings(Section):
    """What is told of runs, to whom. Nothing is sent where nothing is said."""
