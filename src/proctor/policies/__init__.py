"""What a text that enters may hold: personal data and secrets are found by value, never by talk about them.

Knows no run, no model and no database: it takes a text and settings, and gives a verdict.
"""

from proctor.policies._screen import find_secrets, read_text, redact, screen

__all__ = ["find_secrets", "read_text", "redact", "screen"]
