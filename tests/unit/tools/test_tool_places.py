import os
from pathlib import Path

import pytest

from proctor.core import DataSettings, ToolCall, ToolResult, ToolRule, ToolServerSettings, ToolSpec
from proctor.testing import FakeScope
from proctor.tools import ToolRules, guard_places


async def acts(call: ToolCall) -> ToolResult:
    return ToolResult(text="acted")


async def refused_by(arguments, **settings) -> str:
    """The rule that refuses a call with these arguments; empty where it is made."""
    server = ToolServerSettings(command=("server",), **settings)
    link = guard_places(ToolRules({"disk": server}, {}, DataSettings()))
    spec = ToolSpec(server="disk", name="use", description="", parameters={})
    scope = FakeScope()
    result = await link(ToolCall(scope=scope, tool=spec, arguments=arguments), acts)
    assert [data["rule"] for _, data in scope.events] == [result.refused_by][: result.is_error]
    return result.refused_by


@pytest.fixture
def root(tmp_path: Path) -> Path:
    inside = tmp_path / "data"
    (inside / "sub").mkdir(parents=True)
    (tmp_path / "secret.txt").write_text("secret")
    (tmp_path / "database").mkdir()
    (inside / "way").symlink_to(tmp_path / "secret.txt")
    (inside / "up").symlink_to(tmp_path)
    (inside / "near").symlink_to(inside / "sub")
    return inside


@pytest.mark.parametrize(
    "arguments",
    [
        {"path": "{root}"},
        {"path": "{root}/"},
        {"path": "{root}/sub/new file (1).txt"},
        {"path": "{root}/sub/../a.txt"},
        {"path": "file://{root}/a.txt"},
        {"path": "file://localhost{root}/a%20b.txt"},
        {"path": "{root}/100%.txt"},
        {"path": "{root}/near/a.txt"},
        {"path": "{root}/\N{LATIN SMALL LETTER E WITH ACUTE}t\N{LATIN SMALL LETTER E WITH ACUTE}…txt"},
        {"path": "sub/a.txt"},
        {"paths": ["{root}/a", "b"]},
        {"path": "{root}/a", "content": "/etc/passwd is a file; ../ goes up\n~/x"},
        {"path": "{root}/a", "edits": [{"oldText": "/etc/hosts", "newText": "../x"}]},
        {"branch": "feature/x", "query": "and/or", "ratio": "3/4", "mime": "text/plain"},
        {"fileType": "/any", "note": "~"},
        {"price": "$5", "expression": "$1/2", "args": ["--name=x", "-v"]},
        {"count": 3, "flag": True, "none": None},
        {"anything": "/* what it does */\nimport x from '../x'\n", "other": "1/2\n\n3/4"},
        {"anything": f"/{'words and words ' * 100}"},
        {"url": "https://example.com/../x"},
    ],
)
async def test_a_call_stays_within_its_roots(arguments, root):
    assert await refused_by(_at(arguments, root), roots=(root,), cwd=root) == ""


@pytest.mark.parametrize(
    "arguments",
    [
        {"path": "/etc/passwd"},
        {"path": "{root}/../secret.txt"},
        {"path": "{root}/sub/../../secret.txt"},
        {"path": "../secret.txt"},
        {"path": "sub/../../secret.txt"},
        {"path": "{root}base/x"},
        {"path": "{root}/way"},
        {"path": "{root}/up/secret.txt"},
        {"path": "~"},
        {"path": "~/.ssh/id_rsa"},
        {"path": "~nobody-at-all/x"},
        {"path": "$HOME/x"},
        {"path": "${HOME}/x"},
        {"path": "%APPDATA%/x"},
        {"path": "{root}/a\x00.txt"},
        {"path": "{root}/a\n.txt"},
        {"path": "{root}/\ud800"},
        {"path": "{root}/%2e%2e/secret.txt"},
        {"path": "{root}/%252e%252e/secret.txt"},
        {"path": "{root}%2f..%2fsecret.txt"},
        {"path": "{root}/..\\secret.txt"},
        {"path": "{root}/..\N{FULLWIDTH SOLIDUS}secret.txt"},
        {"path": "{root}/..\N{DIVISION SLASH}secret.txt"},
        {"path": "{root}/\N{FULLWIDTH FULL STOP}\N{FULLWIDTH FULL STOP}/secret.txt"},
        {"path": "{root}/\N{TWO DOT LEADER}/secret.txt"},
        {"path": "{root}/.\u200b./secret.txt"},
        {"path": "\u200b/etc/passwd"},
        {"path": " /etc/passwd"},
        {"path": "C:\\Windows\\win.ini"},
        {"path": "c:/windows"},
        {"path": "\\\\server\\share"},
        {"path": "file:///etc/passwd"},
        {"path": "FILE:/etc/passwd"},
        {"path": "file://other/{root}/a"},
        {"path": "file:///{root}/%2e%2e/secret.txt"},
        {"path": "sftp://host/{root}"},
        {"path": "x" * 5000},
        {"paths": ["{root}/a", "/etc/passwd"]},
        {"files": [{"name": "/etc/passwd"}]},
        {"deep": {"er": [{"filePath": "/etc/passwd"}]}},
        {"source": "/etc/passwd"},
        {"args": ["--output=/etc/passwd"]},
        {"id": "../../x"},
        {"data": "/etc/passwd"},
        {"anything": "/etc/passwd"},
        {"anything": "~/x"},
        {"anything": "../x"},
        {"anything": "a/../../x"},
        {"anything": "%2e%2e%2fx"},
        {"anything": "file:///etc/passwd"},
        {"anything": f"/etc/{'./' * 2_000}passwd"},
        {"anything": f"/etc/{'x/../' * 20_000}passwd"},
        {"anything": f"{'x/%2e%2e/' * 2_000}../secret.txt"},
        {"anything": "x y\n/../../secret.txt"},
        {"anything": "x\n\\..\\..\\secret.txt"},
        {"files": {"/etc/passwd": "new"}},
    ],
)
async def test_no_path_leads_out_of_the_roots(arguments, root):
    assert await refused_by(_at(arguments, root), roots=(root,), cwd=root) == "roots"


async def test_where_the_working_folder_is_not_named_paths_are_given_whole(root):
    assert await refused_by({"path": "sub/a.txt"}, roots=(root,)) == "roots"
    assert await refused_by({"path": f"{root}/sub/a.txt"}, roots=(root,)) == ""


async def test_a_root_that_is_a_link_is_the_folder_behind_it(root, tmp_path):
    link = tmp_path / "link"
    link.symlink_to(root)
    assert await refused_by({"path": f"{link}/a"}, roots=(link,)) == ""
    assert await refused_by({"path": f"{root}/a"}, roots=(link,)) == ""
    assert await refused_by({"path": f"{link}/../secret.txt"}, roots=(link,)) == "roots"


async def test_a_function_has_roots_as_well(root):
    link = guard_places(ToolRules({}, {"save": ToolRule(roots=(root,))}, DataSettings()))
    spec = ToolSpec(server="python", name="save", description="", parameters={})

    async def refused(path: str) -> str:
        call = ToolCall(scope=FakeScope(), tool=spec, arguments={"path": path})
        return (await link(call, acts)).refused_by

    assert (await refused(f"{root}/a"), await refused(os.sep)) == ("", "roots")
    assert await refused("a.txt") == "roots"  # goes on from where this program runs


def _at(value, root: Path):
    if isinstance(value, str):
        return value.replace("{root}", str(root))
    if isinstance(value, dict):
        return {_at(name, root): _at(item, root) for name, item in value.items()}
    return [_at(item, root) for item in value] if isinstance(value, list) else value


HOSTS = ("example.com", "*.shop.example", "api.example.org:8443", "127.0.0.1:9000", "xn--mnchen-3ya.example")


@pytest.mark.parametrize(
    "arguments",
    [
        {"url": "https://example.com/a?u=https://evil.example"},
        {"url": "HTTPS://EXAMPLE.COM."},
        {"url": "example.com/x"},
        {"url": "//example.com/x"},
        {"url": "http://eu.shop.example"},
        {"url": "wss://a.b.shop.example:99/x"},
        {"url": "https://api.example.org:8443/v1"},
        {"url": "http://127.0.0.1:9000/"},
        {"url": "http://0x7f.1:9000/"},
        {"url": "https://\N{FULLWIDTH LATIN SMALL LETTER E}xample.com"},
        {"url": "https://xn--mnchen-3ya.example/"},
        {"url": "about:blank"},
        {"url": "/next?page=2"},
        {"url": ""},
        {"text": "see https://evil.example for more"},
        {"title": "Re: data: 5 rows", "ratio": "3:4", "time": "10:30", "origin": "Berlin"},
        {"site": "https://example.com"},
        {"path": "/etc/passwd"},
        {"a": [{"b": "https://example.com"}]},
    ],
)
async def test_addresses_at_named_hosts_may_be_followed(arguments):
    assert await refused_by(arguments, hosts=HOSTS) == ""


@pytest.mark.parametrize(
    "value",
    [
        "https://evil.example",
        "https://example.com.evil.example",
        "https://evilexample.com",
        "https://shop.example",
        "https://example.com@evil.example",
        "https://example.com:x@evil.example/",
        "https://user@example.com",
        "https://evil.example\\@example.com",
        "https://evil.example#@example.com",
        "https://evil.example?@example.com",
        "https:\\\\evil.example",
        "https:evil.example",
        "https:/evil.example",
        "https:///evil.example",
        "//evil.example",
        "\\\\evil.example",
        " https://evil.example",
        "ht\ntps://evil.example",
        "\u200bhttps://evil.example",
        "https://evil.example/\thttps://example.com",
        "https://%65vil.example",
        "https://example.com%2eevil.example",
        "https://example\N{FULLWIDTH FULL STOP}com\N{FULLWIDTH FULL STOP}evil.example",
        "https://ex\N{CYRILLIC SMALL LETTER A}mple.com",
        "https://xn--exmple-4nf.com",
        "https://m\N{LATIN SMALL LETTER U WITH DIAERESIS}nchen.example",
        "http://api.example.org",
        "http://127.0.0.1",
        "http://2130706433:9001/",
        "http://0177.0.0.1/",
        "http://[::1]/",
        "http://[::ffff:127.0.0.1]/",
        "http://169.254.169.254/latest/meta-data",
        "http://2852039166/",
        "http://localhost:9000",
        "http://[fe80::1%25eth0]/",
        "http://[bad",
        "http://example.com:99999",
        "ftp://evil.example/x",
        "gopher://evil.example",
        "file:///etc/passwd",
        "FILE:/etc/passwd",
        "javascript:alert(1)",
        "data:text/html,<script>x</script>",
        "data:,x",
        "view-source:https://example.com",
        "blob:https://example.com/1",
        "<https://evil.example>",
        "(https://evil.example/x)",
        "--url=https://evil.example",
    ],
)
async def test_no_address_leads_to_another_host(value):
    assert await refused_by({"url": value}, hosts=HOSTS) == "hosts"
    assert await refused_by({"anything": [{"at_all": value}]}, hosts=HOSTS) == "hosts"


@pytest.mark.parametrize(
    "arguments",
    [
        {"url": "evil.example"},
        {"host": "localhost"},
        {"host": "2130706433"},
        {"hostname": "metadata.google.internal"},
        {"endpoint": "evil.example:80/x"},
        {"server": "evil.example"},
        {"callback": "evil.example/x"},
        {"proxyUrl": "evil.example"},
        {"url": "mailto:zed@evil.example"},
        {"uri": "git@evil.example:a/b"},
        {"url": "https://example.com https://evil.example"},
        {"urls": ["https://example.com", "https://evil.example"]},
        {"https://evil.example": 1},
    ],
)
async def test_a_host_is_known_by_the_name_of_its_argument(arguments):
    assert await refused_by(arguments, hosts=HOSTS) == "hosts"


@pytest.mark.parametrize(
    ("value", "rule"),
    [
        ("https://anything.example.com", ""),
        ("https://93.184.215.14", ""),
        ("http://localhost", "hosts"),
        ("http://intranet", "hosts"),
        ("http://db.internal", "hosts"),
        ("http://10.0.0.1", "hosts"),
        ("http://169.254.169.254", "hosts"),
        ("http://[fd00::1]", "hosts"),
        ("http://0/", "hosts"),
    ],
)
async def test_a_star_is_any_public_host(value, rule):
    assert await refused_by({"url": value}, hosts=("*",)) == rule


async def test_what_is_not_public_is_reached_where_it_is_named():
    named = ("*", "localhost", "169.254.169.254", "::1", "*.internal")
    for value in (
        "http://localhost:3000",
        "http://169.254.169.254/x",
        "http://[::1]:80",
        "http://db.internal",
    ):
        assert await refused_by({"url": value}, hosts=named) == ""


async def test_without_rules_nothing_is_looked_at():
    assert await refused_by({"path": "/etc/passwd", "url": "http://localhost"}) == ""


async def test_no_hosts_and_no_roots_at_all_refuse_everything():
    assert await refused_by({"url": "https://example.com"}, hosts=()) == "hosts"
    assert await refused_by({"path": "/a"}, roots=()) == "roots"
