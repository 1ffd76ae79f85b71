"""Phone numbers: by how people write them, and where that isn't telling, by the words around them."""

import re
from functools import cache
from importlib import import_module
from types import ModuleType
from typing import Literal

from proctor.policies.personal._runs import Run, extension_end

_CHINESE_MOBILE = (
    r"(?:(?:00)?86[- )]{0,2})?"
    r"1[3-9][0-9](?:[0-9]{8}|-[0-9]{4}-[0-9]{4}| [0-9]{4} [0-9]{4}|-[0-9]{3}-[0-9]{5}| [0-9]{3} [0-9]{5})"
)
_PRINTED = r"(?:1-)?[2-9][0-9]{2}(?:-|\) ?)[0-9]{3}-[0-9]{4}"
_SURE = re.compile(rf"{_CHINESE_MOBILE}|{_PRINTED}")
"""What is a phone number also where the words before it speak of an id or an account."""
_AMERICAN = (
    r"(?:(?:00)?1[-. ]?)?\(?(?:[0-9]{3}\) ?[0-9]{3}[-. ]?[0-9]{4}|[0-9]{3}-[0-9]{3}-[0-9]{4}"
    r"|[0-9]{3}\.[0-9]{3}\.[0-9]{4}|[0-9]{3}/[0-9]{3}-[0-9]{4})|(?:1 )?[2-9][0-9]{2} [2-9][0-9]{2} [0-9]{4}"
)
"""(555) 123-4567, 555-123-4567, 1.555.123.4567."""
_CHINESE_FIXED = re.compile(
    r"0(?:10|2[0-9]|[3-9][0-9]{2})(?:\) ?|[- ])[2-8][0-9]{2,3}[- ]?[0-9]{4}(?:-[0-9]{1,5})?"
)
_BRAZILIAN = r"[1-9][0-9]\)? 9?[0-9]{4}-[0-9]{4}"
_SERVICE = r"[48]00[- ]?[0-9]{3}[- ][0-9]{4}|[48]00-[0-9]{4}-[0-9]{3}"
_SHAPED = re.compile(rf"{_CHINESE_MOBILE}|{_AMERICAN}|{_BRAZILIAN}|{_SERVICE}")
_WITH_TRUNK = re.compile(r"\(?0[1-9][0-9]{0,3}(?:\)[-. ]?|[-./ ])[0-9]{2,8}(?:[-. ][0-9]{2,6}){0,4}")
"""National numbers with an area code, as most of the world writes them."""
_AREA_IN_BRACKETS = re.compile(r"(?!19|20)[0-9]{1,4}\)[- ]?[0-9]{2,8}(?:[- ][0-9]{2,5}){0,4}")
_INTERNATIONAL = range(8, 16)
"""Digits after a plus sign (E.164)."""
_NATIONAL = range(9, 14)
_NAMED = range(7, 16)
_DATE_OR_SUM = re.compile(
    r"(?:19|20)\d\d[-./ ][01]?\d[-./ ][0-3]?\d(?: \d\d?)?"
    r"|[0-3]?\d[-./ ][0-3]?\d[-./ ](?:19|20)\d\d(?: \d\d?)?|(?:19|20)\d\d ?- ?(?:19|20)\d\d"
    r"|\d+\.\d{1,2}|\d{1,3}\.\d{4,}|(?:\d{1,3}\.){3}\d{1,3}|\d{5}-\d{4}"
)
"""Dates, spans of years, sums, coordinates, IP addresses and American postcodes."""


def phone(run: Run) -> tuple[int, int, float] | None:
    """Where the phone number in a run stands, with plus sign and extension, and how sure that is."""
    start = run.start
    if run.text[start - 1 : start] == "(":
        start -= 1
    international = run.text[start - 1 : start] == "+"
    start -= international
    confidence = _international(run) if international else _national(run)
    return (start, extension_end(run.text, run.end), confidence) if confidence else None


def _international(run: Run) -> float:
    if len(run.digits) not in _INTERNATIONAL or run.label in ("other", "version"):
        return 0.0
    if run.label == "phone" or not run.written.isdigit():
        return 0.95
    return 0.0 if _keeps_plan(f"+{run.digits}", "is_possible_number") is False else 0.9


def _national(run: Run) -> float:
    if run.joined or len(set(run.digits)) == 1 or _DATE_OR_SUM.fullmatch(run.written):
        return 0.0
    match run.label:
        case "phone":
            return 0.9 if len(run.digits) in _NAMED else 0.0
        case "other" | "version" | "card" | "iban":
            return 0.0
        case "account" | "id" | "ssn" | "passport" | "licence" | "birth":
            return 0.7 if _SURE.fullmatch(run.written) else 0.0
        case _:
            return _unnamed(run)


def _unnamed(run: Run) -> float:
    if _SHAPED.fullmatch(run.written):
        return 0.85
    if run.grouped_on:
        return 0.0
    if run.digits.startswith("00"):
        return (
            0.8
            if len(run.digits) - 2 in _INTERNATIONAL and _keeps_plan(f"+{run.digits[2:]}", "is_valid_number")
            else 0.0
        )
    if _CHINESE_FIXED.fullmatch(run.written):
        return 0.8
    if run.text[run.start - 1 : run.start] == "(" and _AREA_IN_BRACKETS.fullmatch(run.written):
        return 0.7 if len(run.digits) in _NATIONAL else 0.0
    return 0.7 if len(run.digits) in _NATIONAL and _WITH_TRUNK.fullmatch(run.written) else 0.0


def _keeps_plan(international: str, test: Literal["is_possible_number", "is_valid_number"]) -> bool | None:
    """Whether a number has its country's length, or is in use there; None where no plans are installed."""
    plans = _plans()
    if plans is None:
        return None
    try:
        return bool(getattr(plans, test)(plans.parse(international)))
    except plans.NumberParseException:
        return False


@cache
def _plans() -> ModuleType | None:
    """The numbering plans of the world. They take 20 ms to load, and few texts need them."""
    try:
        return import_module("phonenumbers")
    except ImportError:
        return None
