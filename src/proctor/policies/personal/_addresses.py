"""Postal addresses: a number with a street and what follows it, and Chinese ones from province to door."""

import re
from collections.abc import Iterable, Iterator

from proctor.policies._reading import Finding, Reading
from proctor.policies.personal._labels import label_after, label_before

_STREETS = (
    "street|st|avenue|ave|av|road|rd|boulevard|blvd|lane|ln|drive|dr|court|ct|terrace|terr|square|sq|highway|hwy"
    "|parkway|pkwy|circle|cir|crescent|cres|turnpike|tpke|expressway|freeway|throughway|esplanade|mews|alley"
    "|cul-de-sac|close|grove|gardens|row|broadway"
)
_PLACES = (
    "way|place|pl|trail|path|loop|walk|park|hill|hills|point|plaza|crossing|bridge|bypass|causeway|center|centre"
    "|common|commons|corner|corners|course|cove|creek|crest|dale|estate|estates|extension|fall|falls|field|fields"
    "|flat|flats|ford|forest|fork|forks|garden|gateway|glen|green|harbor|haven|heights|hollow|island|islands"
    "|isle|junction|key|keys|knoll|knolls|lake|lakes|landing|light|lights|locks|lodge|manor|meadow|meadows|mill"
    "|mills|mission|motorway|mount|mountain|orchard|oval|overpass|parks|pass|passage|pike|pine|pines|plain"
    "|plains|port|ports|prairie|ramp|ranch|rapids|ridge|ridges|river|route|run|shoal|shoals|shore|shores|skyway"
    "|spring|springs|spur|spurs|squares|station|stravenue|stream|summit|trace|track|trafficway|tunnel|union"
    "|valley|valleys|via|viaduct|view|views|village|villages|ville|vista|walks|wall|well|wells|mall|divide|cape"
    "|camp|burg|brook|brooks|branch|bluff|bluffs|bend|beach|bayou|arcade|annex|rest|ports|row|quay|wharf|rise"
)
_STATES = (
    "A[AEKLPRSZ]|C[AOT]|D[CE]|F[LM]|G[AU]|HI|I[ADLN]|K[SY]|LA|M[ADEHINOPST]|N[CDEHJMVY]|O[HKR]|P[ARW]|RI|S[CD]"
    "|T[NX]|UT|V[AIT]|W[AIVY]"
)
_UNIT = r"(?:apt|apartment|suite|ste|unit|flat|floor|room|rm|#)\.? ?#?[0-9A-Z][0-9A-Z-]{0,5}"
_CODE = rf"(?:(?:{_STATES}),? [0-9]{{5}}(?:-[0-9]{{4}})?|[A-Z]{{1,2}}[0-9][0-9A-Z]? [0-9][A-Z]{{2}})"
_TAIL = (
    rf"(?P<unit>,?[ \n]{{1,2}}{_UNIT}(?![0-9A-Za-z]))?"
    rf"(?P<town>(?:,[ \n]?|\n)[^\W\d_][\w.' -]{{1,30}}?,? {_CODE}(?![0-9A-Za-z]))?"
)
_STREET = re.compile(
    r"(?<![0-9A-Za-z#$€£.,/-])[0-9]{1,6}[A-Za-z]?(?:[-/][0-9]{1,4})?,? (?:[NSEW]{1,2}\.? )?"
    r"(?P<name>(?:(?:[^\W\d_][\w'.-]{0,24}|[0-9]{1,3}(?:st|nd|rd|th)) ){1,4}?)"
    rf"(?:(?P<street>{_STREETS})|(?P<place>{_PLACES}))\b\.?{_TAIL}",
    re.IGNORECASE,
)
_BOX = re.compile(r"\bP\.? ?O\.? ?Box #?[0-9]{1,6}\b", re.IGNORECASE)
_TOWN = re.compile(
    r"\b[A-Z][A-Za-z.'-]{1,20}(?: [A-Z][A-Za-z.'-]{1,20}){0,2},? "
    rf"(?:{_STATES}) [0-9]{{5}}(?:-[0-9]{{4}})?\b"
)
_GERMANIC = re.compile(
    r"\b[A-ZÄÖÜÅØ][\w.-]{0,30}?(?:straße|strasse|str\.|weg|platz|allee|gasse|ufer|gatan|vägen|gata|veien|vej|gade"
    r"|straat|laan|plein|gracht|katu|-Straße|-Str\.) ?[0-9]{1,4}(?: ?[a-z])?(?:-[0-9]{1,4})?\b"
    r"(?:,? ?\n?[0-9]{4,5} ?(?:[A-Z]{2} )?[A-ZÄÖÜ][\w-]{2,30})?"
)
_CODE_AND_TOWN = r"(?:,?[ \n]{1,2}[0-9]{5} [A-ZÀ-Ý][\w-]{2,30})?"
_FRENCH = re.compile(
    r"\b[0-9]{1,4}(?: ?bis| ?ter)?,? (?i:rue|avenue|boulevard|chemin|impasse|allée|quai|cours|place|route)"
    r"(?: (?:de|du|des|la|le|les)){0,2} (?:d'|l')?[A-ZÀ-Ý][\w'-]{1,24}(?:[ -][A-ZÀ-Ý][\w'-]{1,24}){0,3}"
    + _CODE_AND_TOWN
)
_SOUTHERN = re.compile(
    r"\b(?i:calle|c/|avenida|avda\.|paseo|plaza|via|viale|piazza|corso|rua|travessa|ul\.|ulica)"
    r" (?:(?:de|di|da|do|dos|del|della|la|las|los) ){0,2}[A-ZÀ-Ý][\w'.-]{1,24}(?: [\w'.-]{2,24}){0,3}?"
    r",? (?:n[º°.] ?)?[0-9]{1,4}\b" + _CODE_AND_TOWN
)
_ROOM = re.compile(
    r"(?<=[ \n,>])(?:Apt\.?|Apartment|Suite|Ste\.?|Flat|Unit) #?[0-9]{1,5}[A-Z]?\b", re.IGNORECASE
)
_DIGIT = re.compile("[0-9]")
_NOT_A_NAME = frozenset(
    """
    minute minutes hour hours day days week weeks month months year years mile miles km kilometers meters feet
    dollar dollars percent people times the a an to of and or in on at for is are more items pieces am pm x
    ways different separate other new pounds euros inches
    """.split()  # noqa: SIM905 - read as a text
)


def addresses(reading: Reading) -> Iterable[Finding]:
    """The postal addresses in a text: more than the name of a street or a town."""
    for view in reading.views:
        for first, last, confidence in _merged(sorted(_found(view.text))):
            start, end = view.original(first, last)
            yield Finding(kind="address", start=start, end=end, confidence=confidence)


def _merged(places: Iterable[tuple[int, int, float]]) -> Iterator[tuple[int, int, float]]:
    """Places in the text's order, those that touch or stand in the next line as one."""
    open_place: tuple[int, int, float] | None = None
    for place in places:
        if open_place is not None and place[0] <= open_place[1] + 1:
            first, last, confidence = open_place
            open_place = (first, max(last, place[1]), max(confidence, place[2]))
            continue
        if open_place is not None:
            yield open_place
        open_place = place
    if open_place is not None:
        yield open_place


def _found(text: str) -> Iterator[tuple[int, int, float]]:
    if _DIGIT.search(text):
        yield from _western(text)
    if not text.isascii():
        yield from _chinese(text)


def _western(text: str) -> Iterator[tuple[int, int, float]]:
    for match in _STREET.finditer(text):
        if _is_street(text, match):
            yield *match.span(), 0.8
    for pattern in (_BOX, _TOWN, _GERMANIC, _FRENCH, _SOUTHERN, _ROOM):
        for match in pattern.finditer(text):
            yield *match.span(), 0.75


def _is_street(text: str, match: re.Match[str]) -> bool:
    """Whether it is more than `2 hours drive`: a name, a flat, a town, or called an address."""
    words = match["name"].split()
    if match["unit"] or match["town"] or _called_address(text, match):
        return not _NOT_A_NAME.issuperset(word.lower() for word in words)
    named = all(word[:1].isupper() or word[:1].isdigit() for word in words)
    return bool(match["street"]) and named and _NOT_A_NAME.isdisjoint(words)


def _called_address(text: str, match: re.Match[str]) -> bool:
    return "address" in (label_before(text, match.start()), label_after(text, match.end()))


_PROVINCES = (
    "北京|天津|上海|重庆|河北|山西|辽宁|吉林|黑龙江|江苏|浙江|安徽|福建|江西|山东|河南|湖北|湖南"
    "|广东|海南|四川|贵州|云南|陕西|甘肃|青海|台湾|内蒙古|广西|西藏|宁夏|新疆|香港|澳门"
)
_STEM = r"[\u4e00-\u9fff0-9A-Za-z]"
_ROAD = r"(?:大道|大街|胡同|小区|花园|公寓|广场|大厦|[路街道巷弄村庄屯苑园城里])"
_DOOR = (
    r"(?:[0-9A-Za-z一二三四五六七八九十百甲乙-]{1,6}(?:号楼|号院|号|號|弄|座|栋|幢|单元|楼|层|室|户|院|组|巷))"
    r"(?:[0-9A-Za-z一二三四五六七八九十百-]{0,6}(?:号楼|号院|号|座|栋|幢|单元|楼|层|室|户|院)){0,5}"
)
_AT_A_DOOR = re.compile(rf"{_ROAD}{_DOOR}(?:[0-9]{{3,4}}(?![0-9]))?(?: ?[0-9]{{6}}(?![0-9]))?")
_FROM_PROVINCE = re.compile(
    rf"(?:{_PROVINCES})(?:省|市|壮族自治区|回族自治区|维吾尔自治区|自治区|特别行政区)?"
    r"[\u4e00-\u9fff]{1,10}?[市州县区盟旗][\u4e00-\u9fff]{1,16}?(?:大道|大街|[路街巷镇乡村])"
)
_STOPS = re.compile(r".*(?:地址|住址|住在|家住|寄到|寄往|寄去|送到|位于|搬到|住|寄|送|在|到|是|于|为|至)")
_UNIT_OF_LAND = re.compile(r"[省市县区镇乡旗州盟]")
_PROVINCE = re.compile(_PROVINCES)
_LEFT = 36
_ROAD_NAME = 4


def _chinese(text: str) -> Iterator[tuple[int, int, float]]:
    for match in _AT_A_DOOR.finditer(text):
        left = re.search(rf"{_STEM}*\Z", text[max(0, match.start() - _LEFT) : match.start()])
        stem = left[0] if left else ""
        start = match.start() - len(stem) + _start_in(stem)
        if (
            _UNIT_OF_LAND.search(text, start, match.end())
            or "号" in match[0]
            or label_before(text, start) == "address"
        ):
            yield start, match.end(), 0.8
    for match in _FROM_PROVINCE.finditer(text):
        yield *match.span(), 0.75


def _start_in(stem: str) -> int:
    """Where in the characters before a road's last one an address starts."""
    if province := _PROVINCE.search(stem):
        return province.start()
    stop = _STOPS.match(stem)
    if stop and stop.end() < len(stem):
        return stop.end()
    return 0 if _UNIT_OF_LAND.search(stem) else max(0, len(stem) - _ROAD_NAME)
