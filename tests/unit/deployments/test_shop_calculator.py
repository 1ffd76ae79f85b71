"""Arithmetic that is exact to the cent and never more than arithmetic."""

import pytest

from proctor.deployments.support.shop import InvalidExpression, Shop, create_tenant


@pytest.fixture
def shop(tmp_path):
    create_tenant(tmp_path, "default", {"products": {}, "users": {}, "orders": {}})
    opened = Shop(tmp_path)
    yield opened
    opened.close()


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("2 + 2", "4.0"),
        ("3131.1 + 4777.75 + 367.38", "8276.23"),
        ("155.33 - 147.05 + 268.77 - 235.13", "41.92"),
        ("2 * ((350 - 122) + (499 - 127))", "1200.0"),
        ("-(1.5) / +3", "-0.5"),
        ("10 / 3", "3.33"),
        (" .5 * 4 ", "2.0"),
    ],
)
def test_sums_come_out_rounded_to_cents(shop, expression, value):
    assert shop.call("calculate", {"expression": expression}) == value


@pytest.mark.parametrize(
    "expression",
    [
        "", "  ", "2 +", "(1", "1)", "()", "2 ** 9", "7 // 2", "1e5", "1_000", "0x1f", "1 / 0", "1 / (2 - 2)",
        "__import__('os')", "a + 1", "1; 2", "1, 2", "(1, 2)", "[1]", "1 if 1 else 2", "2 % 2", "1j", "007",
        "9" * 201, "(" * 100 + "1" + ")" * 99, "1 < 2", "1\n+1",
    ],
)  # fmt: skip
def test_anything_else_is_refused(shop, expression):
    with pytest.raises(InvalidExpression):
        shop.call("calculate", {"expression": expression})


@pytest.mark.parametrize(
    "expression",
    [
        "9" * 200,
        "*".join(["9"] * 100),
        "9" * 99 + "/." + "0" * 98 + "1",
        "-" * 199 + "1",
        "(" * 66 + "1" + ")" * 66,
    ],
)
def test_the_longest_expressions_have_a_value(shop, expression):
    assert float(shop.call("calculate", {"expression": expression}))
