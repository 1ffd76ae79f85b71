"""What a text may hold, wherever it passes by: personal data, secrets, injections, advice, claims.

Things are found by what they are, never by talk about them. Knows no run, no model and no database: it takes
a text and settings, and gives a verdict.
"""

from proctor.policies._catalogue import Catalogue
from proctor.policies._families import KINDS, check_stages
from proctor.policies._lint import Remark, lint
from proctor.policies._masking import mask
from proctor.policies._policy import Policy, Prices, Ruled, taken_out
from proctor.policies._reading import Finding, Reading
from proctor.policies._screen import read_text, redact

__all__ = [
    "KINDS",
    "Catalogue",
    "Finding",
    "Policy",
    "Prices",
    "Reading",
    "Remark",
    "Ruled",
    "check_stages",
    "lint",
    "mask",
    "read_text",
    "redact",
    "taken_out",
]
