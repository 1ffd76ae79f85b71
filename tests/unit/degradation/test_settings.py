from datetime import timedelta

import pytest

from proctor.app import load_settings
from proctor.core import ConfigurationError


@pytest.fixture
def load(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def load(toml: str):
        (tmp_path / "proctor.toml").write_text(toml, encoding="utf-8")
        return load_settings(environ={}).settings

    return load


def test_each_line_can_be_set_and_the_others_keep_their_defaults(load):
    found = load("[degradation]\nerror_rate = [0.1, 0.2]\np95_seconds = []\nhold = 5\n").degradation
    assert (found.error_rate, found.p95_seconds, found.hold) == ((0.1, 0.2), (), timedelta(seconds=5))
    assert found.budget_share == (0.8, 0.9)


@pytest.mark.parametrize(
    "toml",
    [
        "error_rate = [0.5, 0.2]",
        "error_rate = [0.1, 0.2, 0.3, 0.4, 0.5]",
        "p95_seconds = [0]",
        "hold = 0",
        "probe_share = 0",
    ],
)
def test_lines_that_make_no_sense_are_refused(load, toml):
    with pytest.raises(ConfigurationError, match="degradation"):
        load(f"[degradation]\n{toml}\n")


def test_a_fallback_that_is_not_configured_is_refused_with_the_likely_one(load):
    with pytest.raises(ConfigurationError) as raised:
        load('[models.small]\nmodel = "a"\nfallback = ["spar"]\n[models.spare]\nmodel = "b"\n')
    assert (raised.value.message, raised.value.hint) == (
        "models.small.fallback names 'spar', which is no deployment",
        "Did you mean spare?",
    )


def test_fallbacks_in_a_circle_are_refused(load):
    with pytest.raises(ConfigurationError, match="small → spare → small"):
        load(
            '[models.small]\nmodel = "a"\nfallback = ["spare"]\n'
            '[models.spare]\nmodel = "b"\nfallback = ["small"]\n'
        )
