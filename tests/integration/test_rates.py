"""One rate, and several processes that are bound by it together."""

import multiprocessing
from bisect import bisect_right

import pytest

from proctor.models._bucket import HOLD_SECONDS, Bucket
from proctor.store import make_engine, upgrade
from teams.askers import Asker, ask

LIMIT = 1200
SECONDS = 5


def instants_of(url: str, *, beside: int, clocks_ahead: tuple[float, ...]) -> list[list[float]]:
    """When the calls of each process had their turns, from the first one on."""
    engine = make_engine(url)
    upgrade(engine)
    engine.dispose()
    spawn = multiprocessing.get_context("spawn")
    barrier, out = spawn.Barrier(len(clocks_ahead)), spawn.Queue()
    askers = [
        Asker(url=url, limit=LIMIT, beside=beside, seconds=SECONDS, ahead=ahead) for ahead in clocks_ahead
    ]
    processes = [spawn.Process(target=ask, args=(asker, barrier, out)) for asker in askers]
    try:
        for process in processes:
            process.start()
        told = [out.get(timeout=90) for _ in processes]
        for process in processes:
            process.join(timeout=20)
    finally:
        for process in processes:
            if process.is_alive():
                process.kill()
    first = min(instant for instants in told for instant in instants)
    return [[instant - first for instant in instants] for instants in told]


def keeps(bucket: Bucket, told: list[list[float]]) -> bool:
    """Whether no stretch of time sees more than a full bucket and what flows in."""
    instants = sorted(instant for each in told for instant in each)
    for place, start in enumerate(instants):
        for end in instants[place:]:
            count = bisect_right(instants, end) - place
            if count > bucket.burst + (end - start + HOLD_SECONDS) / bucket.interval + 1:
                return False
    return True


@pytest.mark.parametrize("beside", [1, 8])
def test_processes_are_bound_by_one_rate_and_have_equal_parts_of_it(database_url, beside):
    told = instants_of(database_url, beside=beside, clocks_ahead=(0, 0, 0))
    bucket = Bucket(limit=LIMIT)
    assert keeps(bucket, told)
    allowed = bucket.burst + SECONDS / bucket.interval
    assert sum(map(len, told)) > 0.8 * allowed
    # A burst is for who comes first; from then on all have the same.
    parts = sorted(sum(2 < instant < SECONDS for instant in instants) for instants in told)
    assert parts[0] > 0.5 * parts[-1]


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_a_worker_whose_clock_is_wrong_holds_up_no_other(database_url):
    told = instants_of(database_url, beside=8, clocks_ahead=(0, 3600, -3600))
    assert keeps(Bucket(limit=LIMIT), told)
    assert all(instants[-1] > SECONDS / 2 for instants in told)
