"""Whether two questions are the same although their words differ: by embeddings, and by what must agree.

Embeddings don't see what decides: another weekday, an opposite or a Chinese name moves a sentence less than
a polite word does (measured: `benchmarks.cache`). So all of that has to be the same in both. What decides is
known for English and Chinese; questions in other languages are not compared.
"""

import re
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from proctor.core import ModelCall
from proctor.models._cache_sql import Candidate

if TYPE_CHECKING:  # numpy takes a tenth of a second, which commands that compare nothing don't have
    import numpy as np
    from numpy.typing import NDArray

Vector: TypeAlias = "NDArray[np.float32]"
Embed: TypeAlias = Callable[[Sequence[str]], Awaitable["NDArray[np.float32]"]]
"""Unit vectors of texts, one a row; the product of two is their cosine."""

LONGEST_QUESTION = 160
"""Characters. In a longer text one word that decides moves the embedding too little."""
_RATIO = 0.5
"""The shorter of two questions has at least this share of the other's characters."""

Language: TypeAlias = Literal["en", "zh"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """The last message of a request, to be compared with others where all else is the same."""

    text: str
    vector: Vector
    family: str

    @property
    def packed(self) -> bytes:
        """The vector as it is stored."""
        import numpy as np

        return self.vector.astype(np.float16).tobytes()


@dataclass(frozen=True, slots=True, kw_only=True)
class Near:
    """An answered question that is the same as a new one, and how near the two are."""

    candidate: Candidate
    similarity: float


def question_of(call: ModelCall) -> str | None:
    """The text that is compared: the last message, if it is the user's, short, in a language known here."""
    last = call.messages[-1] if call.messages else {}
    text = last.get("content")
    if last.get("role") != "user" or not isinstance(text, str):
        return None
    return text if _language(text) is not None else None


def nearest(question: Question, candidates: Iterable[Candidate], *, at_least: float) -> Near | None:
    """The nearest of the candidates that asks for the same thing."""
    import numpy as np

    best: Near | None = None
    for candidate in candidates:
        similarity = float(
            np.frombuffer(candidate.vector, dtype=np.float16).astype(np.float32) @ question.vector
        )
        nearer = similarity >= at_least and (best is None or similarity > best.similarity)
        if nearer and asks_the_same(question.text, candidate.question):
            best = Near(candidate=candidate, similarity=similarity)
    return best


def asks_the_same(one: str, other: str) -> bool:
    """Whether what decides is the same: language, figures, dates, ids, names, quotations, negations."""
    language = _language(one)
    if language is None or language != _language(other):
        return False
    shorter, longer = sorted((len(one), len(other)))
    return shorter >= _RATIO * longer and _marks(one, language) == _marks(other, language)


_HAN = re.compile(r"[\u3400-\u9fff]")
_FOREIGN = re.compile(r"[^\W\d_a-zA-Z]")
"""A letter that English doesn't write."""
_ENGLISH = re.compile(
    r"\b(?:the|my|your|are|does|did|how|what|when|where|which|who|why|can|could|would|should|you|i'm|i'd|i've|"
    r"i'll|it's|this|that|there|please|need|know|tell|have|with|and|help me|want to|"
    r"i (?:am|do|don't|dont|want|expect|try))\b",
    re.IGNORECASE,
)
"""Words that tell English from other languages of the same letters."""


def _any_of(words: str) -> str:
    return "|".join(words.split())


_STEMS = _any_of(
    """
    accept declin reject activ deactiv add remov delet allow block forbid approv den arriv depart
    connect disconnect credit debit deposit withdr enabl disabl end finish start begin stop improv worse
    incom outgo increas decreas reduc rais lower high low indoor outdoor inside outside lock unlock open
    clos pass fail physical virtual receiv send sent start stop buy bought sell sold earl lat cheap
    expens dollar euro pound peso cent percent january february april june july august september october
    november december monday tuesday wednesday thursday friday saturday sunday spring summer autumn
    winter morning noon afternoon evening night week month year hour minute
    """
)
"""Beginnings of words one of which may turn a question's meaning round, or name a time or an amount."""
_WORDS = _any_of(
    """
    up down off out over under before after until since left right first last next previous current
    currently more most less least fewer max maximum min minimum new newer newest old older oldest
    checking savings yen yuan usd gbp eur cny today tomorrow yesterday tonight now day days daily march
    may weekend second seconds half double twice once zero one two three four five six seven eight nine
    ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen twenty thirty forty
    fifty sixty seventy eighty ninety hundred thousand million billion third dozen taken used remaining
    son daughter father mother husband wife
    """
)
_DECIDES = re.compile(
    rf"""
      "(?P<straight>[^"]+)" | “(?P<curved>[^”]+)” | `(?P<code>[^`]+)`
    | (?P<figure>[^\s,;!?()]*[\d@/\\_\#][^\s,;!?()]*)
    | (?P<name>(?<!^)\b(?!I\b)[A-Z][\w-]* | \b[A-Z][\w-]*[A-Z][\w-]*)
    | (?P<source>(?i:\bfrom\s(?:(?:my|the|an?)\s)?\w+))
    | (?P<negation>(?i:\b(?:not|no|never|none|nothing|nobody|nor|neither|without|cannot|unable|\w*n['’]t|
        (?:do|does|did|ca|wo|is|are|was|were|have|has|had|could|would|should)nt)\b))
    | (?P<stem>(?i:\b(?:{_STEMS})))\w*
    | (?P<word>(?i:\b(?:{_WORDS})\b))
    """,  # noqa: RUF001 - typographic apostrophes
    re.VERBOSE,
)
_LIGHT = re.compile("请问|请|帮我|帮忙|一下|我想|我的|的|呢|呀|啊|嘛|啦|哦|\\W")
"""What a Chinese question may have more or less of."""
_SYNONYMS = (
    ("如何", "怎么"),
    ("怎样", "怎么"),
    ("哪儿", "哪里"),
    ("您", "你"),
    ("为何", "为什么"),
    ("啥", "什么"),
)


def _language(text: str) -> Language | None:
    """The language of a question that can be compared."""
    if len(text) > LONGEST_QUESTION:
        return None
    if _HAN.search(text):
        return "zh"
    return "en" if _ENGLISH.search(text) and not _FOREIGN.search(text) else None


def _marks(text: str, language: Language) -> tuple[str, ...]:
    """What has to be the same in another question, in its order.

    Chinese names have no form of their own and move an embedding least of all: there it is every word but
    those that are only polite.
    """
    if language == "zh":
        for given, usual in _SYNONYMS:
            text = text.replace(given, usual)
        return (_LIGHT.sub("", text).lower(),)
    return tuple(_mark(found) for found in _DECIDES.finditer(text))


def _mark(found: re.Match[str]) -> str:
    kind = str(found.lastgroup)
    if kind == "negation":
        return "not"
    text = found[kind]
    return text.rstrip(".:'").lower() if kind in ("figure", "stem", "word", "source") else text
