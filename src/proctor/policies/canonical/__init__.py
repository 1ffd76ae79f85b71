"""The plain views of a text, however it was dressed up, with the way back to the original."""

from proctor.policies.canonical._canonical import CanonicalText, canonical
from proctor.policies.canonical._layers import views

__all__ = ["CanonicalText", "canonical", "views"]
