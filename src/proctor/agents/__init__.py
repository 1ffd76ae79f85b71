"""The door to AutoGen: the only room that imports it. Knows no journal, database or provider."""

from proctor.agents._memory import Knowledge, Losses
from proctor.agents._model import GovernedModelClient
from proctor.agents._session import Failure, Session, Turn
from proctor.agents._team import ModelFeatures, TeamContext, TeamFactory, TeamRun

__all__ = [
    "Failure",
    "GovernedModelClient",
    "Knowledge",
    "Losses",
    "ModelFeatures",
    "Session",
    "TeamContext",
    "TeamFactory",
    "TeamRun",
    "Turn",
]
