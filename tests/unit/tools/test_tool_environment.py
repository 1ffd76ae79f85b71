"""Commands that are written for our folder and run in another one."""

import pytest

from proctor.tools._environment import elsewhere


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    (tmp_path / "data").mkdir()
    (tmp_path / "server.py").touch()
    (tmp_path / "tests").touch()
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("argument", "becomes"),
    [
        ("server.py", "{here}/server.py"),
        ("./new/place", "{here}/new/place"),
        (".proctor/shop", "{here}/.proctor/shop"),
        ("data/new", "{here}/data/new"),
        (".", "{here}"),
        ("..", "{above}"),
        ("--root=data/shop", "--root={here}/data/shop"),
        ("/etc/hosts", "/etc/hosts"),
        ("other.py", "other.py"),
        ("tests", "tests"),
        ("@playwright/mcp@1.2.3", "@playwright/mcp@1.2.3"),
        ("owner/project", "owner/project"),
        ("https://example.com/x", "https://example.com/x"),
        ("-m", "-m"),
    ],
)
def test_what_is_a_path_from_here_becomes_a_whole_one(tmp_path, argument, becomes):
    becomes = becomes.format(here=tmp_path, above=tmp_path.parent)
    assert elsewhere(("no-such-program", argument), "/usr/bin") == ("no-such-program", becomes)


def test_a_program_is_looked_for_from_here(tmp_path):
    program = tmp_path / "data" / "serve"
    program.touch(mode=0o700)
    assert elsewhere(("data/serve",), "/usr/bin") == (str(program),)
    assert elsewhere(("serve",), "data") == (str(program),)
    assert elsewhere(("serve",), "/usr/bin") == ("serve",)
