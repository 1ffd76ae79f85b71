"""A real identity provider (panva's `oidc-provider`, on Node), installed from its lock.

For another version change `identity/package.json`, and make the lock anew:
`npm install --package-lock-only --ignore-scripts` in that folder.
"""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from html import unescape
from pathlib import Path
from typing import Literal
from urllib.parse import urljoin

import httpx2
import pytest
from joserfc.jwk import KeySet

from servers import real

HERE = Path(__file__).parent / "identity"
SECRET = "of-the-client"
AUDIENCE = "urn:proctor:api"

Claims = Literal["id_token", "userinfo", "bearer"]


def new_keys() -> KeySet:
    """Keys to sign with."""
    return KeySet.generate_key_set("RSA", 2048, count=1, private=True)


@cache
def packages() -> Path:
    """The folder of the locked packages; skips the test where they can't be had."""
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        pytest.skip("npm and node aren't installed: apt install npm, or https://nodejs.org")

    def install(folder: Path) -> None:
        for name in ("package.json", "package-lock.json"):
            shutil.copy(HERE / name, folder)
        real._run([npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--fetch-retries=1"], folder)

    return real._installed(HERE / "package-lock.json", install) / "node_modules"


@contextmanager
def identity_provider(
    *, callback: str, keys: KeySet, port: int = 0, claims: Claims = "id_token"
) -> Iterator[str]:
    """The issuer, while it runs. `claims` says where it tells who somebody is."""
    told = {
        "port": port,
        "callback": callback,
        "claims": claims,
        "packages": str(packages()),
        "jwks": keys.as_dict(private=True, use="sig"),
    }
    process = subprocess.Popen(
        ["node", str(HERE / "provider.mjs")],
        env={**os.environ, "IDENTITY": json.dumps(told), "NODE_NO_WARNINGS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        issuer = process.stdout.readline().strip()
        if not issuer:
            process.kill()
            raise AssertionError(process.communicate()[1])
        yield issuer
    finally:
        process.kill()
        process.communicate()


async def signs_in(browser: httpx2.AsyncClient, answer: httpx2.Response, who: str) -> httpx2.Response:
    """What comes of a redirect to the provider, once somebody has signed in and agreed there.

    It is the answer to the redirect back, which isn't followed.
    """
    here = str(answer.request.url)
    for _ in range(20):
        if answer.is_redirect:
            where = urljoin(str(answer.request.url), answer.headers["location"])
            if "/session/callback" in where:
                return await browser.get(where)
            answer = await browser.get(where)
            continue
        prompt = re.search(r'name="prompt" value="(\w+)"', answer.text)
        action = re.search(r'action="([^"]+)"', answer.text)
        assert prompt, answer.text
        assert action, answer.text
        form = {"prompt": prompt[1], "login": who, "password": "any"}
        answer = await browser.post(urljoin(str(answer.request.url), unescape(action[1])), data=form)
    raise AssertionError(f"from {here} nobody comes back")
