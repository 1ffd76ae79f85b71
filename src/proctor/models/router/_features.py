"""What the router looks at in a request: figures and words, read from a bounded part of it."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from proctor.core import JsonObject, JsonValue, ModelCall
from proctor.models.router._words import ASK_WORDS, DOMAIN_WORDS

HEAD, TAIL = 1_400, 300
"""Characters that are read of what was asked last: its beginning and its end."""
CHINESE = 500
"""Chinese characters that are read as words."""
IMAGE = 1_000
"""Tokens of an image, about."""
RECENT = 12
"""Messages back in which tool errors are looked for."""

_WORDS = re.compile(r"[a-z]{2,}")
_HAN = re.compile(r"[\u4e00-\u9fff]+")
_NUMBERS = re.compile(r"\d[\d.,]*")
_ITEMS = re.compile(r"^\s*(?:\d{1,2}[.)、]|[-*•]) ?\S", re.MULTILINE)
_OPTIONS = re.compile(r"(?:^|\s)[A-E][.:、)\uff0e]", re.MULTILINE)
_MATHS = frozenset("=+^√∑∫≤≥≠\u00d7÷∈∞πΔ$\\<>%")
_MIXED = 0.02, 0.6
"""Between these shares of Chinese characters a text is in two languages."""
_KINDS = ("options", "code_marks", "tools")
"""The first of these figures that a request has is its kind."""
_SHORT = 0.66
"""A request without any is short below this figure of length: about 200 letters."""
_KIND_FIGURES = ("length", "numbers", "maths", "sentences", "questions", "work", "items", "condition")
_CODE = ("```", "def ", "();", "{\n", "import ", "SELECT ", "#include", "</", "=>", "function ")


@dataclass(frozen=True, slots=True, kw_only=True)
class Features:
    """A request as the weights read it."""

    figures: Mapping[str, float]
    """Each figure by its name; those that are zero are left out."""
    words: frozenset[str]
    """The different English words and pairs of Chinese characters that it holds."""
    tokens: int
    """About how long the whole prompt is."""
    shares: tuple[int, ...]
    """How long its parts are, in no unit: the tools, then each message."""
    images: int

    def tokens_of(self, messages: int) -> int:
        """About how long the tools and so many messages are."""
        return round(self.tokens * sum(self.shares[: messages + 1]) / (sum(self.shares) or 1))


def features(call: ModelCall) -> Features:
    """What can be read off a request in some tens of microseconds, however long it is."""
    asked, images = _asked(call.messages)
    lengths = [16 + _length(message) for message in call.messages]
    read = asked if len(asked) <= HEAD + TAIL else f"{asked[:HEAD]}\n{asked[-TAIL:]}"
    han = "".join(_HAN.findall(read))
    words = _words(read.lower(), han)
    dense = len(han) / (len(read) or 1)
    tools = sum(map(_tool_length, call.tools))
    # About four Latin letters are a token, and about one and a half Chinese characters.
    tokens = int((tools + sum(lengths)) * (0.25 + 0.4 * dense)) + IMAGE * images
    figures = {
        "length": math.log1p(len(asked) * (1 + 2 * dense)) / 8,
        "prompt": math.log1p(tokens) / 10,
        "tools": math.log1p(len(call.tools)) / 3,
        "structured": float(call.response_format is not None),
        "images": float(min(images, 3)),
        "chinese": dense,
        "mixed": float(_MIXED[0] < dense < _MIXED[1]),
        **_shape(read),
        **_history(call.messages),
    }
    for name, known in (*DOMAIN_WORDS.items(), *ASK_WORDS.items()):
        figures[name] = math.log1p(len(words & known))
    figures = {name: value for name, value in figures.items() if value}
    return Features(
        figures=figures | _by_kind(figures),
        words=words,
        tokens=tokens,
        shares=(tools, *lengths),
        images=images,
    )


def _by_kind(figures: Mapping[str, float]) -> dict[str, float]:
    """What kind of text it is, and what its figures mean in that kind: a long puzzle is no long story."""
    kind = next((kind for kind in _KINDS if kind in figures), "")
    kind = kind or ("short" if figures.get("length", 0.0) < _SHORT else "plain")
    told = {f"{kind}*{name}": value for name in _KIND_FIGURES if (value := figures.get(name))}
    return {f"is_{kind}": 1.0, **told}


def _asked(messages: Sequence[JsonObject]) -> tuple[str, int]:
    """What was asked last, and the images in the whole conversation."""
    images, text = 0, None
    for message in reversed(messages):
        content = message.get("content")
        if isinstance(content, list):
            images += sum(isinstance(part, dict) and part.get("type") == "image_url" for part in content)
        if text is None and message.get("role") == "user":
            text = _text(content)
    return text or "", images


def _text(content: JsonValue) -> str:
    if isinstance(content, list):
        parts = (part.get("text") for part in content if isinstance(part, dict))
        return "\n".join(part for part in parts if isinstance(part, str))
    return content if isinstance(content, str) else ""


def _length(message: JsonObject) -> int:
    content = message.get("content")
    length = len(content) if isinstance(content, str) else len(_text(content))
    calls = message.get("tool_calls")
    if isinstance(calls, list):
        length += sum(len(str(call.get("function"))) for call in calls if isinstance(call, dict))
    return length


def _tool_length(tool: JsonObject) -> int:
    """About the characters of a tool, without writing it out."""
    function = tool.get("function")
    if not isinstance(function, dict):
        return 0
    described, parameters = function.get("description"), function.get("parameters")
    fields = parameters.get("properties") if isinstance(parameters, dict) else None
    return 60 + len(str(described)) + 80 * (len(fields) if isinstance(fields, dict) else 0)


def _words(lowered: str, han: str) -> frozenset[str]:
    return frozenset(_WORDS.findall(lowered)).union(map("".join, pairwise(han[:CHINESE])))


def _shape(read: str) -> dict[str, float]:
    """What the text looks like: numbers, formulas, code, lists, questions."""
    maths = sum(map(read.count, _MATHS))
    questions = read.count("?") + read.count("\uff1f")
    sentences = read.count(". ") + read.count("\u3002") + read.count("\n")
    return {
        "numbers": math.log1p(len(_NUMBERS.findall(read))),
        "maths": math.log1p(maths),
        "code_marks": math.log1p(sum(map(read.count, _CODE))),
        "items": math.log1p(len(_ITEMS.findall(read))),
        "options": math.log1p(len(_OPTIONS.findall(read))),
        "questions": math.log1p(questions),
        "sentences": math.log1p(sentences),
    }


def _history(messages: Sequence[JsonObject]) -> dict[str, float]:
    """How the run went so far: answers that were given, tools that failed lately."""
    answers = sum(message.get("role") == "assistant" for message in messages)
    errors = 0
    for message in messages[-RECENT:]:
        content = message.get("content")
        if message.get("role") == "tool" and isinstance(content, str):
            errors += "error" in content[:200].lower()
    return {"answers": math.log1p(answers), "tool_errors": math.log1p(errors)}
