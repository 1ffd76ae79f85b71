"""Which model answers a call: deployments, their endpoints, retries. Knows no run, no price and no policy."""

from proctor.models._deployments import Capabilities, Deployment, Endpoint, Endpoints, Provider
from proctor.models._endpoints import ConfiguredEndpoints, LocalEndpoints
from proctor.models._models import Models
from proctor.models._openai import OpenAIProvider
from proctor.models._retry import RetryListener, retry

__all__ = [
    "Capabilities",
    "ConfiguredEndpoints",
    "Deployment",
    "Endpoint",
    "Endpoints",
    "LocalEndpoints",
    "Models",
    "OpenAIProvider",
    "Provider",
    "RetryListener",
    "retry",
]
