from datetime import timedelta

import pytest

from proctor.cli._options import read_duration
from proctor.core import InvalidInput


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
