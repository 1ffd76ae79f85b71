"""A policy that can't be read stops the start, and the error names the line and the likely word."""

from pathlib import Path

import pytest

from proctor.app import load_policy, load_settings
from proctor.core import ConfigurationError, ProctorError

RULE = '[[policies.rules]]\nid = "a"\nstages = ["input"]\nfinds = ["email"]\noutcome = "redact"\n'


def load(tmp_path: Path, main: str, own: str | None = None) -> ProctorError | None:
    (tmp_path / "proctor.toml").write_text(main)
    if own is not None:
        (tmp_path / "policy.toml").write_text(own)
    try:
        load_settings(tmp_path / "proctor.toml", {})
    except ProctorError as error:
        return error
    return None


@pytest.mark.parametrize(
    ("main", "line", "meant"),
    [
        ('[policies]\nversion = "1"\n[policies.input]\npayment_crad = "deny"\n', 4, "payment_card"),
        ('[policies.input]\n\npayment_card = "redcat"\n', 3, "redact"),
        ('[policies.inputs]\nemail = "allow"\n', 1, "policies.input"),
        (
            f'{RULE}\n[[policies.rules]]\nid = "b"\nstages = ["imput"]\nwords = ["yy"]\noutcome = "deny"\n',
            9,
            "input",
        ),
        (RULE.replace("outcome", "outcom"), 5, "outcome"),
        (f'{RULE}team = ["x"]\n', 6, "teams"),
        (RULE.replace('"email"', '"e-mail"'), 4, "email"),
        (RULE.replace('"redact"', '"deney"'), 5, "deny"),
    ],
)
def test_what_is_misspelt_is_named_with_its_line_and_the_likely_word(
    main: str, line: int, meant: str, tmp_path: Path
) -> None:
    error = load(tmp_path, main)
    assert error is not None
    assert f"line {line}:" in error.message
    assert meant in error.hint


@pytest.mark.parametrize(
    ("main", "says"),
    [
        (RULE.replace('["input"]', "[]"), "at least 1"),
        (RULE.replace('finds = ["email"]\n', ""), "what it `finds`, or `words`"),
        (RULE.replace("finds", 'words = ["xy"]\nfinds'), "what it `finds`, or `words`"),
        (RULE + RULE, "two rules are called 'a'"),
        (RULE.replace('finds = ["email"]', 'words = ["* *"]'), "names no word"),
        ("policies = 3\n", "dictionary"),
        ('[policies.input]\nmax_characters = "many"\n', "integer"),
        (f"{RULE}at_least = 2\n", "less than or equal to 1"),
    ],
)
def test_a_rule_that_could_mean_nothing_or_two_things_is_an_error(
    main: str, says: str, tmp_path: Path
) -> None:
    error = load(tmp_path, main)
    assert isinstance(error, ConfigurationError)
    assert says in error.message


def test_a_policy_in_a_file_of_its_own_names_its_own_lines(tmp_path: Path) -> None:
    main = '[policies]\nfile = "policy.toml"\n'
    error = load(tmp_path, main, 'version = "2"\n[input]\nemail = "alow"\n')
    assert error is not None
    assert error.message.startswith(f"{tmp_path / 'policy.toml'}, line 3:")
    assert "allow" in error.hint
    assert load(tmp_path, main, 'version = "2"\n[input]\nemail = "allow"\n') is None
    assert load_settings(tmp_path / "proctor.toml", {}).settings.policies.input.email == "allow"
    assert load_policy(tmp_path / "policy.toml").version == "2"


@pytest.mark.parametrize("own", [None, "[input\n"])
def test_a_policy_file_that_cannot_be_read_stops_the_start(own: str | None, tmp_path: Path) -> None:
    assert isinstance(load(tmp_path, '[policies]\nfile = "policy.toml"\n', own), ConfigurationError)


def test_a_policy_file_says_all_or_nothing(tmp_path: Path) -> None:
    error = load(tmp_path, '[policies]\nfile = "policy.toml"\nversion = "3"\n', "")
    assert error is not None
    assert "version" in error.message


def test_a_key_in_a_text_of_several_lines_is_not_taken_for_one(tmp_path: Path) -> None:
    main = '[policies]\nversion = """\nemial = 1\n"""\n[policies.input]\nemial = "deny"\n'
    error = load(tmp_path, main)
    assert error is not None
    assert "line 6:" in error.message


@pytest.mark.parametrize("name", ["policy.toml", '"policy.toml"'])
def test_a_variable_names_the_policy_file_and_others_stand_over_it(name: str, tmp_path: Path) -> None:
    (tmp_path / "proctor.toml").write_text("")
    (tmp_path / "policy.toml").write_text('version = "2"\n[input]\nemail = "deny"\nphone = "deny"\n')
    environ = {"PROCTOR_POLICIES__FILE": name, "PROCTOR_POLICIES__INPUT__PHONE": "allow"}
    policies = load_settings(tmp_path / "proctor.toml", environ).settings.policies
    assert (policies.version, policies.input.email, policies.input.phone) == ("2", "deny", "allow")


@pytest.mark.parametrize("name", ["PROCTOR_POLICIES", "PROCTOR_POLICIES__file"])
def test_a_policy_file_that_would_not_be_read_is_an_error(name: str, tmp_path: Path) -> None:
    (tmp_path / "proctor.toml").write_text("")
    (tmp_path / "policy.toml").write_text("")
    text = '{ file = "policy.toml" }' if name == "PROCTOR_POLICIES" else "policy.toml"
    with pytest.raises(ConfigurationError):
        load_settings(tmp_path / "proctor.toml", {name: text})


def test_a_policy_file_that_names_a_further_one_is_an_error(tmp_path: Path) -> None:
    error = load(tmp_path, '[policies]\nfile = "policy.toml"\n', 'file = "b"\n')
    assert isinstance(error, ConfigurationError)


@pytest.mark.parametrize(
    ("main", "says"),
    [
        (RULE.replace('"redact"', '"disclose"'), "'disclose' does nothing to 'email'"),
        (RULE.replace('"email"', '"injection"'), "'redact' does nothing to 'injection'"),
        (
            '[[policies.rules]]\nid = "secret"\nstages = ["input"]\nwords = ["xy"]\noutcome = "allow"\n',
            "'secret' is what a check finds",
        ),
        (RULE.replace('finds = ["email"]', 'words = ["*card"]'), "stands at its end"),
        ('[policies.tool_result]\nmedical_advice = "deny"\n', "nothing looks for medical_advice"),
        ('[policies.input]\nmedical_advice = "disclose"\n', "nothing is disclosed at input"),
        ('[policies.input]\nunsupported_claim = "deny"\n', "nothing looks for unsupported_claim at input"),
        ('[policies.input]\nperson = "redact"\n', "nothing looks for person"),
        (
            '[[policies.rules]]\nid = "a"\nstages = ["memory"]\nfinds = ["dark_pattern"]\noutcome = "deny"\n',
            "nothing looks for dark_pattern at memory",
        ),
    ],
)
def test_what_would_pass_without_a_word_is_an_error(main: str, says: str, tmp_path: Path) -> None:
    error = load(tmp_path, main)
    assert isinstance(error, ConfigurationError)
    assert says in error.message
