"""`proctor privacy` as people and programs use it."""

import json
import stat

import pytest

from e2e.test_cli import Terminal, endpoint, terminal  # noqa: F401 - fixtures
from servers.openai_endpoint import Endpoint, completion, says

PRIVACY = """
[privacy.purposes.support]
needs_consent = true
text_version = "3"

[privacy.retention]
approvals = { floor = "365d", ceiling = "1000d" }
journal = "90d"

[teams.desk]
purpose = "support"
"""


@pytest.fixture
def careful(terminal: Terminal) -> Terminal:  # noqa: F811
    with (terminal.folder / "proctor.toml").open("a", encoding="utf-8") as file:
        file.write(PRIVACY)
    return terminal


@pytest.mark.slow
def test_a_person_consents_is_told_what_is_held_and_is_forgotten(careful: Terminal, endpoint: Endpoint):  # noqa: F811
    endpoint.replies = [says(completion("Hello Quillfeather."))]
    refused = careful.json("run", "desk.py:desk", "I am Quillfeather", "--subject", "ann", code=1)
    assert refused["error"]["code"] == "consent_missing"
    named = ("--subject", "ann", "--purpose", "support")
    given = careful.json("privacy", "consent", "give", *named, "--channel", "web", "--by", "mia")
    assert (given["version"], given["channel"], given["recorded_by"]) == ("3", "web", "mia")
    run = careful.json("run", "desk.py:desk", "I am Quillfeather", "--subject", "ann")["id"]

    careful("privacy", "export", "--subject", "ann", "--to", "ann.json")
    file = careful.folder / "ann.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    told = json.loads(file.read_text())
    assert "Quillfeather" in json.dumps(told["items"])
    careful("privacy", "export", "--subject", "ann", "--to", "ann.json", code=1)
    assert json.loads(careful("privacy", "export", "--subject", "ann")[0])["items"] == told["items"]

    hold = careful.json("privacy", "hold", "place", "--subject", "ann", "--reason", "case 12")["id"]
    assert careful.json("privacy", "erase", "--subject", "ann", "--yes", code=1)["error"]["code"] == "on_hold"
    assert [each["id"] for each in careful.json("privacy", "hold", "list")] == [hold]
    careful("privacy", "hold", "release", hold)

    survey = careful.json("privacy", "erase", "--subject", "ann", "--dry-run")
    assert (survey["runs"], survey["rows"]["runs"]) == (1, 1)
    _, err = careful("privacy", "erase", "--subject", "ann", code=1)
    assert "--yes" in err
    assert careful.json("privacy", "erase", "--subject", "ann", code=64)["error"]["code"] == "usage"
    erased = careful.json("privacy", "erase", "--subject", "ann", "--yes", "--by", "mia")
    assert (erased["by"], erased["rows"], erased["files_are_clean"]) == ("mia", survey["rows"], True)
    assert all(b"Quillfeather" not in each.read_bytes() for each in careful.folder.glob("proctor.db*"))
    [stone] = careful.json("privacy", "erasures", "--subject", "ann")
    assert (stone["id"], "ann" in json.dumps(stone["mark"])) == (erased["id"], False)
    shown, _ = careful("runs", "show", run)
    assert "[erased]" in shown
    assert careful.json("runs", "resume", run, code=1)["error"]["code"] == "erased"
    careful("costs", "audit")
    careful("db", "check")


@pytest.mark.slow
def test_consents_are_listed_with_what_lives(careful: Terminal):
    consent = ("privacy", "consent")
    for version in ("2", "3"):
        careful(*consent, "give", "--subject", "ann", "--purpose", "support", "--version", version)
    said = careful.json(*consent, "list", "--subject", "ann")
    assert [(each["version"], each["lives"]) for each in said] == [("2", False), ("3", True)]
    careful(*consent, "withdraw", "--subject", "ann", "--purpose", "support")
    said = careful.json(*consent, "list", "--subject", "ann")
    assert [each["lives"] for each in said] == [False, False, False]
    out, _ = careful(*consent, "list")
    assert "withdraw" in out
    unknown = careful.json(*consent, "give", "--subject", "a", "--purpose", "x", code=1)
    assert unknown["error"]["code"] == "not_found"
    careful("privacy", "hold", "place", "--reason", "none", code=64)
    assert careful("privacy", "hold", "list")[0] == "Nothing is held.\n"
    assert careful("privacy", "erasures")[0] == "Nobody was erased.\n"


def test_a_floor_above_its_ceiling_is_no_configuration(careful: Terminal):
    file = careful.folder / "proctor.toml"
    file.write_text(file.read_text().replace("365d", "3650d"))
    said = careful.json("config", "check", code=1)
    assert "floor" in json.dumps(said)
