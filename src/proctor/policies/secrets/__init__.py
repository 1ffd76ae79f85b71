"""Secrets and passwords in a text: known by published forms, by their names and by what is said of them."""

from proctor.policies.secrets._credentials import secrets

__all__ = ["secrets"]
