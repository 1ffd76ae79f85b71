"""Dark patterns in shop text: urgency, scarcity, social proof, shaming, obstruction.

English by a linear model over words and stretches of characters, sentence by sentence; Chinese by signs.
"""

import json
import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from itertools import chain, islice, pairwise

from proctor.policies._reading import Finding, Reading

STAGES = ("output", "knowledge")
LONGEST_LINE, LONGEST = 200, 400
"""A longer line is read sentence by sentence, and so much of a sentence: what presses a buyer is short."""
SHORTEST = 12
"""A shorter sentence of a long line says nothing on its own."""
SNIPPET = 400
"""A text longer than that is prose rather than a label or a banner, where the model needs a sign
beside it."""
LEAST, LEAST_IN_PROSE = 0.5, 0.7
"""So sure a finding is at least; training puts the point that it chose by F1 at 0.5."""
MOST_FINDINGS = 64
WORDS = (1, 3)
CHARACTERS = (2, 4)
"""Lengths of the stretches that are looked at."""

_MONTH = (
    "(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?"
    "|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)"
)
_NUMBERS = re.compile(
    r"(?P<date>\b\d{4}-\d\d?-\d\d?(?:[ t]\d\d?:\d\d(?::\d\d)?)?(?!\d)|\b\d\d?[/.]\d\d?[/.]\d{2,4}\b"
    r"|(?<![\d:])\d\d?:\d\d(?![\d:])"
    rf"|\b{_MONTH}\.? \d\d?\b"
    rf"|\b\d\d? {_MONTH}\b)"
    r"|(?P<amount>[$€£¥] ?\d[\d,]*+(?:\.\d++)?|\b\d[\d,]{0,20}+\.\d\d(?!\d))"
    r"|(?P<long>\d{5,}+|(?<=[_#])\d++|\d{3,4}(?:[ -]\d{3,4}){1,5}+(?!\d))"
    r"|(?P<count>\d+)"
)
_SHOWN = {"count": "0", "long": "1", "date": "2", "amount": "3"}
"""What stands for a number in the stretches: a card's or an order's isn't as many things."""
_TOKENS = re.compile(r"[a-z']+|\d|[!?%$#&]")
_LINES = re.compile(r"\S[^\n]*+")
_SENTENCES = re.compile(r"[^\s.!?][^.!?]*+(?:\.(?!\s)[^.!?]*+)*+[.!?]*+")
_LATIN = re.compile(r"[A-Za-z]{2,}")
_ONE_WORD = re.compile(r"\W*[A-Za-z]+\W*")
"""`No.`: a word alone presses nobody."""
_CHINESE = re.compile("[\u4e00-\u9fff]")
_SIGNS = re.compile(
    r"\b(?:hurry|only \d+|(?:left|remaining|low) in|left|in stock|running out|selling (?:fast|out)"
    r"|sells? out|sold out|almost gone|going fast"
    r"|limited[- ](?:time|stock|offer|edition|quantity|quantities|supply|availability)|last chance"
    r"|ends? (?:in|soon|today|tonight|at)"
    r"|expires?|countdown|flash sale|today only|act (?:now|fast)|order (?:now|within|in the next)"
    r"|don'?t miss|now or never|while supplies"
    r"|(?:people|others|customers|shoppers|visitors|users) (?:are|have|has|just|bought|viewed|viewing"
    r"|purchased|added)|just (?:bought|purchased|ordered)"
    r"|(?:bought|sold|viewed|viewing|purchased|ordered) (?:this|in the|by|recently)|trending"
    r"|best[- ]?sell|high demand|in (?:\d+ )?(?:people'?s )?carts?\b"
    r"|no,? thanks?,?|i(?:'d| would)? (?:don'?t|prefer|rather|hate)|save \$?\d|deal|call us to cancel"
    r"|(?:automatic|recurring) (?:renewal|billing|subscription)"
    r"|cancel (?:my|your) (?:\w++ ){0,3}?(?:membership|subscription)"
    r"|to cancel[, ].*?(?:call|phone|write|mail))",
    re.IGNORECASE,
)
_CHINESE_SIGNS = re.compile(
    r"仅剩|只剩(?=\s?\d|最后|[一二两三几]件)|仅余|最后\s?\d+\s?[件个份台套名天小时]|库存紧张|库存告急|即将售罄|马上售罄|快被抢光|手慢无|售完即止|卖完就没"
    r"|限时(?!达|服务)|倒计时|距(?:离)?(?:活动|优惠|秒杀)?结束|马上结束|即将结束|最后机会|错过(?:今天|再等|就没|后悔|不再)"
    r"|今日特价|仅限今[天日]|仅此一天|秒杀|抢购|赶[紧快](?:下单|抢|购买)|先到先得"
    r"|(?:已有|有)\s?[\d.,]+\s?[万千百]?\+?\s?[人位名](?:顾客|用户|买家)?(?:已?购买|下单|在看|正在|加购|付款|抢)"
    r"|\d+\s?[人位](?:正在|刚刚|已经?)(?:看|浏览|购买|下单|抢)|刚刚(?:购买|下单)了?|正在浏览(?:此|该|这)"
    r"|(?:不了|不用了|不要)[,,]?\s?我(?:宁愿|更?喜欢|不想|不需要|愿意)(?:省钱|多花|原价|全价|错过|付|优惠)?"
    r"|默认(?:勾选|为您(?:勾选|加购|开通))|已为您(?:自动)?(?:勾选|加入|添加)(?:了)?(?:保险|会员|服务|运费险)"
    r"|取消(?:订阅|会员|续费)(?:须|需|请)(?:致电|电话|写信|邮寄|到店)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """A linear model over stretches of two sorts; each stretch has its rarity and its weight."""

    bias: float
    words: Mapping[str, tuple[float, float]]
    characters: Mapping[str, tuple[float, float]]

    def logit(self, text: str) -> float:
        """The log-odds that a text is a dark pattern."""
        plain = normalised(text)
        return self.bias + _dot(self.words, word_parts(plain)) + _dot(self.characters, character_parts(plain))


def normalised(text: str) -> str:
    """A text in lower case, with one digit for each number that tells its sort."""
    return _NUMBERS.sub(lambda found: _SHOWN[str(found.lastgroup)], text.lower())


def word_parts(plain: str) -> Iterator[str]:
    """Words and up to three in a row."""
    tokens = _TOKENS.findall(plain)
    return chain(
        tokens,
        map(" ".join, pairwise(tokens)),
        map(" ".join, zip(tokens, tokens[1:], tokens[2:], strict=False)),
    )


def character_parts(plain: str) -> Iterator[str]:
    """Stretches of each word, with a blank before and after it."""
    for word in plain.split():
        padded = f" {word} "
        for length in range(CHARACTERS[0], CHARACTERS[1] + 1):
            yield padded[:length]
            for start in range(1, len(padded) - length + 1):
                yield padded[start : start + length]


def _dot(known: Mapping[str, tuple[float, float]], parts: Iterable[str]) -> float:
    """The weighted sum over the known stretches, counted by logarithm, at length 1."""
    square = total = 0.0
    for part, count in Counter(filter(known.__contains__, parts)).items():
        rarity, weight = known[part]
        value = (1 + math.log(count)) * rarity
        square += value * value
        total += value * weight
    return total / math.sqrt(square) if square else 0.0


@cache
def _weights() -> Weights:
    text = resources.files("proctor.policies").joinpath("data/dark_patterns.json").read_text("utf-8")
    file = json.loads(text)
    return Weights(bias=file["bias"], words=file["words"], characters=file["characters"])


def dark_patterns(reading: Reading) -> Iterable[Finding]:
    """Sentences of a shop's text that press, shame or trap its buyers."""
    if reading.stage not in STAGES:
        return
    text = reading.plain.text
    found = chain(english(text, _weights()), _chinese(text))
    for start, end, confidence in islice(found, MOST_FINDINGS):
        first, last = reading.plain.original(start, end)
        yield Finding(kind="dark_pattern", start=first, end=last, confidence=confidence)


def parts(text: str) -> Iterator[tuple[int, int]]:
    """The stretches that are judged each on its own: lines, and sentences of long ones."""
    for line in _LINES.finditer(text):
        if len(line[0]) <= LONGEST_LINE:
            yield line.start(), line.start() + len(line[0].rstrip())
        else:
            for sentence in _SENTENCES.finditer(text, line.start(), line.end()):
                if len(sentence[0]) >= SHORTEST:
                    yield sentence.start(), sentence.start() + len(sentence[0].rstrip())


def english(text: str, weights: Weights) -> Iterator[tuple[int, int, float]]:
    """The stretches of a text that these weights find, and how surely."""
    prose = len(text) > SNIPPET
    least = LEAST_IN_PROSE if prose else LEAST
    for start, end in parts(text):
        part = text[start : min(end, start + LONGEST)]
        if _ONE_WORD.fullmatch(part) or len(_LATIN.findall(part)) <= len(_CHINESE.findall(part)):
            continue
        if prose and _SIGNS.search(part) is None:
            continue
        confidence = 1 / (1 + math.exp(-weights.logit(part)))
        if confidence >= least:
            yield start, end, round(confidence, 2)


def _chinese(text: str) -> Iterator[tuple[int, int, float]]:
    if text.isascii() or _CHINESE.search(text) is None:
        return
    for match in _CHINESE_SIGNS.finditer(text):
        yield match.start(), match.end(), 0.9
