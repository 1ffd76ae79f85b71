"""What people are told: that an AI answers, where to turn for advice, and what an answer is not.

In the language of the text at hand, English or Chinese. A deployment may put its own words in place of these.
"""

import re
import tomllib
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import TypeAlias

from proctor.core import Language, Notice

Notices: TypeAlias = Mapping[Notice, Mapping[Language, str]]

CHINESE_WORD = 1.5
"""Chinese characters that count as a word."""
READ = 4_000
"""Characters by which a language is judged."""
_CHINESE = re.compile("[\u3400-\u9fff]")
_LATIN_WORDS = re.compile(r"[A-Za-z\u00c0-\u024f]+")


@cache
def _shipped() -> Notices:
    text = resources.files("proctor.policies").joinpath("data/notices.toml").read_text("utf-8")
    shipped: Notices = tomllib.loads(text)  # type: ignore[assignment]
    return shipped


def language(text: str) -> Language:
    """The language to answer a text in: the one that most of its words are in."""
    read = text[:READ]
    chinese = len(_CHINESE.findall(read)) / CHINESE_WORD
    return "zh" if chinese > len(_LATIN_WORDS.findall(read)) else "en"


def notice(kind: Notice, text: str, own: Notices | None = None) -> str:
    """What to tell whoever wrote or reads this text, in its language; the deployment's own words first."""
    spoken = language(text)
    return (own or {}).get(kind, {}).get(spoken) or _shipped()[kind][spoken]
