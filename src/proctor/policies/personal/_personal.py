"""Personal data: numbers that prove themselves, and what its form and the words around it make sure."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from proctor.policies._reading import Finding, Reading
from proctor.policies.canonical._backwards import is_backwards
from proctor.policies.personal._accounts import iban_end, is_account
from proctor.policies.personal._documents import dates_of_birth, document_in_digits, document_number, plates
from proctor.policies.personal._internet import emails, ip_addresses
from proctor.policies.personal._national_ids import national_id, national_id_with_letters
from proctor.policies.personal._numbers import card_called_so, payment_cards
from proctor.policies.personal._phones import phone
from proctor.policies.personal._runs import Run, runs

_DIGIT = re.compile("[0-9]")
_IN_WORD = re.compile(
    r"[0-9](?:(?<=[A-Za-z][0-9])|(?<=[A-Za-z][- ][0-9]))(?=[0-9](?:[^0-9\n]{0,6}[0-9]){4}|[0-9]{3}[A-Z]\b)"
    r"|[0-9]{5,9}+(?=[-+]?[0-9]{0,3}[A-Za-z])|[0-9]{1,2}\.[0-9]{3}\.[0-9]{3}-[Kk]",
    re.ASCII,
)
"""Digits beside letters, as many as ids have."""
_SURE = 0.98
"""Of what proves itself so well that it is no accident, whichever way it is read."""
_GOES_ON_BEFORE = re.compile(r"[0-9A-Za-z_]\Z")
_WORD_BEFORE = re.compile(r"\b[A-Za-z]{1,6}[- ]?\Z", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    kind: str
    start: int
    end: int
    confidence: float
    detail: str = ""


def personal(reading: Reading) -> Iterable[Finding]:
    """The personal data in a text: payment cards, bank accounts, ids, phones, e-mail addresses and more.

    Where two readings of the same text are possible, the surer one is given.
    """
    for place in _apart(_in_original(reading)):
        yield Finding(
            kind=place.kind,
            start=place.start,
            end=place.end,
            confidence=place.confidence,
            detail=place.detail,
        )


def _in_original(reading: Reading) -> Iterator[_Place]:
    for view in reading.views:
        at_least = _SURE if "reversed" in view.name and not _runs_backwards(reading) else 0.0
        for place in _found(view.text):
            if place.confidence >= at_least:
                start, end = view.original(place.start, place.end)
                yield replace(place, start=start, end=end)


def _runs_backwards(reading: Reading) -> bool:
    """Whether more than digits speaks for it: any number is a number from behind as well."""
    return is_backwards(reading.plain.text, reading.plain.text.split())


def _found(text: str) -> Iterator[_Place]:
    for start, end, confidence in emails(text):
        yield _Place(kind="email", start=start, end=end, confidence=confidence)
    if not _DIGIT.search(text):
        return
    for start, end in payment_cards(text):
        yield _Place(kind="payment_card", start=start, end=end, confidence=0.97)
    for alternatives in runs(text):
        yield from _in_run(alternatives)
    yield from _in_words(text)
    for start, end, confidence in ip_addresses(text):
        yield _Place(kind="ip_address", start=start, end=end, confidence=confidence)
    for start, end in plates(text):
        yield _Place(kind="driver_licence", start=start, end=end, confidence=0.9, detail="plate")
    for start, end in dates_of_birth(text):
        yield _Place(kind="date_of_birth", start=start, end=end, confidence=0.9)


def _in_run(alternatives: list[Run]) -> Iterator[_Place]:
    taken: list[Run] = []
    for run in alternatives:
        if any(run.start < other.end and other.start < run.end for other in taken):
            continue
        place = _number(run)
        if place is not None:
            taken.append(run)
            yield place


def _number(run: Run) -> _Place | None:
    """What a run of digits is, the surest first."""
    run = _with_check_letter(run)
    proven = None if run.joined or run.grouped_on else national_id(run)
    if proven is not None:
        detail, confidence = proven
        return _Place(kind="national_id", start=run.start, end=run.end, confidence=confidence, detail=detail)
    called = phone(run)
    if called is not None:
        start, end, confidence = called
        return _Place(kind="phone", start=start, end=end, confidence=confidence)
    if run.joined:
        return None
    if card := card_called_so(run):
        return _Place(kind="payment_card", start=run.start, end=run.end, confidence=card)
    if is_account(run):
        return _Place(kind="bank_account", start=run.start, end=run.end, confidence=0.8)
    kind = document_in_digits(run)
    return _Place(kind=kind, start=run.start, end=run.end, confidence=0.8) if kind else None


_CHECK_X = re.compile(r"[Xx](?![0-9A-Za-z_])")
_BEFORE_X = 17


def _with_check_letter(run: Run) -> Run:
    """A Chinese id may end in X, for ten."""
    if len(run.digits) == _BEFORE_X and _CHECK_X.match(run.text, run.end):
        return Run(run.text, run.start, run.end + 1)
    return run


def _in_words(text: str) -> Iterator[_Place]:
    """What is written in letters and digits."""
    for match in _IN_WORD.finditer(text):
        letters = _WORD_BEFORE.search(text, max(0, match.start() - 7), match.start())
        if letters is None and _GOES_ON_BEFORE.search(text, max(0, match.start() - 1), match.start()):
            continue
        starts = [letters.start()] if letters else [match.start()]
        if letters and not letters[0].isalpha():
            starts.append(match.start())  # the letters may be a word of the sentence
        place = next(filter(None, (_word(text, start) for start in starts)), None)
        if place is not None:
            yield place


def _word(text: str, start: int) -> _Place | None:
    iban = iban_end(text, start)
    if iban is not None:
        return _Place(kind="iban", start=start, end=iban[0], confidence=iban[1])
    document = document_number(text, start)
    if document is not None and document[0] != "national_id":
        return _Place(kind=document[0], start=start, end=document[1], confidence=0.8)
    proven = national_id_with_letters(text, start)
    if proven is not None:
        detail, confidence, end = proven
        return _Place(kind="national_id", start=start, end=end, confidence=confidence, detail=detail)
    if document is not None:
        return _Place(kind="national_id", start=start, end=document[1], confidence=0.7, detail="named")
    return None


def _apart(places: Iterable[_Place]) -> list[_Place]:
    """Places that don't overlap: of those that do, the surest, then the longest."""
    kept: list[_Place] = []
    for place in sorted(places, key=lambda each: (each.start, -each.end)):
        if kept and place.start < kept[-1].end:
            last = kept[-1]
            if (place.confidence, place.end - place.start) > (last.confidence, last.end - last.start):
                kept[-1] = place
        else:
            kept.append(place)
    return kept
