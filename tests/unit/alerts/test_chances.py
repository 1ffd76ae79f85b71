"""How likely a number is by chance."""

import math
from datetime import UTC, datetime, timedelta

import pytest

from proctor.alerts import Tally, bucket_of
from proctor.alerts._chances import LARGE, at_least, at_most
from proctor.alerts._rules import SPANS, judge
from proctor.alerts._tally import PIVOT, end_of
from proctor.alerts._usual import STEADY_LEVEL, STEADY_RATE, STEEPEST, Tail, Usual
from proctor.core import AlertSettings


def poisson(count: int, mean: float) -> float:
    return math.exp(count * math.log(mean) - mean - math.lgamma(count + 1))


@pytest.mark.parametrize(("count", "mean"), [(4, 1.0), (12, 3.0), (30, 12.5), (150, 100.0)])
def test_without_spread_the_tails_are_those_of_poisson(count: int, mean: float) -> None:
    above = 1 - sum(poisson(each, mean) for each in range(count))
    assert at_least(count, mean, 0) == pytest.approx(above, rel=1e-3)
    low = int(mean / 3)
    below = sum(poisson(each, mean) for each in range(low + 1))
    assert at_most(low, mean, 0) == pytest.approx(below, rel=1e-3)


def binomial(count: int, of: int, share: float) -> float:
    return math.comb(of, count) * share**count * (1 - share) ** (of - count)


@pytest.mark.parametrize(("count", "of", "share"), [(6, 6, 0.1), (9, 12, 0.1), (13, 39, 0.07), (20, 20, 0.5)])
def test_a_steady_share_has_the_tails_of_the_binomial(count: int, of: int, share: float) -> None:
    above = sum(binomial(each, of, share) for each in range(count, of + 1))
    assert at_least(count, of * share, 0, of) == pytest.approx(above, rel=1e-3)
    below = sum(binomial(each, of, 1 - share) for each in range(of - count + 1))
    assert at_most(of - count, of * (1 - share), 0, of) == pytest.approx(below, rel=1e-3)


@pytest.mark.parametrize("spread", [0.03, 0.5])
def test_a_share_of_very_many_is_a_rate_and_one_of_few_less_likely_high(spread: float) -> None:
    assert at_least(12, 3.0, spread, 1e6) == pytest.approx(at_least(12, 3.0, spread), rel=0.01)
    assert at_most(1, 9.0, spread, 1e6) == pytest.approx(at_most(1, 9.0, spread), rel=0.01)
    assert at_least(12, 3.0, spread, 12) < at_least(12, 3.0, spread, 100) < at_least(12, 3.0, spread)


def test_a_rate_that_varies_itself_makes_far_numbers_likelier() -> None:
    assert at_least(20, 5, 0.0) < at_least(20, 5, 0.1) < at_least(20, 5, 1.0)
    assert at_most(1, 10, 0.0) < at_most(1, 10, 0.1) < at_most(1, 10, 1.0)


def test_what_is_no_more_than_usual_is_no_news() -> None:
    assert at_least(5, 5, 0.1) == 1
    assert at_least(0, 0, 0.1) == 1
    assert at_most(5, 5, 0.1) == 1


def test_where_nothing_ever_happens_one_event_is_impossible() -> None:
    assert at_least(1, 0, 0.1) == 0
    assert at_least(LARGE, 0, 0.1) == 0


def test_exact_and_approximate_tails_meet() -> None:
    mean = LARGE / 1.5
    assert at_least(LARGE - 1, mean, 0.05) == pytest.approx(at_least(LARGE, mean, 0.05), rel=0.8)


def test_five_seconds_are_a_border_between_two_buckets() -> None:
    assert end_of(bucket_of(5.0)) == pytest.approx(PIVOT)
    assert bucket_of(5.0) == 0
    assert bucket_of(5.01) == 1
    assert bucket_of(0) == bucket_of(-1)


def test_numbers_that_were_added_can_be_taken_away_and_written() -> None:
    one, two = Tally(), Tally()
    one.counts["calls"] = 3
    one.spreads["seconds"][bucket_of(1.0)] = 3
    two.add(one)
    two.add(one)
    two.take(one)
    assert two.write() == one.write()
    two.take(one)
    assert not two
    assert Tally.read(one.write()).write() == one.write()


BEGIN = datetime(2026, 3, 2, tzinfo=UTC)


def hours(errors_at_noon: int = 0, days: int = 14) -> list[tuple[datetime, Tally]]:
    found = []
    for place in range(24 * days):
        at = BEGIN + timedelta(hours=place)
        tally = Tally()
        tally.counts.update({"calls": 200, "errors": 2, "started": 50})
        if at.hour == 12 and at.day == 5:
            tally.counts["errors"] += errors_at_noon
        found.append((at, tally))
    return found


def rate_of(past: list[tuple[datetime, Tally]]) -> float:
    usual = Usual(past, BEGIN)
    share = usual.share(
        "errors", lambda of: (of.counts["errors"], of.counts["calls"]), BEGIN.replace(hour=12)
    )
    assert share is not None
    return share.rate


def test_an_incident_of_the_past_is_not_taken_for_usual() -> None:
    assert rate_of(hours()) == pytest.approx(0.01, rel=0.05)
    assert rate_of(hours(errors_at_noon=150)) == pytest.approx(0.01, rel=0.05)


def test_of_what_is_rare_one_hour_with_two_events_does_not_make_any_number_likely() -> None:
    past = hours()
    for at, tally in past:
        tally.counts["loops"] = 2 if (at.hour, at.day) == (12, 5) else (at.day + at.hour) % 9 == 0
    usual = Usual(past, BEGIN)
    share = usual.share("loops", lambda of: (of.counts["loops"], of.counts["calls"]), BEGIN.replace(hour=12))
    assert share is not None
    assert at_least(5, 200 * share.rate, share.spread) < 2e-5


def test_a_past_of_a_day_says_nothing() -> None:
    past = hours(days=1)
    assert not Usual(past, BEGIN).is_enough(BEGIN + timedelta(days=1))
    assert Usual(past, BEGIN).is_enough(BEGIN + timedelta(days=2))


def test_the_rate_goes_from_one_hour_to_the_next() -> None:
    past = hours()
    for at, tally in past:
        tally.counts["started"] = 60 if at.hour == 12 else 120
    usual = Usual(past, BEGIN)

    def rate(minute: int, hour: int) -> float:
        found = usual.rate("started", 1.0, BEGIN + timedelta(days=14, hours=hour, minutes=minute))
        assert found is not None
        return found.a_minute

    assert rate(30, 12) == pytest.approx(1.0)
    assert rate(0, 13) == pytest.approx(1.5)
    assert rate(30, 13) == pytest.approx(2.0)


def rate_at_noon(numbers: list[int]) -> tuple[float, float]:
    """Runs an hour at noon, where so many came on each weekday, and their spread."""
    past = hours(days=len(numbers))
    for at, tally in past:
        tally.counts["started"] = numbers[(at - BEGIN).days]
    found = Usual(past, BEGIN).rate("started", 1.0, BEGIN.replace(hour=12, minute=30))
    assert found is not None
    return found.a_minute * 60, found.spread


def test_of_few_runs_the_mean_is_usual_and_not_the_median_which_is_less() -> None:
    assert rate_at_noon([1, 1, 5, 1, 2])[0] == pytest.approx(2.0)


def test_a_rate_knows_less_where_it_knows_fewer_days() -> None:
    assert rate_at_noon([50] * 3)[1] > rate_at_noon([50] * 5)[1] > STEADY_RATE


def test_a_day_of_many_runs_or_of_none_is_not_taken_for_usual() -> None:
    assert rate_at_noon([50, 50, 1000, 50, 50])[0] == pytest.approx(50.0)
    assert rate_at_noon([50, 50, 0, 50, 50])[0] == pytest.approx(50.0)


@pytest.mark.parametrize(
    "numbers", [[0, 60] * 5, [0, 0, 60] * 3, [0, 0, 60, 1, 0, 0, 0, 60, 0, 0], [5, 60] * 5]
)
def test_an_hour_that_varies_from_day_to_day_is_usual_as_it_is(numbers: list[int]) -> None:
    mean, spread = rate_at_noon(numbers)
    weekdays = [number for day, number in enumerate(numbers) if (BEGIN + timedelta(days=day)).weekday() < 5]
    assert mean == pytest.approx(sum(weekdays) / len(weekdays))
    assert at_least(60, mean, spread) > 0.005
    assert at_most(0, mean, spread) > 0.005


def test_an_hour_that_varies_no_more_than_those_beside_it_knows_by_them_how_far() -> None:
    steady, own = rate_at_noon([50, 50, 50, 50, 50]), rate_at_noon([46, 55, 49, 50, 52])
    assert own[1] == pytest.approx(steady[1], rel=0.01)


def test_a_sum_counts_in_its_large_events() -> None:
    past = hours(days=2)
    for _, tally in past:
        tally.spreads["lengths"].update({bucket_of(2.0): 9, bucket_of(20.0): 1})
    short, long = end_of(bucket_of(2.0)), end_of(bucket_of(20.0))
    unit = (9 * short**3 + long**3) / (9 * short**2 + long**2)
    assert Usual(past, BEGIN).unit("lengths") == pytest.approx(unit)


def tail_of(buckets: dict[int, int]) -> Tail:
    past = hours(days=5)
    for _, tally in past:
        tally.spreads["seconds"].update(buckets)
    found = Usual(past, BEGIN).tail("seconds", 0.9, BEGIN.replace(hour=12))
    assert found is not None
    return found


def test_where_durations_hardly_differ_a_little_more_of_each_makes_many_long() -> None:
    alike = tail_of({0: 89, 1: 9, 2: 1, 3: 1})
    wide = tail_of(dict.fromkeys(range(-8, 1), 10) | dict.fromkeys(range(10, 15), 2))
    assert wide.share.spread < 0.05
    assert 0.1 < alike.share.spread < (STEADY_LEVEL * STEEPEST) ** 2 + 0.01


def shown(chance: float, minutes: int) -> bool:
    """Whether errors are acute that are just less likely than a chance, in that stretch of time alone."""
    usual = Usual(hours(), BEGIN)
    at = BEGIN + timedelta(days=14, hours=12, minutes=30)
    share = usual.share("errors", lambda of: (of.counts["errors"], of.counts["calls"]), at)
    assert share is not None
    calls = 100
    errors = next(n for n in range(100) if at_least(n, calls * share.rate, share.spread, calls) < chance)
    tallies = {}
    for span in SPANS:
        tallies[span] = Tally()
        if span >= minutes:
            tallies[span].counts.update({"calls": calls * (1 if span == minutes else 40), "errors": errors})
    settings = AlertSettings(error_rate=0)
    found = judge("desk", tallies, usual, at, settings=settings, over={})
    return any(finding.rule == "errors" and finding.acute for finding in found)


def test_what_five_minutes_show_must_be_less_likely_than_what_an_hour_shows() -> None:
    assert shown(2e-5, 60)
    assert not shown(2e-5, 5)
    assert shown(1e-7, 5)
