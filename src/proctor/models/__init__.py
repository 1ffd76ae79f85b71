"""Which model answers a call: deployments, their endpoints, retries. Knows no run, no price and no policy."""

from proctor.models._batch_sql import batch_page, unbatched
from proctor.models._batch_values import Batch, BatchRequest, Unbatched
from proctor.models._batches import Batches
from proctor.models._breaker import BreakerLook, Breakers, BreakerState
from proctor.models._cache import Cache
from proctor.models._deployments import Capabilities, Deployment, Provider
from proctor.models._endpoints import ConfiguredEndpoints
from proctor.models._fallback import fallback, stand_ins
from proctor.models._hedge import hedge
from proctor.models._models import Models
from proctor.models._rates import Rates
from proctor.models._retry import retry
from proctor.models._semantic import Embed, asks_the_same

__all__ = [
    "Batch",
    "BatchRequest",
    "Batches",
    "BreakerLook",
    "BreakerState",
    "Breakers",
    "Cache",
    "Capabilities",
    "ConfiguredEndpoints",
    "Deployment",
    "Embed",
    "Models",
    "Provider",
    "Rates",
    "Unbatched",
    "asks_the_same",
    "batch_page",
    "fallback",
    "hedge",
    "retry",
    "stand_ins",
    "unbatched",
]
