"""What the commands about money read, and how they show amounts."""

import io
from decimal import Decimal

import pytest
from rich.console import Console

from proctor.cli._budget import read_rule
from proctor.cli._costs import read_dimensions
from proctor.cli._figures import Column, amount_kept, amounts, count, print_figures
from proctor.cli._options import WrongCall
from proctor.cli._output import print_csv
from proctor.cli._roi import read_share, read_usd
from proctor.core import BudgetRule, InvalidInput


def test_dimensions_are_one_or_two():
    assert read_dimensions("model") == ("model",)
    assert read_dimensions("day, team") == ("day", "team")


@pytest.mark.parametrize("text", ["", "weather", "day,team,user", "day,day", "day,"])
def test_what_is_no_dimension_is_refused(text):
    with pytest.raises(WrongCall):
        read_dimensions(text)


@pytest.mark.parametrize(
    ("text", "micros"), [("5", 5_000_000), ("0.50", 500_000), ("$1", 1_000_000), ("0", 0)]
)
def test_an_amount_is_read_in_dollars(text, micros):
    assert read_usd(text) == micros


@pytest.mark.parametrize("text", ["", "-1", "NaN", "Infinity", "1e99", "five", "1,5"])
def test_what_is_no_amount_is_refused(text):
    with pytest.raises(InvalidInput):
        read_usd(text)


@pytest.mark.parametrize(("text", "share"), [("0", "0"), ("0.2", "0.2"), ("20%", "0.2"), ("99.9%", "0.999")])
def test_a_share_is_read_as_a_part_or_in_percent(text, share):
    assert read_share(text) == Decimal(share)


@pytest.mark.parametrize("text", ["", "%", "1", "100%", "-0.1", "NaN", "20"])
def test_what_is_no_share_below_the_whole_is_refused(text):
    with pytest.raises(InvalidInput):
        read_share(text)


def test_a_budget_changes_in_what_is_said_alone():
    known = BudgetRule(usd="5", scope="team", of="support", timezone="Asia/Taipei")
    changed = read_rule(known, {"usd": "7", "outcome": "ask", "scope": None}, roles=())
    assert changed == BudgetRule(usd="7", scope="team", of="support", timezone="Asia/Taipei", outcome="ask")


def test_a_budget_of_runs_is_told_by_one_word():
    assert read_rule(None, {"usd": "1", "scope": "run"}, roles=()).period == "run"
    assert read_rule(None, {"usd": "1", "period": "run"}, roles=()).scope == "run"


@pytest.mark.parametrize(
    "given",
    [
        {"scope": "team"},
        {"usd": "-1"},
        {"usd": "five"},
        {"usd": "1e30"},
        {"usd": "1", "step_usd": "1e13"},
        {"usd": "1", "at": 2.0},
        {"usd": "1", "timezone": "Mars/Base"},
        {"usd": "1", "of": "support"},
        {"usd": "1", "scope": "run", "period": "day"},
        {"usd": "1", "outcome": "ask", "roles": ("nobody",)},
    ],
)
def test_what_makes_no_budget_is_refused(given):
    with pytest.raises(WrongCall):
        read_rule(None, given, roles=("manager",))


@pytest.mark.parametrize(
    ("micros", "of", "text"),
    [
        (0, 0, "$0.00"),
        (93_914, 93_914, "$0.093914"),
        (93_914, 1_000_000, "$0.0939"),
        (99, 1_000_000, "<$0.0001"),
        (93_914, 10_000_000, "$0.09"),
        (1_234_567_890, 1_234_567_890, "$1,234.57"),
    ],
)
def test_amounts_have_the_places_that_the_largest_calls_for(micros, of, text):
    assert amounts([micros], of=of) == [text]


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, ""),
        (9_999, "9,999"),
        (12_345, "12.3k"),
        (195_000, "195k"),
        (999_600, "1.00M"),
        (2 * 10**12, "2,000G"),
        (1_700_000, "1.70M"),
    ],
)
def test_a_count_is_short(number, text):
    assert count(number) == text


@pytest.mark.parametrize(
    ("size", "text"), [(0, "0.0 KB"), (3_849, "3.8 KB"), (21 * 10**6, "21.0 MB"), (13_400 * 10**6, "13.4 GB")]
)
def test_a_size_is_short(size, text):
    assert amount_kept(size) == text


def test_a_narrow_key_leaves_room_to_the_others_and_empty_figures_are_left_out():
    out = Console(width=40, file=io.StringIO())
    columns = Column(name="cost", cells=["$1", "$2"]), Column(name="saved", cells=["", ""])
    with out.capture() as printed:
        print_figures(out, ("day", "user"), [("1st", "ann@example.org"), ("2nd", "b" * 40)], columns)
    assert printed.get().splitlines() == [
        "day   user                          cost",
        "────────────────────────────────────────",
        "1st   ann@example.org                 $1",
        "2nd   bbbbbbbbbbbbbbbbbbbbbbbbbb…     $2",
    ]


def test_cells_that_a_spreadsheet_would_execute_are_texts(capsys: pytest.CaptureFixture[str]):
    print_csv(
        ("a", "b"), [("=1+1", -1), ("@x", Decimal("-0.5")), ("\tx", None), ("+1", 2), ("-1", 3), ("a=b", 4)]
    )
    assert capsys.readouterr().out == "a,b\n'=1+1,-1\n'@x,-0.5\n'\tx,\n'+1,2\n'-1,3\na=b,4\n"
