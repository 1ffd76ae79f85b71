"""Bank accounts: IBANs by their check digits, other numbers by the words before them."""

import re
from collections.abc import Iterator
from functools import cache

from proctor.policies.personal._checksums import mod_97
from proctor.policies.personal._runs import Run

_LENGTHS = {
    country: int(length)
    for length, countries in {
        "15": "NO",
        "16": "BE",
        "18": "DK FO FI GL NL SD FK",
        "19": "MK SI",
        "20": "AT BA EE KZ LT LU XK MN",
        "21": "HR LV LI CH",
        "22": "BH BG CR GE DE IE ME RS GB VA",
        "23": "AE GI IL IQ TL SO OM",
        "24": "AD CZ PK MD RO SA SK ES SE TN VG DZ",
        "25": "PT LY ST",
        "26": "IS TR",
        "27": "BI BF DJ FR GR IT MR MC SM MG CM BJ CI SN ML NE TG CF CG GA GQ TD",
        "28": "AL AZ CY DO GT HU LB NI PL HN BY SV",
        "29": "BR EG PS QA UA",
        "30": "JO KW MU YE",
        "31": "MT SC",
        "32": "LC",
        "33": "RU",
    }.items()
    for country in countries.split()
}
"""Characters of an IBAN by country, as in SWIFT's registry."""
_UNBROKEN = re.compile(r"[A-Z]{2}[0-9]{2}[0-9A-Z]{11,30}(?![0-9A-Z])", re.IGNORECASE | re.ASCII)
_PRINTED = re.compile(
    r"[A-Z]{2}[0-9]{2}(?P<join>[ -])[0-9A-Z]{4}(?:(?P=join)[0-9A-Z]{4}){2,6}(?:(?P=join)[0-9A-Z]{1,4})?"
    r"(?![0-9A-Z])",
    re.IGNORECASE | re.ASCII,
)
_FEWEST_GROUPS = 4
_MOST_WORDS_AFTER = 2
"""The words of a sentence that look like one more group."""
_FEWEST_DIGITS, _MOST_DIGITS = 6, 20
_DATE_OR_SUM = re.compile(
    r"(?:19|20)\d\d[-./]\d\d?[-./]\d\d?|\d\d?[-./]\d\d?[-./](?:19|20)\d\d|[0-9]+\.[0-9]{1,2}"
)


def iban_end(text: str, start: int) -> tuple[int, float] | None:
    """Where the IBAN that starts at a place ends and how sure that is; None where none starts."""
    size = _LENGTHS.get(text[start : start + 2].upper())
    if size is None:
        return None
    for written in _ways(text, start, size):
        number = "".join(filter(str.isalnum, written))
        if mod_97(number):
            return start + len(written), 1.0 if len(number) == size else 0.9
    return None


def _ways(text: str, start: int, size: int) -> Iterator[str]:
    """The ways to read what stands there as an IBAN: in one, of the right length, in groups of four."""
    if unbroken := _UNBROKEN.match(text, start):
        yield unbroken[0]
        return
    if spread := _spread(size).match(text, start):
        yield spread[0]
    if printed := _PRINTED.match(text, start):
        groups = re.split("[ -]", printed[0])
        fewest = max(_FEWEST_GROUPS, len(groups) - _MOST_WORDS_AFTER)
        for count in range(len(groups), fewest - 1, -1):
            yield printed[0][: sum(map(len, groups[:count])) + count - 1]


@cache
def _spread(size: int) -> re.Pattern[str]:
    return re.compile(
        rf"[A-Z]{{2}}[0-9]{{2}}(?: ?[0-9A-Z]){{{size - 4}}}(?![0-9A-Z])", re.IGNORECASE | re.ASCII
    )


def is_account(run: Run) -> bool:
    """Whether a run of digits is called an account, a routing number or a sort code."""
    if run.label not in ("account", "iban") or not _FEWEST_DIGITS <= len(run.digits) <= _MOST_DIGITS:
        return False
    return not _DATE_OR_SUM.fullmatch(run.written)
