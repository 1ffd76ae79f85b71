"""The input check: one text in, one verdict out."""

import re

from proctor.core import ALLOW, InputPolicySettings, InvalidInput, Span, Verdict
from proctor.policies._canonical import canonical
from proctor.policies._numbers import national_ids, payment_cards
from proctor.policies._passwords import passwords
from proctor.policies._secrets import secrets

_RULES = {
    "secret": secrets,
    "national_id": national_ids,
    "payment_card": payment_cards,
    "password": passwords,
}
"""By what they find. Where two find the same text, the earlier of two equally strict ones names it."""
_NAMES = {
    "secret": "secret",
    "payment_card": "payment card",
    "national_id": "national id",
    "password": "password",
}
_UNSTORABLE = re.compile("[\ud800-\udfff\x00]")


def read_text(data: bytes) -> str:
    """The text that UTF-8 bytes hold, without a byte order mark.

    Raises:
        InvalidInput: the bytes are no UTF-8.
    """
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidInput(
            f"The text is not UTF-8: byte {error.start} can't be read.",
            hint="Send the text encoded as UTF-8.",
        ) from None


def screen(text: str, settings: InputPolicySettings) -> Verdict:
    """What the input policy says about a text; for `redact` with the text to go on with.

    Raises:
        InvalidInput: the text is too long, or holds what no database stores.
    """
    if len(text) > settings.max_characters:
        raise InvalidInput(
            f"The text has {len(text):,} characters; {settings.max_characters:,} are allowed.",
            hint="Shorten the text, or raise `max_characters` in `[policies.input]`.",
        )
    if broken := _UNSTORABLE.search(text):
        raise InvalidInput(
            f"The text holds U+{ord(broken[0]):04X} at character {broken.start()}, which is no text.",
            hint="Send whole Unicode characters, without NUL and lone surrogates.",
        )
    outcomes = {kind: getattr(settings, kind) for kind in _RULES}
    strict = {kind: outcome == "deny" for kind, outcome in outcomes.items() if outcome != "allow"}
    spans = _find(text, strict)
    if not spans:
        return ALLOW
    seen = {span.type for span in spans}
    kinds = sorted((kind for kind in _RULES if kind in seen), key=lambda kind: not strict[kind])
    rules = tuple(f"input.{kind}" for kind in kinds)
    denied = [kind for kind in kinds if strict[kind]]
    if denied:
        reason = f"Remove the {_list(denied)} from the text and send it again."
        return Verdict(outcome="deny", rules=rules, spans=spans, reason=reason)
    return Verdict(
        outcome="redact",
        rules=rules,
        spans=spans,
        text=_redact(text, spans),
        reason=f"Go on without the {_list(kinds)}: it was taken out of the text.",
    )


def redact(text: str) -> str:
    """A text without the payment cards, secrets, passwords and national ids in it, whatever may enter."""
    return _redact(text, _find(text, dict.fromkeys(_RULES, True)))


def find_secrets(text: str) -> tuple[Span, ...]:
    """The keys, tokens and passwords in a text, in its order and without overlaps."""
    return _find(text, {"secret": True, "password": True})


def _find(text: str, strict: dict[str, bool]) -> tuple[Span, ...]:
    """What the rules find in the original text, in its order; what overlaps becomes one span."""
    plain = canonical(text)
    rank = {kind: (not strict[kind], position) for position, kind in enumerate(_RULES) if kind in strict}
    found = sorted(
        (*plain.original(start, end), kind) for kind in rank for start, end in _RULES[kind](plain.text)
    )
    spans: list[Span] = []
    for start, end, kind in found:
        if spans and start < spans[-1].end:
            last = spans.pop()
            first_kind = min(last.type, kind, key=lambda each: rank[each])
            spans.append(Span(start=last.start, end=max(last.end, end), type=first_kind))
        else:
            spans.append(Span(start=start, end=end, type=kind))
    return tuple(spans)


def _redact(text: str, spans: tuple[Span, ...]) -> str:
    pieces: list[str] = []
    place = 0
    for span in spans:
        pieces += [text[place : span.start], f"[{_NAMES[span.type]}]"]
        place = span.end
    return "".join([*pieces, text[place:]])


def _list(kinds: list[str]) -> str:
    return " and the ".join(_NAMES[kind] for kind in kinds)
