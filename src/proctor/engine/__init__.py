"""Who executes work, and when."""

from proctor.engine._duties import Chore, Duties
from proctor.engine._embedded import EmbeddedEngine
from proctor.engine._port import Engine
from proctor.engine._temporal import TemporalEngine

__all__ = ["Chore", "Duties", "EmbeddedEngine", "Engine", "TemporalEngine"]
