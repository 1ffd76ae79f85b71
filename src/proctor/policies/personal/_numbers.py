"""Payment cards: digits that carry their own proof, or are called so."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeAlias

from proctor.policies.personal._checksums import luhn
from proctor.policies.personal._labels import label_before
from proctor.policies.personal._runs import Run

Place: TypeAlias = tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Network:
    """The first digits that a card network issues, as inclusive bounds, and the lengths of its numbers."""

    first: int
    last: int
    lengths: frozenset[int]


def _network(first: int, last: int, *lengths: int) -> _Network:
    return _Network(first=first, last=last, lengths=frozenset(lengths))


_NETWORKS = (
    _network(4, 4, 16),  # Visa
    _network(51, 55, 16),  # Mastercard
    _network(2221, 2720, 16),  # Mastercard
    _network(34, 34, 15),  # American Express
    _network(37, 37, 15),  # American Express
    _network(300, 305, 14, 16),  # Diners Club
    _network(3095, 3095, 14, 16),  # Diners Club
    _network(36, 36, 14, 16),  # Diners Club
    _network(38, 39, 14, 16),  # Diners Club
    _network(6011, 6011, 16),  # Discover
    _network(644, 659, 16),  # Discover, RuPay, Troy, Elo, Verve
    _network(35, 35, 16),  # JCB, RuPay
    _network(2131, 2131, 15),  # JCB
    _network(1800, 1800, 15),  # JCB
    _network(62, 62, 16, 17, 18, 19),  # UnionPay
    _network(8100, 8171, 16, 17, 18, 19),  # UnionPay
    _network(9558, 9559, 19),  # Chinese debit cards older than UnionPay
    _network(5018, 5020, 16, 19),  # Maestro, Dankort
    _network(5038, 5038, 16, 19),  # Maestro
    _network(5893, 5893, 16, 19),  # Maestro
    _network(6304, 6304, 16, 19),  # Maestro
    _network(6759, 6763, 16, 19),  # Maestro
    _network(2200, 2204, 16, 19),  # Mir
    _network(506, 508, 16, 19),  # Verve, Elo, RuPay
    _network(60, 60, 16),  # RuPay, Chinese banks, Hipercard
    _network(81, 82, 16),  # RuPay
    _network(636, 639, 16),  # InterPayment, InstaPayment, Elo
    _network(8600, 8600, 16),  # Uzcard
    _network(9792, 9792, 16),  # Troy
    _network(9860, 9860, 16),  # Humo
)
"""Lengths that are common enough for a number without a name."""

_RARE = re.compile("[4-6]")
"""What cards of rare lengths start with: Visa and Maestro."""
_NAMED_LENGTHS = range(12, 20)
_MISTYPED_LENGTHS = (15, 16, 18, 19)

_DIGIT_RUN = re.compile(r"(?<![0-9A-Za-z_])(?<![0-9A-Za-z][-./])[0-9](?:[ .\-]{0,3}[0-9OolI]){12,}+")
_MANY_DIGITS = re.compile(r"[0-9](?:[ .\-]{0,3}[0-9OolI]){12}")
_DECIMAL = re.compile(r"[0-9]+\.[0-9]+")
"""One number with its point: `35.86999999999989`."""
_GROUP = re.compile(r"[0-9OolI]+")
_AS_DIGITS = str.maketrans("OolI", "0011")
_SHORTEST_CARD, _LONGEST_CARD = 14, 19
_FEWEST_TRUE_DIGITS = 11
_SHAPES: tuple[tuple[int, ...], ...] = (
    (4, 4, 4, 4),
    (4, 4, 4, 4, 3),
    (4, 6, 5),
    (4, 6, 4),
    (4, 4, 4, 1),
    (6, 13),
)
"""How cards are printed, in groups of digits."""
_PRINTED_GROUP = 4
_EXPIRY = re.compile(r"(?:0[1-9]|1[0-2])[2-4][0-9](?![0-9])")
_FIRST_GROUPS = frozenset({4, 6, *range(_SHORTEST_CARD, _LONGEST_CARD + 1)})


def payment_cards(text: str) -> Iterator[Place]:
    """Where card numbers stand: right network, length and check digit, and no part of more."""
    if not _MANY_DIGITS.search(text):
        return
    for run in _DIGIT_RUN.finditer(text):
        groups = [group.span() for group in _GROUP.finditer(text, *run.span())]
        found = False
        index = 0
        while index < len(groups):
            size = _card_at(text, groups, index)
            if size:
                found = True
                yield groups[index][0], groups[index + size - 1][1]
            index += size or 1
        spread = (
            not found and len(groups) > 1 and _joined_alike(text, groups) and not _is_decimal(text, groups)
        )
        if spread and _is_card(text, *run.span()) and _ends_here(text, *run.span()):
            yield run.span()


def _is_decimal(text: str, groups: list[Place]) -> bool:
    return _DECIMAL.fullmatch(text, groups[0][0], groups[-1][1]) is not None


def _card_at(text: str, groups: list[Place], index: int) -> int:
    """The number of digit groups that form a card from the given one on; 0 where none does."""
    first = groups[index][1] - groups[index][0]
    if first not in _FIRST_GROUPS:
        return 0
    lengths = [end - start for start, end in groups[index : index + 5]]
    shapes = [shape for shape in _SHAPES if tuple(lengths[: len(shape)]) == shape]
    if first >= _SHORTEST_CARD:
        shapes.append((first,))
    for shape in shapes:
        part = groups[index : index + len(shape)]
        start, end = part[0][0], part[-1][1]
        if (
            _joined_alike(text, part)
            and _is_card(text, start, end)
            and _ends_here(text, start, end)
            and not (len(part) > 1 and _goes_on(text, groups, index + len(shape)))
            and (len(part) > 1 or label_before(text, start) not in ("other", "version", "phone"))
        ):
            return len(part)
    return 0


def _goes_on(text: str, groups: list[Place], after: int) -> bool:
    """Whether one more group follows as the others did: the number of a parcel, say, but no expiry date."""
    if after >= len(groups) or len(groups) % 4 == 0:  # a list of cards
        return False
    (_, before_end), (start, end) = groups[after - 1], groups[after]
    alike = text[before_end:start] == text[groups[after - 2][1] : groups[after - 1][0]]
    return alike and end - start == _PRINTED_GROUP and not _EXPIRY.match(text, start)


def _joined_alike(text: str, groups: list[Place]) -> bool:
    return len({text[before[1] : after[0]] for before, after in pairwise(groups)}) <= 1


def _ends_here(text: str, start: int, end: int) -> bool:
    """Whether no dash, dot or letter joins the number to more."""
    before, after = text[max(0, start - 2) : start], text[end : end + 2]
    joined_before = before[-1:] in ("-", ".") and before[:1].isdigit()
    joined_after = after[:1] in ("-", ".") and after[1:].isdigit()
    return not (joined_before or joined_after or (after[:1].isascii() and after[:1].isalnum()))


def card_called_so(run: Run) -> float:
    """How sure a run of digits is a card because of the words before it; 0 where it isn't.

    A card of a rare length needs its check digit; a usual one that was mistyped is still somebody's.
    """
    size = len(run.digits)
    if run.label not in ("card", "payment") or size not in _NAMED_LENGTHS or len(set(run.digits)) == 1:
        return 0.0
    if _DECIMAL.fullmatch(run.written):
        return 0.0
    if luhn(run.digits) and (run.label == "card" or _RARE.match(run.digits)):
        return 0.8
    return 0.6 if run.label == "card" and size in _MISTYPED_LENGTHS and _network_of(run.digits) else 0.0


def _network_of(digits: str) -> _Network | None:
    return next(
        (
            network
            for network in _NETWORKS
            if len(digits) in network.lengths
            and network.first <= int(digits[: len(str(network.first))]) <= network.last
        ),
        None,
    )


def _is_card(text: str, start: int, end: int) -> bool:
    written = "".join(_GROUP.findall(text, start, end)) if end - start <= 4 * _LONGEST_CARD else ""
    digits = written.translate(_AS_DIGITS)
    if not _SHORTEST_CARD <= len(digits) <= _LONGEST_CARD:
        return False
    if sum(character.isdigit() for character in written) < _FEWEST_TRUE_DIGITS or len(set(digits)) == 1:
        return False
    return luhn(digits) and _network_of(digits) is not None
