"""Whose settings hold for a call: the agent's own, or those of the nearest one that it is part of."""

import pytest

from proctor.core import UNKNOWN_AGENT
from proctor.tools._callers import narrowest

ALL = frozenset("abc")
SETTINGS = {"boss": frozenset("ab"), "boss/clerk": frozenset("a"), "scout": frozenset("bc")}


@pytest.mark.parametrize(
    ("place", "may"),
    [
        ("boss", "ab"),
        ("boss/clerk", "a"),
        ("boss/inner/helper", "ab"),
        ("mind/inner/scout", "bc"),
        ("boss/scout", "bc"),
        ("helper", "abc"),
        ("bos", "abc"),
    ],
)
def test_an_agent_may_do_what_is_set_for_it_or_for_the_nearest_around_it(place, may):
    assert narrowest(place, SETTINGS, ALL) == frozenset(may)


def test_a_caller_whom_nobody_can_tell_may_do_what_every_agent_may():
    assert narrowest(UNKNOWN_AGENT, SETTINGS, ALL) == frozenset()
    assert narrowest(UNKNOWN_AGENT, {"boss": frozenset("ab")}, ALL) == frozenset("ab")
    assert narrowest(UNKNOWN_AGENT, {}, ALL) == ALL
