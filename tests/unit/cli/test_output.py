import io
import tomllib

import pytest
from rich.console import Console

from proctor import Settings
from proctor.cli._output import age, duration, offset, one_line, print_table
from proctor.cli._toml import plain, toml


@pytest.mark.parametrize(
    ("seconds", "spoken", "clock", "rough"),
    [
        (0.004, "0.00 s", "0:00.0", "0 s"),
        (59.94, "59.9 s", "0:59.9", "60 s"),
        (125, "2 min 5 s", "2:05.0", "2 min"),
        (12_005, "3 h 20 min", "3:20:05", "3 h"),
        (352_800, "4 d 2 h", "98:00:00", "4 d"),
    ],
)
def test_durations_are_for_people(seconds: float, spoken: str, clock: str, rough: str):
    assert (duration(seconds), offset(seconds), age(seconds)) == (spoken, clock, rough)


def test_a_long_text_is_cut_on_one_line():
    assert one_line("a\n  b") == "a b"
    assert one_line("x" * 50, 10) == "x" * 10 + "…"


def test_only_the_last_column_of_a_table_gives_way():
    console = Console(file=io.StringIO(), width=40)

    print_table(console, ("run", "task"), [("run_0123456789", "long " * 20)], overflow="ellipsis")

    row = console.file.getvalue().splitlines()[-1]
    assert row.startswith("run_0123456789 ")
    assert row.endswith("…")
    assert len(row) <= 40


def test_where_a_line_is_too_short_cells_break_between_words_and_no_id_is_cut():
    console = Console(file=io.StringIO(), width=100)
    alert = ("firing", "all teams", "calls_per_second", "2 min", f"alr_{'0' * 26}", "a long text " * 5)
    key = (
        f"key_{'1' * 26}",
        "active",
        "ci of ann@example.org",
        "admin, viewer",
        "default",
        "never",
        "in 3 d",
    )
    entry = ("12", "2026-11-23 08:32:00", "ann@example.org", "approval.decided", f"apr_{'2' * 26}", "{}" * 50)

    for columns, row in (
        (("state", "team", "rule", "since", "id", "what"), alert),
        (("id", "", "name", "roles", "tenant", "used", "expires"), key),
        (("entry", "time", "who", "did", "to", "details"), entry),
    ):
        print_table(console, columns, [row], overflow="ellipsis")

    lines = console.file.getvalue().splitlines()
    assert max(map(len, lines)) <= 100
    words = {word for line in lines for word in line.split()}
    assert {word for cell in (*alert[:-1], *key, *entry[:-1]) for word in cell.split()} <= words


def test_a_column_that_is_empty_is_left_out():
    console = Console(file=io.StringIO(), width=100)

    print_table(console, ("id", "error"), [("ntc_1", ""), ("ntc_2", "")])

    assert console.file.getvalue().split() == ["id", "─" * 5, "ntc_1", "ntc_2"]


def test_settings_are_shown_as_toml_that_can_be_read_back():
    given = {
        "database": {"url": "sqlite:///here.db", "linger": 0.5},
        "models": {"my-model": {"model": 'odd "name"\n', "price": {"input": "0.25", "output": 2}}},
        "tools": {"shop": {"command": ["shop", "--all"], "env": {"A B": "ä"}, "allow": []}},
    }
    settings = Settings.model_validate(given)

    text = toml(plain(settings), lambda key: f"  # {key}")

    assert Settings.model_validate(tomllib.loads(text)) == settings


def test_nothing_secret_is_shown():
    settings = Settings.model_validate(
        {
            "database": {"url": "postgresql+psycopg://me:pa-55@host/name"},
            "models": {"small": {"model": "a", "api_key": "pa-55"}},
            "tools": {
                "shop": {"command": ["shop"], "env": {"SHOP_TOKEN": "pa-55", "LANG": "C"}},
                "web": {"url": "http://me:pa-55@host", "headers": {"X-Any": "pa-55"}},
            },
        }
    )

    shown = plain(settings)

    assert "pa-55" not in repr(shown)
    assert shown["database"]["url"] == "postgresql+psycopg://me:***@host/name"
    assert shown["tools"]["shop"]["env"] == {"SHOP_TOKEN": "***", "LANG": "C"}
