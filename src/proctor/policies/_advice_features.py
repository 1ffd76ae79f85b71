"""What a text is about and what it says about whom, as numbers: what the weights for advice read.

Knows words, no weights: which words stand for what is in `data/advice_words.toml`.
"""

import math
import re
import tomllib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib import resources
from itertools import pairwise
from typing import Any

DOMAINS = ("investment", "medical", "legal")
ABOUT = (*DOMAINS, "service")
"""Subjects. `service` is what customers talk about: it speaks against the others."""
TIERS = {"strong": 1.0, "usual": 0.5, "weak": 0.2}
_WEAK = list(TIERS).index("weak")
LEAST_LEVEL = 0.5
"""A text is about a domain from one usual word of it on."""
_MOST_LEVEL = 6.0
_MOST_TIMES = 4
_CHINESE_UNIT = 1.6
"""Chinese characters that say about as much as one English word."""

_TOKENS = re.compile(r"[a-z0-9&][a-z0-9&']*|\?")
_CHINESE = re.compile("[\u4e00-\u9fff]")
_SIGNS = ("$", "£", "€", "%", "万", "元")


class _Words:
    """Which words stand for which slots: first three for each subject, then one for each thing said."""

    def __init__(self) -> None:
        text = resources.files("proctor.policies").joinpath("data/advice_words.toml").read_text("utf-8")
        file = tomllib.loads(text)
        self.says = tuple(file["says"])
        self.slots = len(ABOUT) * len(TIERS) + len(self.says)
        english: dict[str, set[int]] = defaultdict(set)
        chinese: dict[str, set[int]] = defaultdict(set)
        for place, words, words_zh in _slots(file):
            for word in words:
                english[word].add(place)
            for word in words_zh.lower().split():
                chinese[word].add(place)
        for character in file["about"]["medical"]["characters"]:
            chinese[character].add(DOMAINS.index("medical") * len(TIERS))
        self.english = {word: tuple(slots) for word, slots in english.items()}
        self.endings = frozenset(file["about"]["medical"]["endings"].split())
        telling = {place for place in range(len(DOMAINS) * len(TIERS)) if place % len(TIERS) != _WEAK}
        self.gate = frozenset(word.partition(" ")[0] for word, slots in english.items() if slots & telling)
        """Words one of which every English text about a domain has."""
        self.firsts = frozenset(word.partition(" ")[0] for word in english if " " in word)
        self.characters = {word: tuple(slots) for word, slots in chinese.items() if len(word) == 1}
        self.chinese: dict[str, list[tuple[str, int]]] = defaultdict(list)
        """Chinese words of several characters by the first two."""
        for word, slots in chinese.items():
            if len(word) > 1:
                self.chinese[word[:2]] += [(word, slot) for slot in sorted(slots)]


def _slots(file: Mapping[str, Any]) -> Iterator[tuple[int, Iterable[str], str]]:
    """Each slot with its English and its Chinese words."""
    for subject, words in file["about"].items():
        for place, tier in enumerate(TIERS, start=ABOUT.index(subject) * len(TIERS)):
            yield place, _forms(words.get(tier, "")), words.get(f"{tier}_zh", "")
    for place, words in enumerate(file["says"].values(), start=len(ABOUT) * len(TIERS)):
        yield place, _joined(words["english"]), words["chinese"]


def _joined(words: str) -> Iterator[str]:
    return (word.replace("_", " ") for word in words.split())


def _forms(words: str) -> Iterator[str]:
    """Each word, and its plural."""
    for plain in _joined(words):
        yield plain
        if not plain.endswith("s"):
            yield f"{plain}s"


_WORDS = _Words()
_SAYS = len(ABOUT) * len(TIERS)
_MEDICAL = DOMAINS.index("medical") * len(TIERS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What stands in one text, counted."""

    levels: Mapping[str, float]
    """How much it is about each subject."""
    says: Mapping[str, float]
    """How much it says of each thing."""
    units: float
    """About how many words the text has."""
    chinese: float
    """1 if it is mostly Chinese."""
    figures: int
    general_first: bool
    """It begins as a question of general knowledge does."""
    order_first: bool
    """It begins as an order does."""


def told(lowered: str) -> Told | None:
    """What stands in a text, in lower case; None where it is about no domain."""
    tokens = _TOKENS.findall(lowered)
    alone = set(tokens)
    han = 0 if lowered.isascii() else len(_CHINESE.findall(lowered))
    if not han and _WORDS.gate.isdisjoint(alone):
        return None
    counts = [0] * _WORDS.slots
    for gram in _grams(tokens, alone) & _WORDS.english.keys():
        for slot in _WORDS.english[gram]:
            counts[slot] += 1
    counts[_MEDICAL] += sum(1 for word in alone if word[-4:] in _WORDS.endings or word[-5:] in _WORDS.endings)
    if han:
        for slot in _chinese(lowered):
            counts[slot] += 1
    levels = {subject: _level(counts, place) for place, subject in enumerate(ABOUT)}
    if all(levels[domain] < LEAST_LEVEL for domain in DOMAINS):
        return None
    spoken = zip(_WORDS.says, counts[_SAYS:], strict=True)
    return Told(
        levels=levels,
        says={name: min(count, _MOST_TIMES) ** 0.5 for name, count in spoken},
        units=len(tokens) + han / _CHINESE_UNIT,
        chinese=float(han > len(tokens)),
        figures=_figures(alone, lowered),
        general_first=_begins(tokens, lowered),
        order_first=bool(tokens) and tokens[0] in _ORDERS,
    )


def _grams(tokens: list[str], alone: set[str]) -> set[str]:
    """The words, and those stretches of two and three that could be known."""
    pairs = [
        (place, f"{one} {two}") for place, (one, two) in enumerate(pairwise(tokens)) if one in _WORDS.firsts
    ]
    threes = (f"{pair} {tokens[place + 2]}" for place, pair in pairs if place + 2 < len(tokens))
    return alone.union((pair for _, pair in pairs), threes)


def _level(counts: list[int], subject: int) -> float:
    first = subject * len(TIERS)
    return sum(
        weight * count
        for weight, count in zip(TIERS.values(), counts[first : first + len(TIERS)], strict=True)
    )


def _figures(alone: set[str], lowered: str) -> int:
    """About how many different numbers and sums a text has."""
    return sum(1 for token in alone if token[0].isdigit() and len(token) > 1) + any(
        sign in lowered for sign in _SIGNS
    )


def _chinese(lowered: str) -> Iterator[int]:
    for start in set(map(str.__add__, lowered, lowered[1:])) & _WORDS.chinese.keys():
        for word, slot in _WORDS.chinese[start]:
            if len(word) == len(start) or word in lowered:
                yield slot
    for character in set(lowered) & _WORDS.characters.keys():
        yield from _WORDS.characters[character]


_GENERAL = frozenset(
    {
        "what is",
        "what are",
        "what does",
        "what was",
        "who is",
        "who was",
        "how does",
        "how do",
        "how are",
        "how is",
    }
    | {"explain", "define", "describe", "why do", "why are", "why does", "can you explain", "give me an"}
    | {"tell me about"}
)
_SHORT_CHINESE = 30
_GENERAL_CHINESE_QUESTION = re.compile(
    r"是怎么.{1,8}的[?。]?$|是如何.{1,8}的[?。]?$|有什么(?:区别|不同)|是什么意思|什么时候.{1,6}的[?。]?$|(?:定义|原理|标准|病因|类型|种类|历史)(?:是什么|有哪些|是多少)"
)
_SOMEBODY = re.compile(r"[我你您他她咱]|本人|孩子|宝宝|[爸妈]|老[公婆]|患者")
_GENERAL_CHINESE = ("什么是", "什么叫", "请解释", "解释", "介绍", "请介绍", "简述")
_ORDERS = frozenset(
    {"recommend", "suggest", "advise", "create", "design", "build", "give", "pick", "provide", "tell", "help"}
    | {"draft", "plan"}
)
_PERSONAL = frozenset({"i", "i'm", "my", "me", "we", "our", "i've", "mine", "should", "you"})


def _begins(tokens: list[str], lowered: str) -> bool:
    if lowered.lstrip("\"' ").startswith(_GENERAL_CHINESE) or (
        len(lowered) <= _SHORT_CHINESE
        and _GENERAL_CHINESE_QUESTION.search(lowered)
        and not _SOMEBODY.search(lowered)
    ):
        return True
    openings = {" ".join(tokens[:count]) for count in (1, 2, 3)}
    return not _GENERAL.isdisjoint(openings) and _PERSONAL.isdisjoint(tokens)


def directed(found: Told) -> bool:
    """Whether somebody is told what to do."""
    return bool(found.says["told_you"] or found.says["advise"] or found.says["trades"])


def features(found: Told, domain: str) -> Mapping[str, float]:
    """The numbers by which one domain is judged; those that are zero are left out."""
    says = found.says
    own, service = found.levels[domain], found.levels["service"]
    others = max(found.levels[other] for other in DOMAINS if other != domain)
    personal = min(says["person"] + says["kin"] + says["own_body_or_money"], 2.0)
    asked = min(says["should"] + says["may"] + says["what_to_do"] + says["pick"], 2.0)
    strength = math.log1p(min(own, _MOST_LEVEL))
    shape = {
        f"is_{domain}": 1.0,
        "level": min(own, _MOST_LEVEL) / 3,
        "log_level": strength,
        "density": min(1.0, own / (3 + found.units**0.7)),
        "rival": math.log1p(others),
        "rival_more": float(others > own),
        "service": math.log1p(service),
        "service_more": float(service >= own),
        "length": math.log1p(found.units) / 5,
        "chinese": found.chinese,
        "figures": min(found.figures, _MOST_TIMES) / 2,
        "general_first": float(found.general_first),
        "ordered_in_domain": strength * found.order_first,
        "asked_of_domain": strength * asked,
        "person_in_domain": strength * personal,
        "general_in_domain": strength * min(says["general"], 2.0),
        "cited_in_domain": strength * min(says["law_cited"], 2.0) * (domain == "legal"),
        "trades_in_domain": strength * min(says["trades"], 2.0) * (domain == "investment"),
        "treats_in_domain": strength * (domain == "medical"),
    }
    return {name: value for name, value in {**says, **shape}.items() if value}
