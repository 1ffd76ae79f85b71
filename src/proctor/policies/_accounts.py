"""Bank accounts: IBANs by their check digits, other numbers by the words before them."""

import re

from proctor.policies._checksums import mod_97
from proctor.policies._runs import Run

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
_IBAN = re.compile(r"[A-Z]{2}[0-9]{2}(?:[ -]?[0-9A-Z]){11,30}+", re.IGNORECASE | re.ASCII)
_SHORTEST, _LONGEST = 15, 34
_WORD_END = re.compile(r"(?<=[0-9A-Za-z])(?![0-9A-Za-z])")
_CHARACTER = re.compile(r"[0-9A-Za-z]")
_FEWEST_DIGITS, _MOST_DIGITS = 6, 20
_DATE_OR_SUM = re.compile(
    r"(?:19|20)\d\d[-./]\d\d?[-./]\d\d?|\d\d?[-./]\d\d?[-./](?:19|20)\d\d|[0-9]+\.[0-9]{1,2}"
)


def iban_end(text: str, start: int) -> tuple[int, float] | None:
    """Where the IBAN that starts at a place ends and how sure that is; None where none starts."""
    match = _IBAN.match(text, start)
    if match is None or match[0][:2].upper() not in _LENGTHS:
        return None
    places = [each.start() for each in _CHARACTER.finditer(match[0])]
    size = _LENGTHS[match[0][:2].upper()]
    words = [each.start() for each in _WORD_END.finditer(match[0])]
    for end, confidence in ((places[min(size, len(places)) - 1] + 1, 1.0), *((end, 0.9) for end in words)):
        number = "".join(filter(str.isalnum, match[0][:end]))
        whole = _CHARACTER.match(text, start + end) is None
        if whole and _SHORTEST <= len(number) <= _LONGEST and mod_97(number):
            return start + end, confidence
    return None


def is_account(run: Run) -> bool:
    """Whether a run of digits is called an account, a routing number or a sort code."""
    if run.label not in ("account", "iban") or not _FEWEST_DIGITS <= len(run.digits) <= _MOST_DIGITS:
        return False
    return not _DATE_OR_SUM.fullmatch(run.written)
