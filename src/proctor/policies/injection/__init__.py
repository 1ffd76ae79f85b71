"""Orders in a text that nobody has the right to give: signs of them, and a linear model."""

from proctor.policies.injection._check import injection

__all__ = ["injection"]
