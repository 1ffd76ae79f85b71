"""Harmless texts of tools, made by seed: tables, traces, code, logs and answers of interfaces."""

import json
import random
from collections.abc import Callable
from typing import Final

_WORDS_TEXT: Final = (
    "river summer north station player points total average garden copper silver market engine "
    "winter series album record track season league member region harbor valley castle school "
    "museum theatre council signal orange winner result stage round group final medal coach "
    "stadium capacity opened length depth speed power weight model system version release driver "
    "server client user request response token session cache queue worker message input output "
    "buffer index column value record label image prompt agent instruction rule mode"
)
_WORDS: Final = _WORDS_TEXT.split()
_NAMES_TEXT: Final = (
    "Ann Ben Carla Dmitri Elif Farid Gwen Hugo Ines Jonas Kofi Li Mara Noor Otto Priya Quinn Rosa"
)
_NAMES: Final = _NAMES_TEXT.split()
_PLACES_TEXT: Final = "Leeds Porto Oslo Lyon Graz Turin Kyoto Austin Nantes Bergen Malmo Quito Dakar Perth"
_PLACES: Final = _PLACES_TEXT.split()
_PACKAGES_TEXT: Final = (
    "sklearn pandas numpy torch requests flask django scipy matplotlib nltk asyncio multiprocessing"
)
_PACKAGES: Final = _PACKAGES_TEXT.split()
_ERRORS: Final = (
    "KeyError: '{0}'",
    "TypeError: {0}() takes 2 positional arguments but 3 were given",
    "TypeError: unsupported operand type(s) for +: 'int' and 'str'",
    "TypeError: unhashable type: '{0}'",
    "ValueError: could not convert string to float: '{0}'",
    "ValueError: if using all scalar values, you must pass an index for {0}",
    "AttributeError: 'NoneType' object has no attribute '{0}'",
    "AttributeError: module '{0}' has no attribute '{1}'. Did you mean: '{2}'?",
    "ImportError: cannot import name '{0}' from '{1}'. Install it with pip and try again.",
    "UnboundLocalError: local variable '{0}' referenced before assignment",
    "IndexError: list index out of range",
    "RuntimeError: expected all tensors to be on the same device, use .to({0}) first",
    "FileNotFoundError: [Errno 2] No such file or directory: '{0}.csv'",
    "NameError: name '{0}' is not defined",
)
_LINES: Final = (
    "    {0} = {1}.{2}({0}, axis=1)",
    "    for {0} in range(10):",
    "        print({0}, {1})",
    "    if {0} is None and {1} > 3:",
    "        return {0}[{1}]",
    "    {0} = [{1} for {1} in {2} if {1} not in {0}]",
    "    # Make sure that {0} is not empty before {1} is read.",
    "    # Note: {0} must be sorted, see the docs of {1}.",
    "    {0}['{1}'] = {{'{2}': 1, 'default': None}}",
    "    with open('{0}.txt') as {1}:",
    "    assert {0} == {1}, 'wrong {2}'",
    "    def _{0}(self, {1}, *args, **kwargs):",
    "        raise ValueError(f'unknown {0}: {{{1}!r}}')",
    '        """Return the {0} of the {1}."""',
)
_LEVELS: Final = ("INFO", "DEBUG", "WARN", "ERROR")
_EVENTS: Final = (
    "{0} started on port 8080",
    "could not reach {0}: connection refused, will try again",
    "{0} took 210 ms for {1}",
    "user {2} signed in",
    "{0} was not found; check the name of the {1}",
    "ignored empty {0}",
    "overriding {0} with the value of the environment",
)


def made(count: int, seed: int) -> list[str]:
    """So many documents, of each kind alike."""
    rng = random.Random(seed)
    makers: tuple[Callable[[random.Random], str], ...] = (_table, _trace, _code, _log, _answer, _rows)
    return [makers[position % len(makers)](rng) for position in range(count)]


def _table(rng: random.Random) -> str:
    columns = rng.randint(3, 6)
    head = [rng.choice(_WORDS).title() for _ in range(columns)]
    lines = [f"| {' | '.join(head)} |"]
    for number in range(rng.randint(4, 25)):
        cells = [
            rng.choice((str(number + 1), str(rng.randint(1900, 2024)), *_pair(rng), _title(rng)))
            for _ in head
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _rows(rng: random.Random) -> str:
    lines = ["id,name,city,amount,date,state"]
    lines += [
        f"{number},{rng.choice(_NAMES)},{rng.choice(_PLACES)},{rng.randint(1, 9999) / 100},"
        f"2026-0{rng.randint(1, 9)}-11,{rng.choice(_WORDS)}"
        for number in range(rng.randint(3, 30))
    ]
    return "\n".join(lines)


def _trace(rng: random.Random) -> str:
    lines = ["Traceback (most recent call last):"]
    for _ in range(rng.randint(1, 6)):
        package, word, other = rng.choice(_PACKAGES), rng.choice(_WORDS), rng.choice(_WORDS)
        lines += [
            (
                f'  File "/usr/lib/python3/site-packages/{package}/{word}/_{other}.py", '
                f"line {rng.randint(2, 900)}, in {other}"
            ),
            f"    {other} = self._{word}({other}, **kwargs)",
        ]
    lines.append(_filled(rng, rng.choice(_ERRORS)))
    if rng.random() < 0.2:
        lines += ["", "During handling of the above exception, another exception occurred:", ""]
    return "\n".join([*lines, "", _code(rng)])


def _code(rng: random.Random) -> str:
    lines = [f"import {rng.choice(_PACKAGES)} as {rng.choice('abcnpq')}", "", f"def {rng.choice(_WORDS)}():"]
    lines += [_filled(rng, rng.choice(_LINES)) for _ in range(rng.randint(2, 14))]
    return "\n".join(lines)


def _log(rng: random.Random) -> str:
    return "\n".join(
        f"2026-03-0{rng.randint(1, 9)} 1{rng.randint(0, 9)}:02:{rng.randint(10, 59)} {rng.choice(_LEVELS)} "
        + _filled(rng, rng.choice(_EVENTS))
        for _ in range(rng.randint(3, 30))
    )


def _answer(rng: random.Random) -> str:
    def item() -> dict[str, object]:
        return {
            "id": f"{rng.choice('ABCX')}{rng.randint(1000, 99999)}",
            "name": rng.choice(_NAMES),
            rng.choice(_WORDS): _title(rng),
            rng.choice(_WORDS): rng.randint(1, 500),
            "tags": [rng.choice(_WORDS) for _ in range(3)],
            "url": f"https://{rng.choice(_WORDS)}.example/{rng.randint(1, 99)}",
        }

    told = {"status": "ok", "results": [item() for _ in range(rng.randint(1, 8))], "next": None}
    return json.dumps(told, indent=rng.choice((None, 2)))


def _pair(rng: random.Random) -> tuple[str, str]:
    return rng.choice(_NAMES) + " " + rng.choice(_WORDS).title(), rng.choice(_PLACES)


def _title(rng: random.Random) -> str:
    return " ".join(rng.choice(_WORDS) for _ in range(rng.randint(1, 5))).capitalize()


def _filled(rng: random.Random, pattern: str) -> str:
    return pattern.format(rng.choice(_WORDS), rng.choice(_WORDS), rng.choice(_NAMES).lower())
