"""Which model answers a call: deployments, their endpoints, retries. Knows no run, no price and no policy."""

from proctor.models._deployments import Capabilities, Deployment, Provider
from proctor.models._endpoints import ConfiguredEndpoints
from proctor.models._fallback import fallback, stand_ins
from proctor.models._models import Models
from proctor.models._retry import retry

__all__ = [
    "Capabilities",
    "ConfiguredEndpoints",
    "Deployment",
    "Models",
    "Provider",
    "fallback",
    "retry",
    "stand_ins",
]
