"""Who executes work, and when."""

from proctor.engine._embedded import EmbeddedEngine

__all__ = ["EmbeddedEngine"]
