"""What can break around a local model, as one small tree.

LocalModelError
├── LocalModelUnknown      the lock has no model of that name
├── LocalModelMissing      the weights are not in the folder yet
├── LocalModelTampered     bytes on disk or from a source are not the pinned ones
├── LocalModelUnreachable  no source could deliver
├── LocalExtraMissing      the optional runtime isn't installed
└── LocalServerFailed      the model server doesn't start, or doesn't stay up
"""

from __future__ import annotations

from pathlib import Path

from proctor.core import ProctorError


class LocalModelError(ProctorError):
    """A local model can't be used."""

    code = "local_model_error"
    status = 500


class LocalModelUnknown(LocalModelError):
    """There is no local model of that name."""

    code = "local_model_unknown"
    status = 404

    def __init__(self, name: str, known: tuple[str, ...]) -> None:
        super().__init__(f"no local model is named {name!r}; known are {', '.join(known)}")
        self.name = name
        self.known = known


class LocalModelMissing(LocalModelError):
    """The model's file isn't on this machine."""

    code = "local_model_missing"
    status = 503

    def __init__(self, name: str, path: Path) -> None:
        super().__init__(f"{path} does not exist", hint=f"Fetch it with: proctor models pull {name}")
        self.name = name
        self.path = path


class LocalModelTampered(LocalModelError):
    """The bytes are not the pinned ones."""

    code = "local_model_tampered"
    status = 502

    def __init__(self, what: str, *, expected: str, found: str, advice: str) -> None:
        super().__init__(f"{what} has sha256 {found}, but {expected} is pinned", hint=advice)
        self.what = what
        self.expected = expected
        self.found = found


class LocalModelUnreachable(LocalModelError):
    """No source could deliver the model."""

    code = "local_model_unreachable"
    status = 502
    retryable = True

    def __init__(self, name: str, reasons: tuple[str, ...]) -> None:
        lines = "".join(f"\n  - {reason}" for reason in reasons)
        hint = "What has arrived is kept: pull again to go on."
        super().__init__(f"{name} could not be fetched:{lines}", hint=hint)
        self.name = name
        self.reasons = reasons


class LocalExtraMissing(LocalModelError):
    """The runtime for local models isn't installed."""

    code = "local_extra_missing"
    status = 501

    def __init__(self) -> None:
        super().__init__(
            "xllamacpp is not installed", hint="Install it with: pip install 'proctor-runtime[local]'"
        )


class LocalServerFailed(LocalModelError):
    """The model server doesn't run."""

    code = "local_server_failed"
    status = 503
    retryable = True

    def __init__(self, reason: str, log_tail: tuple[str, ...]) -> None:
        lines = "".join(f"\n  | {line}" for line in log_tail)
        super().__init__(f"the local model server {reason}{lines}")
        self.reason = reason
        self.log_tail = log_tail
