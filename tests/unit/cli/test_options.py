from datetime import UTC, datetime, timedelta

import pytest

from proctor.cli._options import WrongCall, read_duration, read_period
from proctor.core import InvalidInput

NOON = datetime(2026, 3, 31, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90s", 90),
        ("30m", 1_800),
        ("30min", 1_800),
        ("2h", 7_200),
        ("1d12h", 129_600),
        ("1w", 604_800),
        ("0s", 0),
    ],
)
def test_a_duration_is_read_as_people_write_it(text: str, seconds: int):
    assert read_duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["", "soon", "30", "-1h", "1 h", "1.5h", "2H", "99999d", "999999999w"])
def test_what_is_no_duration_or_longer_than_a_life_is_refused(text: str):
    with pytest.raises(InvalidInput):
        read_duration(text)


@pytest.mark.parametrize(
    ("since", "until", "last", "begin", "end"),
    [
        (None, None, None, datetime(2026, 3, 1, 12, tzinfo=UTC), NOON),
        (None, None, "36h", datetime(2026, 3, 30, tzinfo=UTC), NOON),
        ("2026-03-02", None, None, datetime(2026, 3, 2, tzinfo=UTC), NOON),
        (
            "2026-03-02",
            "2026-03-02",
            None,
            datetime(2026, 3, 2, tzinfo=UTC),
            datetime(2026, 3, 3, tzinfo=UTC),
        ),
        (
            "2026-03-02T08:00+08:00",
            "2026-03-02T08:00",
            None,
            datetime(2026, 3, 2, tzinfo=UTC),
            datetime(2026, 3, 2, 8, tzinfo=UTC),
        ),
        (
            "0001-01-01",
            "9999-12-31",
            None,
            datetime(1970, 1, 1, tzinfo=UTC),
            datetime(9999, 1, 1, tzinfo=UTC),
        ),
    ],
)
def test_a_period_is_read_in_utc_and_holds_its_last_day(since, until, last, begin, end):
    assert read_period(since, until, last, NOON) == (begin, end)


@pytest.mark.parametrize(
    ("since", "until"),
    [
        ("soon", None),
        (None, "2026-02-30"),
        ("2026-03-02", "2026-03-01"),
        ("2027-01-01", None),
        ("0001-01-01T00:00+09:00", None),
    ],
)
def test_what_is_no_period_is_refused(since, until):
    with pytest.raises(InvalidInput):
        read_period(since, until, None, NOON)


def test_a_period_is_told_in_one_way():
    with pytest.raises(WrongCall):
        read_period("2026-03-01", None, "7d", NOON)
