from datetime import timedelta

import pytest
from pydantic import ValidationError

from proctor.core import ConfigurationError, MissingSetting, PrivacySettings, RetentionRule
from proctor.privacy import check_purposes, check_vault


class Team:
    subject = None

    def __init__(self, purpose: str | None) -> None:
        self.purpose = purpose


def test_a_length_of_time_alone_is_a_ceiling():
    settings = PrivacySettings.model_validate(
        {"retention": {"runs": "90d", "approvals": {"floor": "365d"}, "journal": 60}}
    )

    assert settings.retention.runs == RetentionRule(ceiling=timedelta(days=90))
    assert settings.retention.approvals == RetentionRule(floor=timedelta(days=365))
    assert settings.retention.rule("journal").ceiling == timedelta(minutes=1)
    assert settings.retention.rule("events") == RetentionRule()


@pytest.mark.parametrize(
    "privacy",
    [
        {"retention": {"runs": {"floor": "90d", "ceiling": "89d"}}},
        {"retention": {"runs": "0d"}},
        {"retention": {"letters": "90d"}},
        {"retention": {"runs": {"flor": "90d"}}},
        {"purposes": {"a": {"also": ["b"]}}},
        {"purposes": {"a": {"needs_consent": True, "basis": "contract"}}},
        {"purposes": {"a": {"basis": "consent"}}},
        {"purposes": {"a": {"text_version": "3"}}},
        {"vault": {"key_env": "A", "key_file": "b"}},
    ],
)
def test_what_contradicts_itself_or_is_misspelt_is_refused(privacy: dict[str, object]):
    with pytest.raises(ValidationError):
        PrivacySettings.model_validate(privacy)


def test_a_purpose_needs_the_consents_of_those_that_come_with_it():
    settings = PrivacySettings.model_validate(
        {
            "purposes": {
                "support": {"needs_consent": True, "also": ["abroad", "books"]},
                "abroad": {"needs_consent": True},
                "books": {"basis": "legal_obligation"},
            }
        }
    )

    assert settings.needs("support") == ("support", "abroad")
    assert settings.needs("books") == ()


def test_a_teams_purpose_must_be_configured():
    settings = PrivacySettings.model_validate({"purposes": {"support": {}}})

    check_purposes({"desk": Team("support"), "other": Team(None)}, settings)
    with pytest.raises(ConfigurationError) as refused:
        check_purposes({"desk": Team("suport")}, settings)
    assert refused.value.hint == "Did you mean support?"


def test_tokens_need_a_key():
    check_vault(PrivacySettings.model_validate({"vault": {"key_env": "KEY"}}), wanted_by="policies.input")
    with pytest.raises(MissingSetting):
        check_vault(PrivacySettings(), wanted_by="policies.input")
