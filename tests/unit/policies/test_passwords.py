# ruff: noqa: RUF001 - Chinese has its own punctuation
import pytest

from proctor.policies import Reading
from proctor.policies.secrets._credentials import secrets


def passwords(text: str) -> list[str]:
    return [text[each.start : each.end] for each in secrets(Reading(text)) if each.kind == "password"]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("use password 'x7Kd' for the box", "x7Kd"),
        ("the admin pw is Tr0ub4dor&3", "Tr0ub4dor&3"),
        ("my password is swordfish.", "swordfish"),
        ("the passphrase for the safe is 'correct horse battery'", "correct horse battery"),
        ("I changed my password to Sunny-Day-88 yesterday", "Sunny-Day-88"),
        ("log in with user demo and password Kestrel!88", "Kestrel!88"),
        ("credentials: admin / Kestrel!88", "Kestrel!88"),
        ("my pin is 4821", "4821"),
        ("DB_PASSWORD=hunter", "hunter"),
        ("password: m{{h}o)p${e]nob#x", "m{{h}o)p${e]nob#x"),
        ('"dbPassword" : "thisismypassword"', "thisismypassword"),
        ("Server=db;User Id=sa;Pwd=myPassword;Encrypt=true", "myPassword"),
        ("密码是 abc12345", "abc12345"),
        ("密码：Qwe!(2345，谢谢", "Qwe!(2345"),
        ("口令: Kestrel!88", "Kestrel!88"),
        ("密码设置为“Kestrel88”可以吗？", "Kestrel88"),
        ("账号：li，密码：9Ps(V*Go&Q1r", "9Ps(V*Go&Q1r"),
    ],
)
def test_a_password_that_is_given_away_is_found_exactly(text: str, value: str) -> None:
    assert passwords(text) == [value]


@pytest.mark.parametrize(
    "text",
    [
        "change my pin to 3892",
        "password = newPassword",
        "password = 'user_password'",
        'label = {"password": "Enter your password"}',
        "password: Optional[str] = None",
        "password => $config['password']",
        "this.addPassword = '#add-password';",
        "pwd = (char *) (p + 2);",
        '"MasterPassword: " + getMasterPassword() + ","',
        "password: &lt;YOURS&gt;",
        "pass this on to 'Ann' please",
        "password manager 'LastOne' is down",
        "密码错误3次以后账户会锁定吗？",
        "密码长度为8到16位",
        "密码和user123这个账号不符",
    ],
)
def test_talk_about_passwords_and_code_without_one_passes(text: str) -> None:
    assert passwords(text) == []
