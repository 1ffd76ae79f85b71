"""The identity provider where people sign in. Apart, because it takes a while to load."""

from proctor.access.oidc._provider import Provider, ProviderUnavailable

__all__ = ["Provider", "ProviderUnavailable"]
