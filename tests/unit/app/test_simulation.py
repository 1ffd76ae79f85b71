"""What a tried policy shows of past texts."""

from proctor.app._simulation import _excerpt
from proctor.core import PolicySettings
from proctor.policies import Policy

CARDS = ("4111 1111 1111 1111", "5500 0000 0000 0004")


def test_an_example_shows_none_of_what_was_found() -> None:
    text = f"Take {CARDS[0]} or {CARDS[1]}, please. " + "And so on. " * 20
    verdict = Policy(PolicySettings()).read(text, "input")
    shown = _excerpt(text, verdict)
    assert shown.startswith("Take [payment_card] or [payment_card], please.")
    assert len(shown) < 120
    assert not any(card in shown for card in CARDS)
