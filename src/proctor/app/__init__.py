"""The wiring: settings to a running Proctor, and the two chains."""

from proctor.app._analysis import Analysis
from proctor.app._chains import MODEL_CHAIN, TOOL_CHAIN, Link
from proctor.app._notices import decision_page
from proctor.app._open import open_proctor
from proctor.app._patterns import Pattern
from proctor.app._proctor import GRACE, Proctor, StartOptions
from proctor.app._reviewers import reviewers
from proctor.app._settings import Loaded, Settings, load_policy, load_settings
from proctor.app._simulation import Simulation, simulate
from proctor.app._teams import App, load_app, split_target

__all__ = [
    "GRACE",
    "MODEL_CHAIN",
    "TOOL_CHAIN",
    "Analysis",
    "App",
    "Link",
    "Loaded",
    "Pattern",
    "Proctor",
    "Settings",
    "Simulation",
    "StartOptions",
    "decision_page",
    "load_app",
    "load_policy",
    "load_settings",
    "open_proctor",
    "reviewers",
    "simulate",
    "split_target",
]
