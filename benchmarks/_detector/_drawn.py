"""Texts drawn from parts of our own, in ten languages: harmless requests, and attempts to take over."""

import random
import tomllib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, TypeAlias

Parts: TypeAlias = Mapping[str, Any]

_TEXTS: Final = Path(__file__).parent / "texts"
_MOST_CONDITIONS: Final = 4
_WITHOUT_BLANKS: Final = ("zh", "ja")
_DEEPEST: Final = 3
"""How deep parts stand in parts: an attempt's question names a secret."""


def requests(count: int, seed: int) -> Iterator[tuple[str, str]]:
    """Requests to write programs, many about security, and questions, each with its language."""
    languages = _read("requests")
    for language, parts in languages.items():
        for question in parts["questions"]:
            yield language, question

    def request(parts: Parts, rng: random.Random) -> list[str]:
        order = rng.choice(parts["orders"]).format(
            tool=rng.choice(parts["tools"]), goal=rng.choice(parts["goals"])
        )
        most = min(_MOST_CONDITIONS, len(parts["conditions"]))
        return [order, *rng.sample(parts["conditions"], rng.randint(0, most))]

    yield from _different(languages, request, count, seed)


def takeovers(count: int, seed: int) -> Iterator[tuple[str, str]]:
    """Attempts to take an assistant over, each with its language."""
    languages = dict(_read("takeovers"))
    shared = languages.pop("shared")

    def takeover(parts: Parts, rng: random.Random) -> list[str]:
        of = {"ask": "asks", "word": "words", "claim": "claims", "persona": "personas", "secret": "secrets"}
        of |= {name: f"{name}s" for name in ("tool", "host", "mail", "code")}
        attempt = rng.choice(parts["attempts"])
        for _ in range(_DEEPEST):
            drawn = {name: rng.choice({**parts, **shared}[many]) for name, many in of.items()}
            attempt = attempt.format(**drawn)
        return [rng.choice(parts["openers"]), attempt, rng.choice(parts["tails"])]

    yield from _different(languages, takeover, count, seed)


def _different(
    languages: Mapping[str, Parts], draw: Callable[[Parts, random.Random], list[str]], count: int, seed: int
) -> Iterator[tuple[str, str]]:
    rng, names, seen = random.Random(seed), list(languages), set[str]()
    while len(seen) < count:
        language = rng.choice(names)
        pieces = draw(languages[language], rng)
        text = ("" if language in _WITHOUT_BLANKS else " ").join(filter(None, pieces))
        if text not in seen:
            seen.add(text)
            yield language, text


def _read(name: str) -> Mapping[str, Parts]:
    return tomllib.loads((_TEXTS / f"{name}.toml").read_text("utf-8"))
