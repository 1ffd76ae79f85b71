# ruff: noqa: RUF001 - look-alike characters are what is tested

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conftest import seconds_of
from proctor.core import ALLOW, InvalidInput, PolicySettings, Span, Verdict
from proctor.policies import Policy, read_text

SETTINGS = PolicySettings.model_validate(
    {"input": {"injection": "allow", "phone": "allow", "email": "allow"}}
)
DENY_ALL = PolicySettings.model_validate(
    {
        "input": {"injection": "allow", "legal_advice": "allow"}
        | dict.fromkeys(("payment_card", "secret", "password", "national_id"), "deny")
    }
)
CARD = "4111 1111 1111 1111"
AWS_KEY = "AKIA" + "Z7VRSQ5TJN2XMLKP"


def screen(text: str, settings: PolicySettings) -> Verdict:
    return Policy(settings).read(text, "input")


def found(text: str) -> list[tuple[str, str]]:
    return [(span.type, text[span.start : span.end]) for span in screen(text, SETTINGS).spans]


@pytest.mark.parametrize(
    "text",
    [
        "my card was declined, what now?",
        "how do I reset my password?",
        "My password is not working",
        "my password is incorrect.",
        "the password is case-sensitive",
        "is my password strong enough?",
        "Password: how often must it change?",
        "Please change my PIN to something else",
        "do you store API keys?",
        "the api_key = os.environ['API_KEY'] line fails",
        "set password=<your-password> in the file",
        "docker run -u 1000:1000 image",
        "postgresql://app:${DB_PASSWORD}@db/shop",
        "我的银行卡被拒了怎么办",
        "怎么重置密码？",
        "密码错误3次以后账户会锁定吗？",
        "密码必须是8位以上的数字和字母",
        "你们保存 API key 吗？",
        "密钥是什么意思？",
        "",
    ],
)
def test_talk_about_cards_and_secrets_passes(text: str) -> None:
    assert screen(text, DENY_ALL) == ALLOW


@pytest.mark.parametrize(
    "text",
    [
        "order 4111111111111111 hasn't arrived",
        "tracking number: 4111111111111111",
        "订单号4111111111111111还没到",
        "4111 1111 1111 1112",  # Luhn's digit is wrong
        "1234-4111-1111-1111-1111-5678",
        "41111111111111111111111",
        "0.4111111111111111",
        '{"refund": 35.86999999999989, "balance": -42.87999999999997}',
        "0000 0000 0000 0000",
        "2024-01-15 10:30:45.123456",
        "550e8400-e29b-41d4-a716-446655440000",
        "000-12-3456, 666-12-3456 and 900-12-3456",
        "part 123 45 6789",
        "110101199001011238",  # its check digit is wrong
        "110101199013011237",  # month 13
    ],
)
def test_numbers_that_only_look_alike_pass(text: str) -> None:
    assert screen(text, DENY_ALL) == ALLOW


@pytest.mark.parametrize(
    "number",
    [
        CARD,
        "4111111111111111",
        "4111-1111-1111-1111",
        "4111.1111.1111.1111",
        "4111\u00a01111\u00a01111\u00a01111",
        "4111 - 1111 - 1111 - 1111",
        "４１１１１１１１１１１１１１１１",
        "４１１１　１１１１　１１１１　１１１１",
        "4111\u200b1111\u200b1111\u200b1111",
        "4111\u20111111\u20111111\u20111111",
        "4l1I 1111 111l 1111",
        "٤١١١١١١١١١١١١١١١",
        "4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1",
        "3782 822463 10005",
        "5555555555554444",
        "6200 0000 0000 0000 000",
    ],
)
def test_a_card_number_is_found_however_it_is_written(number: str) -> None:
    assert found(f"charge {number}, please") == [("payment_card", number)]
    assert found(f"请从卡号{number}扣款") == [("payment_card", number)]


def test_a_card_number_is_found_beside_its_expiry_date() -> None:
    assert found(f"{CARD} 12 26 123") == [("payment_card", CARD)]


def test_a_card_number_is_found_when_hidden_in_tag_characters() -> None:
    hidden = "".join(chr(0xE0000 + ord(character)) for character in "4111111111111111")
    assert found(f"hello{hidden} world") == [("payment_card", hidden)]


@pytest.mark.parametrize(
    "token",
    [
        AWS_KEY,
        "ghp_" + "16C7e42F292c6912E7710c838347Ae178B4a",
        "sk-ant-api03-" + "Xk3_9vLq" * 11 + "AA",
        "sk-proj-" + "Ab3dEf6hIj" * 5,
        "sk_live_" + "4eC39HqLyjWDarjtT1zdp7dc",
        "xoxb-" + "781236542736-2364535789652-GkwFDQoHqzXDVsC6GzqYUypD",
        "AIza" + "SyA1b2C3d4E5f6G7h8I9j0K1l2M3n4O5p6Q",
        "eyJhbGciOiJIUzI1NiJ9abc.eyJzdWIiOiIxMjM0NTY3ODkwIn0.SflKxwRJSMeKKF2QT4fwpM",
        "-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA7\nab-cd+/\n-----END RSA PRIVATE KEY-----",
    ],
)
def test_a_token_of_a_published_format_is_found_without_context(token: str) -> None:
    assert found(f"it says {token} here") == [("secret", token)]
    assert found(f"这是{token}。") == [("secret", token)]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("api_key = 'q9X2mZ7wL4kT8vB1'", "q9X2mZ7wL4kT8vB1"),
        ("my API key is q9X2mZ7wL4kT8vB1", "q9X2mZ7wL4kT8vB1"),
        ('"client_secret": "6da89121079f83b2eb6acccf8219ea98"', "6da89121079f83b2eb6acccf8219ea98"),
        ("Authorization: Bearer q9X2mZ7wL4kT8vB1", "q9X2mZ7wL4kT8vB1"),
        ("postgresql://app:s3cr3t!pw@db.example/shop", "s3cr3t!pw"),
        ("curl -u elastic:P4ssw0rd https://localhost", "P4ssw0rd"),
        ("api_key是q9X2mZ7wL4kT8vB1", "q9X2mZ7wL4kT8vB1"),
        ("API密钥：q9X2mZ7wL4kT8vB1", "q9X2mZ7wL4kT8vB1"),
    ],
)
def test_a_random_value_under_a_telling_name_is_a_secret(text: str, value: str) -> None:
    assert found(text) == [("secret", value)]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("my password is hunter2", "hunter2"),
        ("My password is swordfish.", "swordfish"),
        ("the password for my account is 'blue horse 7'", "blue horse 7"),
        ("pwd: Tr0ub4dor", "Tr0ub4dor"),
        ("password=hunter2", "hunter2"),
        ('DB_PASSWORD := "correct horse"', "correct horse"),
        ("my pin is 4821", "4821"),
        ("password for li@mail.example is Sunny-Day-88", "Sunny-Day-88"),
        ("密码改成了Abc12345", "Abc12345"),
        ("我的密码是abc12345", "abc12345"),
        ("登录密码：Qwe!2345，谢谢", "Qwe!2345"),
        ("账号 li，密码Qwe!2345", "Qwe!2345"),
    ],
)
def test_a_password_that_is_given_away_is_found(text: str, value: str) -> None:
    assert found(text) == [("password", value)]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("my SSN is 536-22-1234", "536-22-1234"),
        ("ssn 536221234", "536221234"),
        ("身份证110101199003070097", "110101199003070097"),
        ("身份证110101 19900307 0097", "110101 19900307 0097"),
        ("身份证110101199003070096", "110101199003070096"),
        ("身份证990101199003070097", None),
    ],
)
def test_a_national_id_must_keep_its_rules(text: str, value: str | None) -> None:
    expected = [("national_id", value)] if value else []
    assert found(text) == expected


def test_a_redacted_text_names_what_was_taken_out() -> None:
    text = f"Card {CARD}, my password is hunter2."
    assert screen(text, SETTINGS) == Verdict(
        outcome="redact",
        rules=("input.payment_card", "input.password"),
        spans=(
            Span(start=5, end=24, type="payment_card", confidence=0.97),
            Span(start=41, end=48, type="password", confidence=0.8),
        ),
        text="Card [payment card], my password is [password].",
        reason="Go on without the payment card and the password: it was taken out of the text.",
    )


def test_deny_beats_redact_and_the_reason_never_repeats_the_value() -> None:
    verdict = screen(f"Card {CARD}, key {AWS_KEY}", SETTINGS)
    assert (verdict.outcome, verdict.rules) == ("deny", ("input.secret", "input.payment_card"))
    assert verdict.text is None
    assert verdict.reason == "Remove the secret from the text and send it again."


def test_a_class_that_is_allowed_is_not_reported() -> None:
    settings = PolicySettings.model_validate({"input": {"payment_card": "allow", "secret": "redact"}})
    assert screen(f"Card {CARD}", settings) == ALLOW
    assert screen(f"Card {CARD}, key {AWS_KEY}", settings).text == f"Card {CARD}, key [secret]"


@pytest.mark.parametrize("text", ["a" * 11, "\ud800", "a\x00b"], ids=["too long", "lone surrogate", "NUL"])
def test_a_text_that_cannot_be_taken_is_invalid_input(text: str) -> None:
    with pytest.raises(InvalidInput):
        screen(text, PolicySettings.model_validate({"input": {"max_characters": 10}}))


def test_the_limit_is_named() -> None:
    with pytest.raises(InvalidInput, match="10 are allowed"):
        screen("a" * 11, PolicySettings.model_validate({"input": {"max_characters": 10}}))


def test_bytes_are_read_as_utf_8_and_nothing_else() -> None:
    assert read_text("\ufeff你好".encode()) == "你好"
    for data in (b"\xff", b"\xed\xa0\x80", "é".encode("latin-1"), "你".encode()[:2]):
        with pytest.raises(InvalidInput):
            read_text(data)


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=60))
def test_spans_point_into_the_original_whatever_surrounds_a_card(noise: str) -> None:
    text = f"{noise} | {CARD} | {noise}"
    spans = screen(text, SETTINGS).spans
    assert any(text[span.start : span.end].strip().endswith(CARD) for span in spans)


HOSTILE = [
    "1 ", "4111 ", "4111 1111 1111 1111 ", "1-", "token=", "password is ", "password for a ", "密码", "eyJ-",
    "-----BEGIN PRIVATE KEY-----", "://a:", "sk-", "\ufdfa", "⑽", "\U000e0041", "123-45-", "o", "a", '"',
]  # fmt: skip


@pytest.mark.parametrize("piece", HOSTILE)
def test_hostile_text_is_screened_in_linear_time(piece: str) -> None:
    text = piece * (200_000 // len(piece))
    assert seconds_of(lambda: screen(text, SETTINGS)) < 2, "ten times what it takes"
