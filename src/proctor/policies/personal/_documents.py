"""Passports, driving licences, number plates and dates of birth: known by the words around them."""

import re
from collections.abc import Iterator

from proctor.policies.personal._labels import Label, label_after, label_before
from proctor.policies.personal._runs import Run

_NUMBER = re.compile(
    r"(?=[A-Za-z]{0,6}[- ]?[0-9]{3}|[A-Za-z][0-9A-Za-z]{7})"
    r"[0-9A-Za-z]{1,24}+(?:[- ](?=[A-Za-z]{0,9}[0-9])[0-9A-Za-z]{2,10}){0,4}+"
)
_LOOSE_WORD = re.compile(r"[A-Za-z]*[a-z][A-Za-z]*+ |[A-Z]{4,}+ ")
"""A word of the sentence rather than the first letters of a number."""
_FORMS: dict[Label, tuple[str, re.Pattern[str]]] = {
    "passport": ("passport", re.compile(r"[A-Za-z]{0,3}-?[0-9]{6,9}[A-Za-z]?|[A-Za-z]{1,2}[0-9A-Za-z]{6,8}")),
    "licence": ("driver_licence", re.compile(r"[0-9A-Za-z]{1,10}(?:[- ]?[0-9A-Za-z]{2,16}){0,4}")),
    "id": ("national_id", re.compile(r"[A-Za-z]{1,6}[- ]?[0-9][0-9A-Za-z -]{5,17}")),
}
_FEWEST_DIGITS: dict[Label, int] = {"passport": 5, "licence": 4, "id": 6}
_LENGTHS = {"passport": (6, 9), "driver_licence": (5, 18)}
_GROUPS = re.compile(r"[0-9]+(?:[- ][0-9]+){0,4}")
_LONGEST = 22
_DIGIT = re.compile("[0-9]")

_PLATE = re.compile(
    r"[京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼][A-HJ-NP-Z][·.\- ]?"
    r"(?:[A-HJ-NP-Z0-9]{4}[A-HJ-NP-Z0-9挂学警港澳][A-HJ-NP-Z0-9]?)(?![A-Za-z0-9])"
)
"""A Chinese number plate: province, town and five or six characters (GA 36)."""

_CALLED_PLATE = re.compile(
    r"\b(?:plates?|registration|reg)(?: (?:numbers?|no\.?|is|plate|mark)){0,3}(?: ?[:#])? "
    r"(?P<plate>(?=[A-Z0-9 -]{0,6}[0-9])[A-Z0-9]{1,4}[- ]?[A-Z0-9]{2,4}(?:[- ][A-Z0-9]{1,4})?)"
    r"(?![A-Za-z0-9-])"
)
_MONTH = (
    r"(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?"
    r"|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)\.?"
)
_DATE = (
    r"(?:[0-9]{4}[-./][0-9]{1,2}[-./][0-9]{1,2}|[0-9]{1,2}[-./ ][0-9]{1,2}[-./ ][0-9]{2}(?:[0-9]{2})?"
    rf"|[0-9]{{1,2}}(?:st|nd|rd|th)? (?:of )?{_MONTH},? [0-9]{{4}}"
    rf"|{_MONTH} [0-9]{{1,2}}(?:st|nd|rd|th)?,? [0-9]{{4}}"
    r"|(?:19|20)[0-9]{2} ?年 ?[0-9]{1,2} ?月 ?[0-9]{1,2} ?[日号號]|(?:19|20)[0-9]{6})(?![0-9])"
)
_BORN = re.compile(
    r"(?:\b(?:born|d\.?o\.?b\.?|birth ?date|birth ?day|date[ _]of[ _]birth)\b"
    r"|出生日期|出生年月日?|出生于|生于|生日|出生)"
    rf"[^0-9\n]{{0,24}}?(?P<date>{_DATE})",
    re.IGNORECASE,
)
_BORN_SIGNS = ("born", "birth", "dob", "d.o.b", "出生", "生于", "生日")
_BORN_AFTER = re.compile(rf"(?<![0-9])(?P<date>{_DATE}) ?(?:出生|生(?![产效成活]))")


def document_number(text: str, start: int) -> tuple[str, int] | None:
    """The kind of document whose number starts here by the words before it, and where the number ends."""
    match = _NUMBER.match(text, start)
    if _LOOSE_WORD.match(text, start) or match is None or match.end() - start > 2 * _LONGEST:
        return None
    label = label_before(text, start)
    if label is None:
        label = label_after(text, match.end())
    form = _FORMS.get(label) if label else None
    if label is None or form is None:
        return None
    kind, pattern = form
    for written in (match[0], re.split("[- ]", match[0], maxsplit=1)[0]):
        digits = sum(map(str.isdigit, written))
        if pattern.fullmatch(written) and digits >= _FEWEST_DIGITS[label] and len(written) <= _LONGEST:
            return kind, start + len(written)
    return None


def document_in_digits(run: Run) -> str | None:
    """The kind of document that a run of digits is called."""
    form = _FORMS.get(run.label) if run.label else None
    if form is None or run.label in (None, "id"):
        return None
    kind, _ = form
    fewest, most = _LENGTHS[kind]
    return kind if fewest <= len(run.digits) <= most and _GROUPS.fullmatch(run.written) else None


def plates(text: str) -> Iterator[tuple[int, int]]:
    """Where number plates stand: Chinese ones by their form, others by what they are called."""
    if not text.isascii():
        for match in _PLATE.finditer(text):
            if _DIGIT.search(match[0]) or label_before(text, match.start()) == "plate":
                yield match.span()
    if "plate" in text or "reg" in text:
        yield from (match.span("plate") for match in _CALLED_PLATE.finditer(text))


def dates_of_birth(text: str) -> Iterator[tuple[int, int]]:
    """Where dates stand that are called a date of birth."""
    small = text.lower()
    if not any(sign in small for sign in _BORN_SIGNS):
        return
    for pattern in (_BORN, _BORN_AFTER):
        for match in pattern.finditer(text):
            yield match.span("date")
