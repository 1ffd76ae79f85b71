# ruff: noqa: RUF001, E501 - Chinese has its own punctuation; samples stay whole
import random
import zlib
from functools import partial
from itertools import pairwise

import pytest

from conftest import seconds_of
from proctor.core import ConfigurationError
from proctor.policies import Reading
from proctor.policies._reading import Finding
from proctor.policies.secrets import secrets
from proctor.policies.secrets._rules import read_rules, secret_rules

ALNUM = "q9X2mZ7wL4kT8vB1"


def github(body: str) -> str:
    digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
    number, check = zlib.crc32(body.encode()), ""
    while number:
        number, digit = divmod(number, 62)
        check = digits[digit] + check
    return "gh" + "p_" + body + check.rjust(6, "0")


def found(text: str) -> list[tuple[str, str]]:
    return [(each.detail, text[each.start : each.end]) for each in secrets(Reading(text))]


def test_each_rule_compiles_and_names_itself_once() -> None:
    rules = secret_rules()
    assert len(rules) > 150
    assert len({rule.id for rule in rules}) == len(rules)
    assert all(rule.compiled.pattern for rule in rules)


@pytest.mark.parametrize(
    "text",
    [
        "[a]\npattern = 'x'\nkeyword = ['x']",
        "[a]\nkeywords = ['x']",
        "[a]\npattern = 'x'\nentropy = '3'",
        "[a]\npattern = 'x'\nentropy = 9.0",
        "[a]\npattern = 'x'\nproof = 'crc'",
        "[a]\npattern = 'x'\nproof_needed = true",
        "[a]\npattern = 'x'\nkeywords = []",
        "[a]\npattern = 'x'\nkeywords = [1]",
        "[a]\npattern = 'x'\nnear = ['Telegram']",
        "['A b']\npattern = 'x'",
        "a = 1",
        "[a]\n[a]",
        "[a",
    ],
)
def test_a_mistake_in_the_rules_is_an_error_and_never_a_rule_that_is_left_out(text: str) -> None:
    with pytest.raises(ConfigurationError):
        read_rules(text)


def test_a_finding_says_which_rule_spoke() -> None:
    token = github("q9X2mZ7wL4kT8vB1q9X2mZ7wL4kT8v")
    assert found(f"it is {token}.") == [("secret.github-token", token)]


def test_a_token_whose_checksum_fits_is_surer_than_one_whose_does_not() -> None:
    right = github("q9X2mZ7wL4kT8vB1q9X2mZ7wL4kT8v")
    wrong = right[:-1] + ("a" if right[-1] != "a" else "b")
    sure, unsure = (next(iter(secrets(Reading(token)))).confidence for token in (right, wrong))
    assert (sure, unsure) == (1.0, 0.7)


def test_a_published_sample_is_found_with_little_confidence() -> None:
    (finding,) = secrets(Reading("AKIA" + "IOSFODNN7" + "EXAMPLE"))
    assert finding.confidence < 0.5


def test_a_base64_header_counts_only_where_it_holds_a_name_and_a_password() -> None:
    assert found("Authorization: Basic bGk6aHVudGVyMg==") == [("secret.basic-header", "bGk6aHVudGVyMg==")]
    assert found("Authorization: Basic bm90aGluZyBoZXJl") == []


def test_a_certificate_in_base64_is_no_key() -> None:
    assert (
        found("cert: LS0tLS1CRUdJTi" + "BDRVJUSUZJQ0FURS0tLS0tCk1JSURkekNDQWwrZ0F3SUJBZ0lFQWdBQXVUQU5CZ2" * 2)
        == []
    )


def test_a_value_that_two_rules_find_is_told_once() -> None:
    token = "sk" + "-proj-" + ALNUM * 5
    assert [text for _, text in found(f"OPENAI_API_KEY={token}")] == [token]


def test_secrets_are_found_in_what_is_disguised_and_pointed_at_in_the_original() -> None:
    hidden = "AK\u200bIA" + "Z7VRSQ5TJN2XMLKP"
    assert found(f"key {hidden} end") == [("secret.aws-access-key", hidden)]
    assert found("密码：ｈｕｎｔｅｒ２２ 谢谢") == [("password.spoken", "ｈｕｎｔｅｒ２２")]


def test_secrets_of_a_tool_output_are_spans_in_order() -> None:
    text = f"password=hunter2&api_key={ALNUM}"
    assert [(each.start, each.end, each.kind) for each in secrets(Reading(text, "tool_result"))] == [
        (9, 16, "password"),
        (25, 41, "secret"),
    ]


@pytest.mark.parametrize(
    "text",
    [
        f"const apiKey: string = '{ALNUM}'",
        f'client_secret => "{ALNUM}"',
        f'{{\n  name: "API_TOKEN",\n  value: "{ALNUM}"\n}}',
        f"System.setProperty('api.token', '{ALNUM}')",
        f"if (apiKey == '{ALNUM}') {{",
        f"if ('{ALNUM}' == apiKey) {{",
        f"<apiToken>{ALNUM}</apiToken>",
        f"curl -H 'Authorization: Bearer {ALNUM}'",
        f"tool --api-key {ALNUM}",
        f"the API key for the shop is {ALNUM}, thanks",
        f"密钥：{ALNUM}",
        f"https://host/?a=1&access_token={ALNUM}&b=2",
        f"https://{ALNUM}{ALNUM}@host/x.git",
    ],
)
def test_a_random_value_is_a_secret_however_it_is_written_down(text: str) -> None:
    assert [value[:16] for _, value in found(text)] == [ALNUM]


ORDINARY = "the order 10234 was shipped on 2026-03-02 and will be here soon. "
LOG = "2026-03-02T10:11:12Z INFO [worker-3] request_id=7f3a9c1e2b4d5f60 GET /v1/orders/17 status=200 cache_key=orders:17 tokens=120\n"


def test_long_outputs_of_tools_cost_little() -> None:
    for line in (ORDINARY, LOG):
        text = line * (100_000 // len(line))
        assert found(text) == []
        assert seconds_of(partial(found, text)) < 0.3, "ten times what it takes"


HOSTILE = [
    "a", "1 ", "@", "=:", "-", '"', "(", "|", "password ", "password=", "password is ", "password for a ", "pass(",
    "pass>", "pw ", "密码", "密码是", "密钥", "key ", "token=", 'token="', "token='a", "secret is ", "secret {\n", "eyJ-",
    "eyJ.", "eyJaaaaaaaaaaaaaaaaaa.", "ops_eyJ", "-----BEGIN PRIVATE KEY-----", "PuTTY-User-Key-File-2: a\n",
    "PuTTY-User-Key-File-2: a\nPrivate-", "://a:b@", "sk-", "-u a:", "mysql -p", "login:", "user/pass a/", "sv=1&sig=",
    "M" * 26 + ".", "x" * 31 + " ", "\u0130",
]  # fmt: skip


@pytest.mark.parametrize(
    "value", ["/" + "aB1" * 60 + "%", "a." * 150 + "%", "aB" * 150 + "%", "a-" * 150 + "@", "a@" * 150]
)
def test_a_long_value_that_is_nearly_a_path_or_an_address_is_judged_at_once(value: str) -> None:
    def judge() -> None:
        for name in ("password", "api_key", "token is"):
            found(f"{name}={value}")
            found(f'{name}="{value}"')

    assert seconds_of(judge) < 0.5, "a hundred times what it takes"


@pytest.mark.parametrize("seed", range(4))
def test_random_hostile_text_is_read_in_time_and_gives_sound_spans(seed: int) -> None:
    rng = random.Random(seed)
    pieces = [
        *HOSTILE,
        *"/\\_.&#$%{}[]<>~!",
        "key",
        "Aa",
        *(each for rule in secret_rules() for each in rule.keywords),
    ]
    for _ in range(50):
        text = "".join(rng.choice(pieces) * rng.choice((1, 1, 5, 40)) for _ in range(120))[:4000]
        reading = Reading(text, "tool_result")
        assert reading.views
        spans: list[Finding] = []
        assert seconds_of(lambda: spans.extend(secrets(reading))) < 1, "a hundred times what it takes"  # noqa: B023
        assert all(0 <= span.start < span.end <= len(text) for span in spans)
        assert all(one.end <= two.start for one, two in pairwise(spans))


@pytest.mark.parametrize("piece", HOSTILE)
def test_hostile_text_is_read_in_linear_time(piece: str) -> None:
    text = piece * (100_000 // len(piece))
    assert seconds_of(lambda: found(text)) < 1.5, "ten times what it takes"
