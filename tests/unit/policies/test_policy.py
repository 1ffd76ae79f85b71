"""Which rule speaks, and what the verdict is in the end."""

import pytest

from proctor.core import MissingSetting, PolicySettings, Stage
from proctor.policies import Policy, lint

CARD = "4111 1111 1111 1111"


def rule(**told: object) -> dict[str, object]:
    return {"id": "mine", "stages": ["input"], "outcome": "deny", **told}


def policy(*rules: dict[str, object], **stages: object) -> Policy:
    return Policy(PolicySettings.model_validate({"rules": rules, **stages}))


def test_the_first_rule_that_matches_speaks_and_the_stage_after_all_rules() -> None:
    rules = policy(
        rule(id="sure", finds=["payment_card"], at_least=1.0, outcome="escalate"),
        rule(id="any", finds=["payment_card"], outcome="deny"),
    )
    [ruled] = rules.explain(f"My card {CARD}", "input")
    assert ruled.rule in ("sure", "any")
    assert (ruled.rule == "sure") == (ruled.finding.confidence >= 1.0)
    assert policy().read(f"My card {CARD}", "input").rules == ("input.payment_card",)


def test_what_a_person_is_to_see_in_a_tools_answer_counts_against_it() -> None:
    text = f"Paid with {CARD}."
    assert policy().judge_orders(text, "tool_result").outcome == "allow", "it is only taken out"
    asking = policy(tool_result={"payment_card": "escalate"})
    assert asking.spans_to_hide(text, "tool_result") == ()
    assert asking.judge_orders(text, "tool_result").asks == ("payment_card",)
    by_rule = policy(rule(stages=["tool_result"], finds=["payment_card"], outcome="escalate"))
    assert by_rule.judge_orders(text, "tool_result").outcome == "escalate"


def test_a_rule_for_a_team_holds_for_no_other() -> None:
    rules = policy(rule(finds=["payment_card"], teams=["desk"], outcome="allow"))
    assert rules.read(f"My card {CARD}", "input", team="desk").outcome == "allow"
    assert rules.read(f"My card {CARD}", "input", team="other").outcome == "redact"
    assert rules.read(f"My card {CARD}", "input").outcome == "redact"


def test_a_rule_for_a_stage_holds_at_no_other() -> None:
    rules = policy(rule(finds=["payment_card"], outcome="deny"))
    assert rules.read(f"My card {CARD}", "input").outcome == "deny"
    assert rules.read(f"My card {CARD}", "output").outcome == "redact"


def test_where_several_rules_speak_the_strictest_decides_and_all_are_named() -> None:
    rules = policy(rule(id="rival", words=["Acme"], outcome="escalate", reason="Ask sales."))
    verdict = rules.read(f"Acme took {CARD}", "input")
    assert (verdict.outcome, verdict.rules) == ("escalate", ("rival", "input.payment_card"))
    assert (verdict.text, verdict.asks, verdict.reason) == (
        "Acme took [payment card]",
        ("rival",),
        "Ask sales.",
    )


@pytest.mark.parametrize(
    ("word", "text"),
    [
        ("Project Falcon", "about project  FALCON here"),
        ("falcon*", "the falconry"),
        ("猎鹰", "关于猎鹰计划"),
        ("falcon", "f\u200balcon"),
        ("falcon", "\uff46\uff41\uff4c\uff43\uff4f\uff4e"),
    ],
)
def test_words_are_found_whatever_their_dress(word: str, text: str) -> None:
    assert policy(rule(words=[word])).read(text, "input").outcome == "deny"


@pytest.mark.parametrize("text", ["falconry", "a gyrfalcon", "fal con"])
def test_a_word_is_not_found_within_others(text: str) -> None:
    assert policy(rule(words=["falcon"])).read(text, "input").outcome == "allow"


def test_words_that_are_taken_out_leave_the_rest() -> None:
    verdict = policy(rule(words=["Falcon"], outcome="redact")).read("Is Falcon late?", "input")
    assert (verdict.outcome, verdict.text) == ("redact", "Is [words] late?")
    assert [(span.type, span.start, span.end) for span in verdict.spans] == [("words", 3, 9)]


def test_tokens_stand_for_what_may_be_had_back() -> None:
    settings = PolicySettings.model_validate({"input": {"payment_card": "tokenise"}})
    hidden: list[str] = []

    def hide(kind: str, value: str) -> str:
        hidden.append(value)
        return f"[{kind}:1]"

    assert Policy(settings).read(f"Card {CARD}", "input", hide=hide).text == "Card [payment_card:1]"
    assert hidden == [CARD]
    assert Policy(settings).read(f"Card {CARD}", "input").text == "Card [payment card]"


def test_the_version_changes_with_every_setting_and_with_nothing_else() -> None:
    versions = {
        policy().version,
        policy().version,
        policy(rule(words=["Falcon"])).version,
        policy(input={"email": "deny"}).version,
    }
    assert len(versions) == 3


@pytest.mark.parametrize("stage", ["input", "tool_result", "knowledge", "output", "memory"])
def test_every_stage_has_a_default_for_all_that_is_found(stage: Stage) -> None:
    assert policy().read("", stage).outcome == "allow"


def test_lint_names_rules_that_never_speak_or_change_nothing() -> None:
    settings = PolicySettings.model_validate(
        {
            "rules": [
                rule(id="all", finds=["email", "phone"], outcome="allow"),
                rule(id="late", finds=["email"], teams=["desk"]),
                rule(id="idle", finds=["iban"], outcome="redact"),
                rule(id="stranger", words=["x1"], teams=["dsek"]),
                rule(id="hidden", finds=["iban"], teams=["desk"], outcome="deny"),
            ]
        }
    )
    remarks = {remark.rule: remark.says for remark in lint(settings, teams=["desk"])}
    assert remarks.keys() == {"late", "stranger", "hidden"}
    assert "all comes before it" in remarks["late"]
    settings = PolicySettings.model_validate({"rules": [rule(id="idle", finds=["iban"], outcome="redact")]})
    assert [remark.rule for remark in lint(settings, teams=[])] == ["idle"]


def test_names_that_nothing_can_find_stop_the_start() -> None:
    with pytest.raises(MissingSetting, match=r"no_such_model|presidio_analyzer"):
        Policy(PolicySettings.model_validate({"names": {"en": "no_such_model"}}))


@pytest.mark.parametrize(
    ("word", "text"),
    [
        ("\uff21\uff23\uff2d\uff25", "Buy at acme today"),
        ("don\u2019t pay", "I don't pay"),
        ("don't pay", "I don\u2019t pay"),
        ("\u4e70\uff0c\u5356", "\u5148\u4e70\uff0c\u5356"),
        ("\u0421\u043f\u0430\u043c*", "\u042d\u0442\u043e \u0441\u043f\u0430\u043c\u0430 \u0442\u0443\u0442"),
        ("caf\u00e9", "the caf\u00e9 is"),
    ],
)
def test_a_word_of_the_operators_is_found_however_they_type_it(word: str, text: str) -> None:
    assert policy(rule(words=[word])).read(text, "input").outcome == "deny"
