"""People's data: what it may be processed for, what is held on whom, how long, and how it goes.

Knows runs and what is kept beside them. Knows no policy: who puts values behind tokens says which.
"""

from proctor.privacy._decisions import DECISIONS, Decided
from proctor.privacy._erasing import Erasure, Scrubbed, Survey
from proctor.privacy._errors import ConsentMissing, Erased, OnHold, Restricted, StillRunning
from proctor.privacy._export import Item
from proctor.privacy._keys import load_key
from proctor.privacy._privacy import Privacy
from proctor.privacy._purposes import check_purposes, check_vault
from proctor.privacy._retention import too_old
from proctor.privacy._values import Consent, Hold, HoldKind, Left, Standing, Subject, Tombstone
from proctor.privacy._vault import Place, Scope, Vault

__all__ = [
    "DECISIONS",
    "Consent",
    "ConsentMissing",
    "Decided",
    "Erased",
    "Erasure",
    "Hold",
    "HoldKind",
    "Item",
    "Left",
    "OnHold",
    "Place",
    "Privacy",
    "Restricted",
    "Scope",
    "Scrubbed",
    "Standing",
    "StillRunning",
    "Subject",
    "Survey",
    "Tombstone",
    "Vault",
    "check_purposes",
    "check_vault",
    "load_key",
    "too_old",
]
