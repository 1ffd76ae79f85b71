"""Fakes for tests of teams: a scripted model, a clock that moves when told to, a scope without a run."""

from proctor.core import Suspended
from proctor.testing._clock import FakeClock
from proctor.testing._model import Reply, Script, ScriptedModel, tool_call
from proctor.testing._scope import FakeScope

__all__ = ["FakeClock", "FakeScope", "Reply", "Script", "ScriptedModel", "Suspended", "tool_call"]
