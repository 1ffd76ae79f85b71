"""What tool servers are given of our surroundings: variables, headers, folders, and signing in by OAuth."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from proctor.core import (
    ConfigurationError,
    JsonObject,
    MissingSetting,
    SystemClock,
    ToolCall,
    ToolServerSettings,
    ToolServerUnavailable,
    ToolSpec,
)
from proctor.testing import FakeScope
from proctor.tools import ToolServer
from servers.over_http import over_http

SERVERS = Path(__file__).parent.parent / "servers"
ENVIRON = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}


@asynccontextmanager
async def server_with(settings: ToolServerSettings, **environ: str) -> AsyncIterator[ToolServer]:
    server = ToolServer("shop", settings, SystemClock(), environ=ENVIRON | environ)
    try:
        async with asyncio.timeout(50):
            yield server
    finally:
        async with asyncio.timeout(10):
            await server.close()


def program(name: str, *arguments: str) -> tuple[str, ...]:
    return (sys.executable, str(SERVERS / name), *arguments)


async def ask(server: ToolServer, tool: str, **arguments: Any) -> JsonObject:
    spec = ToolSpec(server="shop", name=tool, description="", parameters={}, effect="read_only")
    result = await server.call(ToolCall(scope=FakeScope(), tool=spec, arguments=arguments))
    assert result.structured is not None, result.text
    return result.structured


# Child processes


async def test_a_server_is_given_the_variables_that_are_named_and_no_others():
    settings = ToolServerSettings(command=program("tool_server.py"), env_from=("SHOP_KEY",), env={"A": "b"})
    async with server_with(settings, SHOP_KEY=" sk-1\n", OTHER_KEY="sk-2") as server:
        env = (await ask(server, "about"))["env"]
    assert (env["SHOP_KEY"], env["A"]) == ("sk-1", "b")
    assert "OTHER_KEY" not in env


async def test_a_variable_that_is_not_set_is_named():
    settings = ToolServerSettings(command=program("tool_server.py"), env_from=("SHOP_KEY",))
    async with server_with(settings) as server:
        with pytest.raises(MissingSetting, match=r"tools\.shop\.env_from names the variable SHOP_KEY"):
            await server.start()


async def test_a_secret_by_reference_is_not_quoted_either():
    settings = ToolServerSettings(command=program("odd_tool_server.py", "exits"), env_from=("API_KEY",))
    async with server_with(settings, API_KEY="sk-very-secret") as server:
        with pytest.raises(ToolServerUnavailable, match=r"the key \[hidden\] is not valid"):
            await server.start()


async def test_a_server_runs_in_an_empty_folder_of_its_own_that_goes_with_it():
    async with server_with(ToolServerSettings(command=program("tool_server.py"))) as server:
        where = await ask(server, "where")
        folder = Path(where["folder"])
        assert where["files"] == []
        assert folder not in (Path.cwd(), *Path.cwd().parents)
        assert os.stat(folder).st_mode & 0o077 == 0  # noqa: PTH116 - a moment, in a test
    assert folder.name not in os.listdir(folder.parent)  # noqa: PTH208 - as above


async def test_a_folder_that_is_named_is_where_the_server_runs(tmp_path):
    (tmp_path / "note").touch()
    async with server_with(ToolServerSettings(command=program("tool_server.py"), cwd=tmp_path)) as server:
        assert (await ask(server, "where")) == {"folder": str(tmp_path), "files": ["note"]}


async def test_a_command_that_is_written_from_here_starts_there(monkeypatch):
    monkeypatch.chdir(SERVERS)
    async with server_with(ToolServerSettings(command=(sys.executable, "tool_server.py"))) as server:
        assert (await ask(server, "where"))["files"] == []


async def test_a_server_that_does_not_start_in_its_folder_is_explained():
    settings = ToolServerSettings(command=(sys.executable, "-m", "no_such_server"))
    async with server_with(settings) as server:
        with pytest.raises(ToolServerUnavailable) as raised:
            await server.start()
    assert "empty folder; `cwd` names another" in str(raised.value.hint)


# HTTP


async def test_headers_come_from_the_environment():
    async with over_http("legacy_http_tool_server.py") as (_, port):
        settings = ToolServerSettings(
            url=f"http://127.0.0.1:{port}/", headers_env={"Authorization": "SHOP_AUTH"}
        )
        async with server_with(settings, SHOP_AUTH="Bearer open-sesame\n") as server:
            await server.start()
        async with server_with(settings) as server:
            with pytest.raises(MissingSetting, match="SHOP_AUTH"):
                await server.start()


async def test_a_header_that_cannot_be_sent_is_named_and_not_quoted():
    settings = ToolServerSettings(url="http://127.0.0.1:1/", headers={"X-Key": "sk-very\nsecret"})
    async with server_with(settings) as server:
        with pytest.raises(ConfigurationError, match="X-Key") as raised:
            await server.start()
    assert "secret" not in str(raised.value)


def vault(port: int, **oauth: str) -> ToolServerSettings:
    signing_in = {
        "issuer": f"http://127.0.0.1:{port}",
        "client_id_env": "VAULT_ID",
        "client_secret_env": "VAULT_SECRET",
        "scope": "tools",
        **oauth,
    }
    return ToolServerSettings.model_validate({"url": f"http://127.0.0.1:{port}/mcp", "oauth": signing_in})


async def test_we_sign_in_by_client_credentials_and_again_when_a_token_is_used_up():
    known = {"VAULT_ID": "proctor", "VAULT_SECRET": "open-sesame"}
    async with over_http("oauth_tool_server.py") as (_, port), server_with(vault(port), **known) as server:
        given = [(await ask(server, "tokens"))["result"] for _ in range(5)]
    assert given[0] >= 1
    assert given[-1] > given[0]


@pytest.mark.parametrize(
    ("secret", "issuer", "says"),
    [
        ("wrong", "", "sign in: "),
        ("open-sesame", "https://elsewhere.example", "elsewhere.example"),
    ],
)
async def test_a_server_that_we_cannot_sign_in_at_is_a_clear_error_without_the_secret(secret, issuer, says):
    async with over_http("oauth_tool_server.py") as (_, port):
        settings = vault(port, **({"issuer": issuer} if issuer else {}))
        async with server_with(settings, VAULT_ID="proctor", VAULT_SECRET=secret) as server:
            with pytest.raises(ToolServerUnavailable, match=says) as raised:
                await server.start()
    assert secret not in json.dumps([raised.value.message, raised.value.hint])
