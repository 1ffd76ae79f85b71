"""Which deployment answers a call that leaves the choice to the router: `auto`."""

from proctor.models.router._choice import Candidate, Choice
from proctor.models.router._features import Features, features
from proctor.models.router._router import AUTO, Override, Router, no_tiers
from proctor.models.router._settings import common_capabilities, overrides
from proctor.models.router._weights import Judgement, Weights, WeightsFile, load_weights

__all__ = [
    "AUTO",
    "Candidate",
    "Choice",
    "Features",
    "Judgement",
    "Override",
    "Router",
    "Weights",
    "WeightsFile",
    "common_capabilities",
    "features",
    "load_weights",
    "no_tiers",
    "overrides",
]
