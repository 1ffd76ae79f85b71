"""Commands of tool servers that name one version of a package, and those that name whatever is newest."""

import shlex

import pytest

from proctor.core import ConfigurationError, ToolServerSettings, TrustSettings
from proctor.tools import check_packages, loose_package

COMMIT = "0123456789abcdef0123456789abcdef01234567"
DIGEST = "sha256:" + "0123456789abcdef" * 4

LOOSE = [
    "npx @playwright/mcp@latest",
    "npx @playwright/mcp",
    "npx -y @modelcontextprotocol/server-filesystem /data",
    "npx -y server-memory",
    "npx server-memory@next",
    "npx server-memory@^1.2.3",
    "npx server-memory@~1.2.3",
    "npx server-memory@1.x",
    "npx server-memory@1.2",
    "npx server-memory@>=1.2.3",
    "npx 'server-memory@1.2.3 - 2.0.0'",
    "npx server-memory@*",
    "npx server-memory@",
    "npx --yes --registry https://registry.example.com server-memory",
    "npx --package=server-memory run-it",
    "npx -p server-memory@1.2.3 -p other-one run-it",
    "npx -c 'npx server-memory'",
    "npx github:owner/server",
    "npx owner/server",
    "npx git+https://github.com/owner/server.git#main",
    "npx git+https://github.com/owner/server.git#semver:^1.0.0",
    "npx https://example.com/server.tgz",
    "npx memory@npm:server-memory@latest",
    "npx -- server-memory",
    "npm exec -y server-memory",
    "npm exec --package=server-memory -- run-it",
    "npm x server-memory",
    "/usr/local/bin/npx server-memory",
    "npx.cmd server-memory",
    r"'C:\Program Files\nodejs\npx.cmd' server-memory",
    "cmd /c npx -y server-memory",
    "env KEY=value npx server-memory",
    "env -u HOME KEY=value npx server-memory",
    "timeout 600 npx server-memory",
    "sudo -u nobody npx server-memory",
    "sh -c 'npx server-memory'",
    "bash -lc 'cd /srv && KEY=1 exec npx -y server-memory'",
    "bunx server-memory",
    "bunx --bun server-memory@latest",
    "bun x server-memory",
    "pnpm dlx server-memory",
    "pnpm --dir /srv dlx server-memory@latest",
    "pnpx server-memory",
    "yarn dlx server-memory",
    "yarn dlx -p server-memory run-it",
    "deno run -A npm:@scope/server",
    "deno run -A npm:@scope/server@^1",
    "deno run jsr:@scope/server",
    "deno run https://example.com/server.ts",
    "uvx mcp-server-fetch",
    "uvx mcp-server-fetch@latest",
    "uvx 'mcp-server-fetch>=1.0'",
    "uvx 'mcp-server-fetch==1.*'",
    "uvx 'mcp-server-fetch~=1.0'",
    "uvx 'mcp-server-fetch[cli]'",
    "uvx --from mcp-server-fetch run-it",
    "uvx --from git+https://github.com/owner/server run-it",
    "uvx --from git+https://github.com/owner/server@main run-it",
    "uvx --with extra-one mcp-server-fetch==1.0",
    "uvx --python 3.12 --index-url https://pypi.example.com mcp-server-fetch",
    "uvx.exe mcp-server-fetch",
    "uv tool run mcp-server-fetch",
    "uv --directory /srv tool run mcp-server-fetch",
    "uv run --with mcp-server-fetch python -m mcp_server_fetch",
    "pipx run mcp-server-fetch",
    "pipx run --spec mcp-server-fetch run-it",
    "pipx run --spec https://example.com/server.whl run-it",
    "docker run -i --rm mcp/fetch",
    "docker run -i --rm mcp/fetch:latest",
    "docker run -i --rm mcp/fetch:1.2.3",
    "docker run --rm -i -e TOKEN -v /data:/data:ro ghcr.io/owner/server:v1",
    f"docker run -i mcp/fetch@{DIGEST[:-1]}",
    "docker --context remote run -i mcp/fetch",
    "docker container run -it mcp/fetch",
    "podman run -i docker.io/mcp/fetch",
    "nerdctl run -i mcp/fetch",
    "go run github.com/owner/server@latest",
    "go run github.com/owner/server@main",
]

FIXED = [
    "npx @playwright/mcp@0.0.41",
    "npx -y @modelcontextprotocol/server-filesystem@2025.8.21 /data",
    "npx server-memory@1.2.3-beta.1",
    "npx server-memory@=1.2.3 --port 3 --tag latest",
    "npx --registry https://registry.example.com server-memory@1.2.3",
    "npx --package=server-memory@1.2.3 run-it",
    "npx -p server-memory@1.2.3 run-it@latest",
    f"npx github:owner/server#{COMMIT}",
    f"npx git+https://github.com/owner/server.git#{COMMIT}",
    "npx memory@npm:server-memory@1.2.3",
    "npx ./server",
    "npx /srv/server",
    "npm exec -y server-memory@1.2.3 -- --latest",
    "npm run server",
    "npm start",
    "cmd /c npx -y server-memory@1.2.3",
    "sh -c 'npx server-memory@1.2.3 | tee log'",
    "sh server.sh npx",
    "bash -c 'echo \"unbalanced'",
    "bunx server-memory@1.2.3",
    "bun run server.ts",
    "pnpm dlx server-memory@1.2.3",
    "pnpm start",
    "yarn dlx server-memory@1.2.3",
    "deno run -A npm:@scope/server@1.2.3/main",
    "deno run server.ts",
    "uvx mcp-server-fetch==2025.4.7",
    "uvx mcp-server-fetch@2025.4.7",
    "uvx 'mcp-server-fetch[cli]==1.0.0'",
    "uvx 'mcp-server-fetch==1.0.0; python_version > \"3.8\"'",
    "uvx --from mcp-server-fetch==1.0 run-it",
    f"uvx --from git+https://github.com/owner/server@{COMMIT} run-it",
    f"uvx --from 'server @ git+https://github.com/owner/server@{COMMIT}' run-it",
    "uvx --from ./server run-it",
    "uvx --with extra-one==2.0 --python 3.12 mcp-server-fetch==1.0",
    "uv tool run mcp-server-fetch==1.0",
    "uv run server.py",
    "uv --directory /srv/server run server",
    "pipx run --spec mcp-server-fetch==1.0 run-it",
    f"docker run -i --rm mcp/fetch@{DIGEST}",
    f"docker run --rm -i -e TOKEN -v /data:/data:ro --name x ghcr.io/owner/server:v1@{DIGEST} --tag x",
    f"docker run --rm -ie TOKEN mcp/fetch@{DIGEST}",
    "docker exec -i container server",
    "docker compose run server",
    "go run github.com/owner/server@v1.2.3",
    "go run ./cmd/server",
    "python -m mcp_server_fetch",
    "python server.py npx latest",
    "/usr/bin/node server.js",
    "mcp-server-git --repository /srv/repository",
]


@pytest.mark.parametrize("command", LOOSE)
def test_a_command_that_takes_whatever_version_there_is_is_reported(command):
    found = loose_package(shlex.split(command))

    assert found is not None
    assert found.package
    assert "takes" in found.why
    assert found.todo


@pytest.mark.parametrize("command", FIXED)
def test_a_command_that_names_one_version_or_none_is_not(command):
    assert loose_package(shlex.split(command)) is None


@pytest.mark.parametrize(
    ("command", "write"),
    [
        ("npx @playwright/mcp@latest", "@playwright/mcp@X.Y.Z"),
        ("uvx mcp-server-fetch", "mcp-server-fetch==X.Y.Z"),
        ("deno run npm:@scope/server", "npm:@scope/server@X.Y.Z"),
        ("go run example.com/server@main", "example.com/server@vX.Y.Z"),
        ("docker run mcp/fetch", "NAME@sha256:…"),
    ],
)
def test_what_is_reported_says_what_to_write(command, write):
    assert f"Write {write}" in loose_package(shlex.split(command)).todo


def test_frozen_packages_are_refused_at_the_start_with_the_section_s_name():
    servers = {"web": ToolServerSettings(command=("npx", "@playwright/mcp@latest"))}

    check_packages(servers, TrustSettings())
    with pytest.raises(ConfigurationError) as raised:
        check_packages(servers, TrustSettings(frozen=True))

    assert "[tools.web]" in raised.value.message
    assert "@playwright/mcp@X.Y.Z" in raised.value.hint


def test_servers_with_a_fixed_version_or_an_address_may_be_frozen():
    servers = {
        "web": ToolServerSettings(command=("npx", "@playwright/mcp@0.0.41")),
        "far": ToolServerSettings(url="https://tools.example.com/mcp"),
    }

    check_packages(servers, TrustSettings(frozen=True))
