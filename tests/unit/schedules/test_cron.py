"""When schedules are due, by cron expressions in time zones."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proctor.core import InvalidInput
from proctor.schedules import due_times, next_due


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def shown(cron: str, zone: str, after: str, count: int = 3) -> list[str]:
    return [f"{at:%m-%d %H:%M}" for at in due_times(cron, zone, utc(after), count)]


def test_a_time_of_day_follows_the_clocks_of_its_zone() -> None:
    assert shown("0 8 * * MON-FRI", "Europe/Berlin", "2026-10-23T00:00") == [
        "10-23 06:00",
        "10-26 07:00",
        "10-27 07:00",
    ]


@pytest.mark.parametrize(
    ("zone", "cron", "eve", "due"),
    [
        # 02:30 doesn't exist: the clocks go from 02:00 to 03:00.
        ("Europe/Berlin", "30 2 * * *", "2026-03-28T12:00", ["03-29 01:00", "03-30 00:30"]),
        ("America/New_York", "30 2 * * *", "2026-03-07T12:00", ["03-08 07:00", "03-09 06:30"]),
        # It comes twice: the first of the two is taken.
        ("Europe/Berlin", "30 2 * * *", "2026-10-24T12:00", ["10-25 00:30", "10-26 01:30"]),
        ("America/New_York", "30 1 * * *", "2026-10-31T12:00", ["11-01 05:30", "11-02 06:30"]),
        # Half an hour, and a change at midnight.
        ("Australia/Lord_Howe", "15 2 * * *", "2026-10-03T00:00", ["10-03 15:30", "10-04 15:15"]),
        ("America/Havana", "0 0 * * *", "2026-03-07T12:00", ["03-08 05:00", "03-09 04:00"]),
    ],
)
def test_a_time_of_day_that_is_missing_or_comes_twice_is_due_once(
    zone: str, cron: str, eve: str, due: list[str]
) -> None:
    assert shown(cron, zone, eve, 2) == due


@pytest.mark.parametrize("second_pass", ["2026-10-25T01:00", "2026-10-25T01:29", "2026-10-25T01:30"])
def test_a_time_of_day_that_was_due_is_not_due_again_when_the_clocks_come_back_to_it(
    second_pass: str,
) -> None:
    assert shown("30 2 * * *", "Europe/Berlin", second_pass, 1) == ["10-26 01:30"]


def test_an_hour_that_comes_twice_counts_twice_where_every_hour_is_meant() -> None:
    assert shown("0 * * * *", "Europe/Berlin", "2026-10-24T23:30", 3) == [
        "10-25 00:00",
        "10-25 01:00",
        "10-25 02:00",
    ]


@given(
    st.integers(0, 3 * 366 * 24 * 3600),
    st.sampled_from(["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "UTC"]),
    st.sampled_from(
        ["30 2 * * *", "*/15 * * * *", "0 0 1 * *", "59 23 L * *", "0 9-17/4 * * 1-5", "0 1,2,3 * * SUN"]
    ),
)
def test_times_only_go_forward_and_are_found_alike_from_each_of_them(
    seconds: int, zone: str, cron: str
) -> None:
    after = utc("2025-01-01") + timedelta(seconds=seconds)
    found = due_times(cron, zone, after, 5)
    assert all(earlier < later for earlier, later in pairwise((after, *found)))
    assert all(
        next_due(cron, zone, moment) == found[0] for moment in (after, found[0] - timedelta(seconds=1))
    )


def test_two_times_of_day_that_fall_together_are_due_once() -> None:
    assert shown("0 2,3 * * *", "Europe/Berlin", "2026-03-29T00:00", 2) == ["03-29 01:00", "03-30 00:00"]


@pytest.mark.parametrize(
    "cron",
    [
        "",
        "every day",
        "0 8 * *",
        "0 0 8 * * *",
        "61 8 * * *",
        "0 8 * * MON#6",
        "0 8 * * 5L/2",
        "x" * 10_000,
        "9" * 5000 + " 8 * * *",
    ],
)
def test_an_expression_that_cannot_be_read_is_refused(cron: str) -> None:
    with pytest.raises(InvalidInput) as raised:
        next_due(cron, "UTC", utc("2026-01-01"))
    assert raised.value.hint
    assert len(str(raised.value)) < 400


@pytest.mark.parametrize("cron", ["0 0 31 2 *", "0 0 31 4 *"])
def test_an_expression_that_is_never_due_is_refused(cron: str) -> None:
    with pytest.raises(InvalidInput):
        next_due(cron, "UTC", utc("2026-01-01"))


@pytest.mark.parametrize(
    ("zone", "meant"),
    [
        ("Europe/Berln", "Europe/Berlin"),
        ("europe", ""),
        ("", ""),
        ("/etc/passwd", ""),
        ("Europe", ""),
        ("localtime", ""),
        ("\0", ""),
        ("x" * 999, ""),
    ],
)
def test_a_zone_that_does_not_exist_is_refused_with_the_likely_one(zone: str, meant: str) -> None:
    with pytest.raises(InvalidInput) as raised:
        next_due("0 8 * * *", zone, utc("2026-01-01"))
    assert meant in raised.value.hint
    assert raised.value.hint
