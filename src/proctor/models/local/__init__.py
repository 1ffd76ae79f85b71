"""Models on this machine: pinned weights without a hub, a server beside us, and tool calls by schema."""

from proctor.models.local._constrained import constrain, interpret
from proctor.models.local._errors import (
    LocalExtraMissing,
    LocalModelError,
    LocalModelMissing,
    LocalModelTampered,
    LocalModelUnknown,
    LocalModelUnreachable,
    LocalServerFailed,
)
from proctor.models.local._lock import (
    LocalModel,
    Lock,
    UrlSource,
    WheelPart,
    WheelSource,
    default_folder,
    shipped_lock,
)
from proctor.models.local._pull import Progress, PullProgress, pull, verified
from proctor.models.local._server import LocalServer, ServerOptions, ServerState

__all__ = [
    "LocalExtraMissing",
    "LocalModel",
    "LocalModelError",
    "LocalModelMissing",
    "LocalModelTampered",
    "LocalModelUnknown",
    "LocalModelUnreachable",
    "LocalServer",
    "LocalServerFailed",
    "Lock",
    "Progress",
    "PullProgress",
    "ServerOptions",
    "ServerState",
    "UrlSource",
    "WheelPart",
    "WheelSource",
    "constrain",
    "default_folder",
    "interpret",
    "pull",
    "shipped_lock",
    "verified",
]
