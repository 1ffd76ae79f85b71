"""The benchmark of ways to a denied tool, and that it can fail."""

import asyncio
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks._escape._cases import cases_of
from benchmarks._escape._denials import DENIALS
from benchmarks._escape._disguises import DISGUISES
from benchmarks._escape._play import Case, Outcome, play
from benchmarks._escape._roads import ROADS
from benchmarks._escape._shop import Shop
from benchmarks.tools_escape import Played

ROOT = Path(__file__).parents[2]
BOUND = 100


def case(**other):
    plain = Case(road="single", denial="class", when="start", disguise="itself", streamed=False)
    return replace(plain, **other)


async def played(case, side="denied"):
    shop = Shop()
    async with asyncio.timeout(BOUND), shop.serving():
        return await play(case, shop, side)


def test_two_hundred_cases_are_different_and_hold_every_road_denial_and_disguise():
    cases = cases_of(200, seed=1)
    assert len({case.name for case in cases}) == 200
    assert {case.road for case in cases} == set(ROADS)
    assert {case.denial for case in cases} == set(DENIALS)
    assert {case.disguise for case in cases} == set(DISGUISES)
    assert {case.when for case in cases} == {"start", "later", "again", "interrupted", "thread", "underway"}
    assert {case.streamed for case in cases} == {True, False}


def test_a_seed_chooses_the_same_cases_again_and_another_one_others():
    assert cases_of(40, seed=1) == cases_of(40, seed=1)
    assert set(cases_of(40, seed=1)) != set(cases_of(40, seed=2))


@pytest.mark.parametrize(
    "way",
    [
        case(),
        case(road="own", denial="undeclared", disguise="full_width"),
        case(road="team_tool", denial="agents_list_by_place", when="later", streamed=True),
        case(road="swarm", denial="not_offered", when="again"),
        case(denial="class", when="interrupted", streamed=True),
        case(road="agent_tool", denial="twin_of_agent", when="thread"),
        case(denial="changed", when="underway"),
        case(road="graph", denial="person", when="later"),
    ],
    ids=lambda way: way.name,
)
async def test_a_tool_is_reached_while_it_is_allowed_and_not_once_it_is_denied(way):
    allowed = await played(way.shape, "allowed")
    assert (allowed.reached, allowed.state) == (1, "completed")
    denied = await played(way)
    assert (denied.reached, denied.complaint) == (0, "")


def outcome(**other):
    held = Outcome(case="a", reached=0, asked=1, stopped_by=("access",), state="completed")
    return replace(held, **other)


def test_what_reached_the_tool_or_shows_nothing_is_complained_about():
    complaints = [
        outcome(**other).complaint
        for other in ({}, {"reached": 1}, {"asked": 0}, {"state": "waiting"}, {"state": "stuck"})
    ]
    assert [bool(each) for each in complaints] == [False, True, True, True, True]
    refused = {"asked": 0, "stopped_by": ("ungoverned_team",), "state": "failed"}
    assert outcome(**refused).complaint == ""


def test_a_road_on_which_an_allowed_tool_is_not_reached_proves_nothing():
    held = outcome()
    assert Played(outcomes=(held,), controls=(outcome(reached=1),)).complaints == []
    assert len(Played(outcomes=(held,), controls=(outcome(reached=0),)).complaints) == 1


@pytest.mark.slow
def test_a_short_run_reaches_no_denied_tool():
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.tools_escape", "--json", "--cases", "40"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        timeout=400,
        check=False,
    )
    told = json.loads(done.stdout)
    assert told["complaints"] == []
    assert (done.returncode, told["reached"], told["cases"]) == (0, 0, 40)
    assert told["controls_reached"] == told["controls"]
