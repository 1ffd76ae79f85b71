"""Who executes work, and when."""

from proctor.engine._duties import Chore, Duties
from proctor.engine._embedded import EmbeddedEngine
from proctor.engine._port import Engine
from proctor.engine._temporal import TemporalEngine
from proctor.engine._values import Worker
from proctor.engine._workers import BEAT, Workers

__all__ = ["BEAT", "Chore", "Duties", "EmbeddedEngine", "Engine", "TemporalEngine", "Worker", "Workers"]
