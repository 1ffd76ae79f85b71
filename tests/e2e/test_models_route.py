"""`proctor models route` as people and programs use it."""

import pytest

from e2e.test_cli import Terminal, endpoint, terminal  # noqa: F401 - fixtures

HARD = (
    "Write a detailed migration plan for moving our PostgreSQL cluster from 14 to 18 with zero downtime. "
    "Compare three approaches, list the risks of each, and then recommend one with a justification."
)
TIERS = """
[models.swift]
model = "gpt-5.4-mini"
tier = "small"
price = { input = 0.75, output = 4.5 }

[models.deep]
model = "gpt-5.4"
tier = "large"
price = { input = 2.5, output = 15 }
"""


@pytest.fixture
def tiered(terminal: Terminal) -> Terminal:  # noqa: F811
    with (terminal.folder / "proctor.toml").open("a", encoding="utf-8") as file:
        file.write(TIERS)
    return terminal


def test_a_person_sees_where_a_request_goes_and_why(tiered: Terminal):
    out, _ = tiered("models", "route", "Where is my order #W123?")
    assert "asks     swift" in out
    assert "small work" in out
    assert "it is for large work" not in out
    assert "it costs more" in out
    assert "log-odds" not in out
    out, _ = tiered("models", "route", HARD, "--explain")
    assert "asks     deep" in out
    assert "it is for small work, not for large" in out
    assert "log-odds" in out


def test_a_program_reads_the_whole_choice(tiered: Terminal):
    choice = tiered.json("models", "route", HARD, "--explain")
    assert (choice["to"], choice["tier"], choice["required"]) == ("deep", "large", "large")
    assert choice["chance"] >= choice["caution"] == 0.5
    assert [one["name"] for one in choice["candidates"]] == ["swift", "deep"]
    assert all(one["cost_micros"] > 0 for one in choice["candidates"])
    assert choice["contributions"]
    assert "contributions" not in tiered.json("models", "route", HARD)


def test_without_a_deployment_that_has_a_tier_nothing_can_be_chosen(terminal: Terminal):  # noqa: F811
    error = terminal.json("models", "route", "hi", code=1)["error"]
    assert error["code"] == "missing_setting"
    assert "tier" in error["hint"]
