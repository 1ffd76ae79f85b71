"""OAuth at an HTTP server: signing in as a program, by client credentials. Tokens are kept in memory only."""

from collections.abc import Mapping

from mcp.client.auth import OAuthClientProvider
from mcp.client.auth.extensions.client_credentials import ClientCredentialsOAuthProvider
from mcp.shared.auth import OAuthClientInformationFull, OAuthToken

from proctor.core import OAuthSettings
from proctor.tools._environment import variable


def oauth_of(
    server: str, url: str, settings: OAuthSettings, environ: Mapping[str, str]
) -> OAuthClientProvider:
    """What signs requests in, and signs in again when a token has run out.

    Raises:
        MissingSetting: the environment doesn't hold our id or secret.
    """
    return ClientCredentialsOAuthProvider(
        server_url=url,
        storage=_Memory(),
        client_id=variable(environ, settings.client_id_env, f"tools.{server}.oauth.client_id_env"),
        client_secret=variable(
            environ, settings.client_secret_env, f"tools.{server}.oauth.client_secret_env"
        ),
        scope=settings.scope or None,
        issuer=settings.issuer,
    )


class _Memory:
    """Where the SDK keeps a token: here, for as long as the session lives."""

    def __init__(self) -> None:
        self._tokens: OAuthToken | None = None
        self._client: OAuthClientInformationFull | None = None

    async def get_tokens(self) -> OAuthToken | None:
        return self._tokens

    async def set_tokens(self, tokens: OAuthToken) -> None:
        self._tokens = tokens

    async def get_client_info(self) -> OAuthClientInformationFull | None:
        return self._client

    async def set_client_info(self, client_info: OAuthClientInformationFull) -> None:
        self._client = client_info
