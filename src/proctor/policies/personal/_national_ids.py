"""National ids: by their written form and check digits; those that have none, by the words before them."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

from proctor.policies.personal._checksums import luhn, mod_11_10, verhoeff, weighted
from proctor.policies.personal._labels import label_before
from proctor.policies.personal._runs import Run

_PROVINCES = frozenset(
    [
        "11",
        "12",
        "13",
        "14",
        "15",
        "21",
        "22",
        "23",
        "31",
        "32",
        "33",
        "34",
        "35",
        "36",
        "37",
        "41",
        "42",
        "43",
        "44",
        "45",
        "46",
        "50",
        "51",
        "52",
        "53",
        "54",
        "61",
        "62",
        "63",
        "64",
        "65",
        "71",
        "81",
        "82",
        "83",
        "91",
    ]
)
_CHINESE_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_CHINESE_CHECKS = "10X98765432"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scheme:
    """How one country writes its numbers."""

    name: str
    form: re.Pattern[str]
    """All of what is written."""
    proves: Callable[[str], bool]
    """Whether a number, without what stands between its characters, keeps the scheme's rules."""
    confidence: float = 0.9


def _is_date(year: int, month: int, day: int) -> bool:
    try:
        date(year, month, day)
    except ValueError:
        return False
    return True


def _chinese(number: str) -> bool:
    """GB 11643: province, date of birth and check digit."""
    return _chinese_form(number) and (
        _CHINESE_CHECKS[weighted(number[:17], _CHINESE_WEIGHTS) % 11] == number[17]
    )


def _chinese_form(number: str) -> bool:
    born = number[6:14]
    return (
        number[:2] in _PROVINCES
        and born[:2] in ("18", "19", "20")
        and _is_date(int(born[:4]), int(born[4:6]), int(born[6:]))
    )


def _chinese_old(number: str) -> bool:
    return number[:2] in _PROVINCES and _is_date(
        1900 + int(number[6:8]), int(number[8:10]), int(number[10:12])
    )


def _us_ssn(number: str) -> bool:
    return (
        number[:3] not in ("000", "666") and number[0] != "9" and number[3:5] != "00" and number[5:] != "0000"
    )


def _us_itin(number: str) -> bool:
    group = int(number[3:5])
    return number[0] == "9" and (50 <= group <= 65 or 70 <= group <= 88 or 90 <= group <= 92 or group >= 94)  # noqa: PLR2004


def _brazilian(number: str) -> bool:
    if len(set(number)) == 1:
        return False
    for size in (9, 10):
        check = weighted(number, range(size + 1, 1, -1)) * 10 % 11 % 10
        if check != int(number[size]):
            return False
    return True


def _french(number: str) -> bool:
    month = int(number[3:5])
    if number[0] not in "12" or not (1 <= month <= 12 or 20 <= month <= 42):  # noqa: PLR2004
        return False
    base = number[:13].upper().replace("2A", "19").replace("2B", "18")
    return base.isdigit() and (97 - int(base) % 97) == int(number[13:])


def _german(number: str) -> bool:
    counts = sorted(number[:10].count(digit) for digit in set(number[:10]))
    return (
        number[0] != "0"
        and counts[-1] in (2, 3)
        and sum(counts[:-1]) == len(counts) - 1
        and mod_11_10(number)
    )


def _korean(number: str) -> bool:
    century = {"1": 1900, "2": 1900, "3": 2000, "4": 2000, "5": 1900, "6": 1900, "7": 2000, "8": 2000}.get(
        number[6]
    )
    return century is not None and _is_date(century + int(number[:2]), int(number[2:4]), int(number[4:6]))


def _swedish(number: str) -> bool:
    return _is_date(2000 + int(number[:2]), int(number[2:4]), int(number[4:6])) and luhn(number)


def _danish(number: str) -> bool:
    return _is_date(2000 + int(number[4:6]), int(number[2:4]), int(number[:2]))


def _australian_medicare(number: str) -> bool:
    return number[0] in "23456" and weighted(number, (1, 3, 7, 9, 1, 3, 7, 9)) % 10 == int(number[8])


def _swiss(number: str) -> bool:
    return number.startswith("756") and (10 - weighted(number[:12], (1, 3) * 6) % 10) % 10 == int(number[12])


def _belgian(number: str) -> bool:
    return any(97 - int(century + number[:9]) % 97 == int(number[9:]) for century in ("", "2"))


def _scheme(name: str, form: str, proves: Callable[[str], bool], confidence: float = 0.9) -> Scheme:
    return Scheme(
        name=name, form=re.compile(form, re.IGNORECASE | re.ASCII), proves=proves, confidence=confidence
    )


_IN_DIGITS: dict[int, tuple[Scheme, ...]] = {
    18: (_scheme("cn-resident-id", r"\d{6}(?P<j>[- ]?)\d{8}(?P=j)\d{4}", _chinese, 1.0),),
    17: (_scheme("cn-resident-id", r"\d{6}(?P<j>[- ]?)\d{8}(?P=j)\d{3}X", _chinese, 1.0),),
    9: (
        _scheme("us-ssn", r"\d{3}-\d\d-\d{4}", _us_ssn),
        _scheme("us-itin", r"\d{3}-\d\d-\d{4}", _us_itin),
        _scheme("ca-sin", r"[1-79]\d\d(?P<j>[- ])\d{3}(?P=j)\d{3}", luhn, 0.8),
    ),
    10: (
        _scheme("se-personnummer", r"\d{6}-\d{4}", _swedish, 0.8),
        _scheme("au-medicare", r"\d{4} \d{5} \d", _australian_medicare, 0.8),
    ),
    11: (
        _scheme("br-cpf", r"\d{3}\.\d{3}\.\d{3}-\d\d|(?!1[3-9])\d{11}", _brazilian, 0.8),
        _scheme("de-steuer-id", r"\d\d(?P<j> ?)\d{3}(?P=j)\d{3}(?P=j)\d{3}", _german, 0.8),
        _scheme("be-rrn", r"\d\d\.\d\d\.\d\d-\d{3}\.\d\d", _belgian),
    ),
    12: (_scheme("in-aadhaar", r"[2-9]\d{3}(?P<j>[- ])\d{4}(?P=j)\d{4}", verhoeff, 0.8),),
    13: (
        _scheme("kr-rrn", r"\d{6}-\d{7}", _korean),
        _scheme("ch-ahv", r"756\.\d{4}\.\d{4}\.\d\d", _swiss),
    ),
    15: (
        _scheme("fr-nir", r"[12](?P<j> ?)\d\d(?P=j)\d\d(?P=j)\d\d(?P=j)\d{3}(?P=j)\d{3}(?P=j)\d\d", _french),
    ),
}
"""By the number of digits, those that prove themselves without a name."""

_NAMED: dict[int, tuple[Scheme, ...]] = {
    15: (_scheme("cn-resident-id-15", r"\d{15}", _chinese_old, 0.9),),
    18: (_scheme("cn-resident-id", r"\d{6}[- ]?\d{8}[- ]?\d{4}", _chinese_form, 0.7),),
    17: (_scheme("cn-resident-id", r"\d{6}[- ]?\d{8}[- ]?\d{3}X", _chinese_form, 0.7),),
    9: (_scheme("us-ssn", r"\d{3}[- .]?\d\d[- .]?\d{4}", lambda number: len(set(number)) > 1),),
}
"""Those that a name before them makes sure; a mistyped check digit hides nobody."""
_NO_ID = re.compile(
    r"\d+\.\d{1,3}|(?:19|20)\d\d[-./ ]\d\d?[-./ ]\d\d?|\d\d?[-./ ]\d\d?[-./ ](?:19|20)\d\d"
    r"|(?:1-)?\(?\d{3}(?:-|\) ?)\d{3}-\d{4}"
)
"""Sums, dates and phone numbers."""
_OTHER_LENGTHS = frozenset(range(7, 17)) - {15}
"""Without those of Chinese ids, which have dates to keep."""


def national_id(run: Run) -> tuple[str, float] | None:
    """The scheme that a run of digits belongs to and how sure that is; None where it is no national id."""
    size = len(run.digits)
    number = run.digits + ("X" if run.written[-1] in "xX" else "")
    for scheme in _IN_DIGITS.get(size, ()):
        if scheme.form.fullmatch(run.written) and scheme.proves(number):
            if scheme.confidence == 1.0 or run.label not in ("other", "phone", "version", "card"):
                return scheme.name, scheme.confidence
            return None
    return _called_so(run, number) if run.label in ("id", "ssn") else None


def _called_so(run: Run, number: str) -> tuple[str, float] | None:
    size = len(run.digits)
    for scheme in _NAMED.get(size, ()):
        if scheme.form.fullmatch(run.written) and scheme.proves(number):
            return scheme.name, scheme.confidence
    return ("named", 0.7) if size in _OTHER_LENGTHS and not _NO_ID.fullmatch(run.written) else None


def _spanish(number: str) -> bool:
    digits = number[:-1].translate(str.maketrans("XYZ", "012"))
    return "TRWAGMYFPDXBNJZSQVHLCKE"[int(digits) % 23] == number[-1]


def _singaporean(number: str) -> bool:
    shift = {"T": 4, "G": 4, "M": 3}.get(number[0], 0)
    rest = (weighted(number[1:8], (2, 7, 6, 5, 4, 3, 2)) + shift) % 11
    checks = {"S": "JZIHGFEDCBA", "T": "JZIHGFEDCBA", "F": "XWUTRQPNMLK", "G": "XWUTRQPNMLK"}
    return "KLJNPQRTUWX"[10 - rest] == number[8] if number[0] == "M" else checks[number[0]][rest] == number[8]


def _hong_kong(number: str) -> bool:
    padded = number[:-1].rjust(8)
    values = [36 if character == " " else int(character, 36) for character in padded]
    total = sum(value * weight for value, weight in zip(values, range(9, 1, -1), strict=True))
    return (total + (10 if number[-1] == "A" else int(number[-1]))) % 11 == 0


def _taiwanese(number: str) -> bool:
    first = "ABCDEFGHJKLMNPQRSTUVXYWZIO".index(number[0]) + 10
    digits = f"{first}{number[1:]}"
    return weighted(digits, (1, 9, 8, 7, 6, 5, 4, 3, 2, 1, 1)) % 10 == 0


_ODD = (1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23)


def _italian(number: str) -> bool:
    places = [int(character) if character.isdigit() else ord(character) - ord("A") for character in number]
    total = sum(_ODD[place] if index % 2 == 0 else place for index, place in enumerate(places[:15]))
    return total % 26 == places[15]


def _chilean(number: str) -> bool:
    total = sum(int(digit) * (2 + index % 6) for index, digit in enumerate(reversed(number[:-1])))
    return "0123456789K0"[11 - total % 11] == number[-1]


def _finnish(number: str) -> bool:
    digits = "".join(filter(str.isdigit, number[:-1]))
    born = digits[:6]
    is_date = len(digits) == 9 and _is_date(2000 + int(born[4:]), int(born[2:4]), int(born[:2]))  # noqa: PLR2004
    return is_date and "0123456789ABCDEFHJKLMNPRSTUVWXY"[int(digits) % 31] == number[-1]


def _holds(_: str) -> bool:
    return True


_WITH_LETTERS = (
    _scheme("es-dni", r"[XYZ]-?\d{7}-?[A-Z]|\d{8}-?[A-Z]", _spanish, 0.85),
    _scheme("sg-nric", r"[STFGM]\d{7}[A-Z]", _singaporean, 0.85),
    _scheme("hk-id", r"[A-Z]{1,2}\d{6} ?\([0-9A]\)", _hong_kong),
    _scheme("tw-id", r"[A-Z][1289]\d{8}", _taiwanese, 0.8),
    _scheme("it-codice-fiscale", r"[A-Z]{6}\d\d[A-EHLMPR-T]\d\d[A-Z]\d{3}[A-Z]", _italian, 0.95),
    _scheme("in-pan", r"[A-Z]{3}P[A-Z]\d{4}[A-Z]", _holds, 0.8),
    _scheme(
        "gb-nino",
        r"(?!BG|GB|NK|KN|TN|NT|ZZ)[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z](?P<j>[- ]?)(?:\d\d(?P=j)){3}[A-D]",
        _holds,
    ),
    _scheme("mx-curp", r"[A-Z]{4}\d{6}[HM][A-Z]{5}[0-9A-Z]\d", _holds, 0.95),
    _scheme("fi-hetu", r"\d{6}[-+A]\d{3}[0-9A-Y]", _finnish, 0.85),
    _scheme("cl-rut", r"\d{1,2}\.\d{3}\.\d{3}-[0-9K]", _chilean, 0.85),
    _scheme("fr-nir", r"[12] ?\d\d ?\d\d ?2[AB] ?\d{3} ?\d{3} ?\d\d", _french),
)


_NAMED_WITH_LETTERS = (
    _scheme(
        "gb-nino", r"[A-Z]{2}(?P<j>[- ]?)\d\d(?P=j)\d\d(?P=j)\d\d ?[A-Z]|[A-Z]{2} \d{6} [A-Z]", _holds, 0.8
    ),
)
"""Numbers for a time only, and those for samples."""
_SURE = 0.9
_GOES_ON = re.compile(r"[-.]?[0-9A-Za-z]")


def national_id_with_letters(text: str, start: int) -> tuple[str, float, int] | None:
    """The scheme of an id of letters and digits that starts here, how sure that is, and where it ends."""
    for scheme in _WITH_LETTERS:
        match = scheme.form.match(text, start)
        if match is None or _GOES_ON.match(text, match.end()):
            continue
        if scheme.proves("".join(filter(str.isalnum, match[0])).upper()):
            weak = scheme.confidence < _SURE and label_before(text, start) == "other"
            return None if weak else (scheme.name, scheme.confidence, match.end())
    for scheme in _NAMED_WITH_LETTERS:
        match = scheme.form.match(text, start)
        if match and not _GOES_ON.match(text, match.end()) and label_before(text, start) in ("id", "ssn"):
            return scheme.name, scheme.confidence, match.end()
    return None
