"""An MCP server that asks for OAuth, with its authorization server: `python oauth_tool_server.py PORT`.

A token is good for three requests, as if its time were over then.
"""

import base64
import socket
import sys
from collections import Counter
from itertools import count

import uvicorn
from mcp.server.auth.provider import AccessToken
from mcp.server.auth.settings import AuthSettings
from mcp.server.mcpserver import MCPServer
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Mount, Route

PLACE = socket.create_server(("127.0.0.1", int(sys.argv[1])))
PORT = PLACE.getsockname()[1]
ISSUER = f"http://127.0.0.1:{PORT}"
GOOD_FOR = 3

numbers = count(1)
scopes: dict[str, str] = {}
used: Counter[str] = Counter()


class Verifier:
    async def verify_token(self, token: str) -> AccessToken | None:
        used[token] += 1
        if token not in scopes or used[token] > GOOD_FOR:
            return None
        return AccessToken(
            token=token, client_id="proctor", scopes=scopes[token].split(), resource=f"{ISSUER}/mcp"
        )


async def metadata(_: Request) -> JSONResponse:
    return JSONResponse(
        {
            "issuer": ISSUER,
            "authorization_endpoint": f"{ISSUER}/authorize",
            "token_endpoint": f"{ISSUER}/token",
            "response_types_supported": ["code"],
            "grant_types_supported": ["client_credentials"],
            "token_endpoint_auth_methods_supported": ["client_secret_basic"],
        }
    )


async def token(request: Request) -> JSONResponse:
    form = await request.form()
    wanted = "Basic " + base64.b64encode(b"proctor:open-sesame").decode()
    if request.headers.get("authorization") != wanted or form["grant_type"] != "client_credentials":
        return JSONResponse({"error": "invalid_client"}, status_code=401)
    given = f"token-{next(numbers)}"
    scopes[given] = str(form.get("scope", ""))
    answer = {"access_token": given, "token_type": "Bearer", "expires_in": 3600, "scope": scopes[given]}
    return JSONResponse(answer)


server = MCPServer(
    "vault",
    log_level="ERROR",
    token_verifier=Verifier(),
    auth=AuthSettings.model_validate(
        {
            "issuer_url": ISSUER,
            "resource_server_url": f"{ISSUER}/mcp",
            "required_scopes": ["tools"],
            "validate_token_resource": True,
        }
    ),
)


@server.tool()
def tokens() -> int:
    """How many tokens were given out."""
    return len(scopes)


if __name__ == "__main__":
    inner = server.streamable_http_app()
    app = Starlette(
        routes=[
            Route("/.well-known/oauth-authorization-server", metadata),
            Route("/token", token, methods=["POST"]),
            Mount("/", inner),
        ],
        lifespan=lambda _: inner.router.lifespan_context(inner),
    )
    print(PORT, flush=True)  # noqa: T201 - whoever starts it waits for that
    uvicorn.Server(uvicorn.Config(app, log_level="error")).run(sockets=[PLACE])
