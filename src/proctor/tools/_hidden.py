"""What a text holds that people don't see, and words in it that give orders to a model.

Such words are no boundary: many injections have none of them. They are shown to whoever reviews a tool.
"""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

from proctor.tools._text import cut, printable

_READ = 100_000
"""Characters that are searched for orders."""
_SHOWN = 200
"""Characters of a finding that are shown."""

_JOINERS = "\u200c-\u200f\u061c"
"""Some scripts and emoji need one of them at a time; after ASCII letters and in rows they hide something."""
_WIDTHLESS = "\u00ad\u034f\u17b4\u17b5\u180e\u200b\u2060-\u2065\u206a-\u206f\u3164\ufeff\uffa0\ufff9-\ufffb"
_SELECTORS = "\ufe00-\ufe0f\U000e0100-\U000e01ef"
_FLAG = "\U0001f3f4[\U000e0030-\U000e0039\U000e0061-\U000e007a]{3,6}\U000e007f"
"""Of Scotland, for example: tag characters that are meant to be there."""

_STRIPPED = {
    "tag": f"(?P<flag>{_FLAG})|[\U000e0000-\U000e007f]+",
    "direction": "[\u202a-\u202e\u2066-\u2069]+",
    "widthless": f"[{_WIDTHLESS}{_JOINERS}]{{2,}}|[{_WIDTHLESS}]|(?<![^\x00-\x7f])[{_JOINERS}]"
    "(?![^\x00-\x7f])",
    "selector": f"[{_SELECTORS}]{{2,}}",
    "terminal": "\x1b(?:\\[[0-?]{0,64}[ -/]{0,8}[@-~]|[\\]PX^_][^\x07\x1b]{0,4096}+(?:\x07|\x1b\\\\)"
    "|[ -/]{0,8}[0-~])?|\x9b[0-?]{0,64}[ -/]{0,8}[@-~]",
    "control": "[\x01-\x08\x0e-\x1a\x1c-\x1f\x7f-\x84\x86-\x9a\x9c-\x9f]+",
}
"""What is taken out of tools' answers."""
_HIDDEN = re.compile("|".join(f"(?P<{kind}>{form})" for kind, form in _STRIPPED.items()))

_UNSEEN = re.compile("(?P<comment><!--(?:[^-]|-(?!->))*+(?:-->)?)|(?P<blanks>\\s{80,})")
"""What people overlook where a text is shown; it is only reported, since files and pages hold it too."""

_MIXED = re.compile(
    "(?<![^\\W\\d_])(?:[a-z]{1,40}[\u0400-\u045f]|[\u0400-\u045f]{1,40}[a-z])\\w{0,40}", re.IGNORECASE
)

_TITLES = {
    "tag": "tag characters",
    "direction": "marks that turn the direction of writing",
    "widthless": "characters without width",
    "selector": "rows of variation selectors",
    "terminal": "terminal commands",
    "control": "control characters",
    "comment": "HTML comment",
    "blanks": "long row of blanks",
    "mixed": "word of mixed alphabets",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Hidden:
    """Something in a text that people don't see."""

    kind: str
    """What it is, in words."""
    count: int
    """Characters."""
    text: str
    """What it says, where that can be read."""


def hidden_in(text: str) -> tuple[Hidden, ...]:
    """All that a text hides, also what `without_hidden` leaves, in its order of kinds."""
    found: dict[str, list[str]] = {}
    for kind, piece in _pieces(text):
        found.setdefault(kind, []).append(piece)
    return tuple(
        Hidden(
            kind=_TITLES[kind],
            count=sum(map(len, pieces)),
            text=cut(printable(_spelt(kind, "".join(pieces))), _SHOWN),
        )
        for kind, pieces in found.items()
    )


def without_hidden(text: str) -> tuple[str, int]:
    """The text without invisible characters and terminal commands, and how many characters that were."""
    shown = _HIDDEN.sub(lambda match: match["flag"] or "", text)
    return shown, len(text) - len(shown)


def _pieces(text: str) -> Iterator[tuple[str, str]]:
    for form in (_HIDDEN, _UNSEEN):
        for match in form.finditer(text):
            if match.groupdict().get("flag") is None:
                yield str(match.lastgroup), match[0]
    for match in _MIXED.finditer(text):
        yield "mixed", f"{match[0]} "


def _spelt(kind: str, text: str) -> str:
    match kind:
        case "tag":
            return "".join(chr(ord(character) - 0xE0000) for character in text)
        case "selector":
            return bytes(map(_byte, text)).decode("utf-8", "replace")
        case "terminal" | "comment" | "mixed":
            return text
        case _:
            return ""


def _byte(selector: str) -> int:
    """The byte that a variation selector stands for where a text is hidden in them: 0 to 255, in order."""
    place = ord(selector)
    return place - 0xFE00 if place < 0xFE10 else (place - 0xE0100 + 16) % 256  # noqa: PLR2004 - Unicode's


_SOME = r"(?:\W{1,3}\w{1,20}){0,5}?\W{1,3}"
"""Up to five words between."""
_NEAR = r"[^.!?\n]{0,50}"
"""Within a sentence."""
_NAH = r"[^。!?\n]{0,12}"
"""The same in Chinese."""
_PLACES = r"~/\.\w|\.ssh\b|id_rsa|\.env\b|\.aws\b|mcp\.json|/etc/(?:passwd|shadow)"
_KEYS = r"credentials?\b|api[ _-]?keys?\b|passwords?\b|private keys?\b|secrets?\b"
_PRIVATE = rf"(?:{_PLACES}|{_KEYS}|(?:chat|conversation|message) history\b|system prompts?\b)"
_PEOPLE = r"(?:users?|humans?|operators?|persons?|people|anyone|anybody|them|owner)\b"
_TELL = "(?:告诉|告知|通知|提醒|透露|提及|询问|让|知道)"
_WHOM = "(?:用户|他人|任何人|别人|对方|主人|操作员)"

_ORDERS = {
    "forget": rf"\b(?:ignore|disregard|forget|override|bypass|(?:do not|don't) follow){_SOME}"
    r"(?:instructions?|prompts?|rules?|guidelines?|directives?|polic(?:y|ies)|restrictions?)\b"
    r"|\b(?:ignore|disregard|forget) (?:everything|anything|all|what) (?:above|before|previous|you)\b",
    "忘记": rf"(?:忽略|无视|忘记|忘掉|不要理会|不用理会|不要遵守|绕过){_NAH}"
    r"(?:指令|指示|提示|规则|命令|要求|限制|设定|政策)",
    "be another": r"\byou are now\b|\bact as (?:an? |the )?(?:unrestricted|different|new|admin|root|system)\b"
    r"|\byour (?:new|real|true|actual) (?:task|goal|instructions?|role|purpose|objective)\b"
    r"|\bnew instructions?\b|\b(?:developer|god|dan|jailbreak|unrestricted) mode\b",
    "变成": r"你现在是|从现在(?:起|开始),?你|(?:新的?|真正的?)(?:指令|任务|指示|目标)(?:是|:)|开发者模式",
    "as the system": r"</?(?:important|system|instructions?|admin|override|critical)\s?>|<<sys>>"
    r"|<\|(?:im_start|system)\|>|\[/?(?:inst|system|important|admin)\]|[【<\[](?:重要|系统|指令|管理员)[】>\]]"
    r"|##\s?(?:system|new instructions?|instructions?)\b",
    "keep from people": r"\b(?:do not|don't|never|must not|without|avoid) (?:\w{1,20} ){0,2}"
    rf"(?:tell|inform|mention|notify|reveal|alert|ask|show|disclos)(?:s|e|ing)?{_SOME}{_PEOPLE}",
    "瞒着": rf"(?:不要|请勿|切勿|不得|别|无需|不必|避免){_NAH}"
    rf"(?:{_TELL}{_NAH}{_WHOM}|{_WHOM}{_NAH}{_TELL})",
    "in secret": r"\b(?:secretly|covertly|behind the scenes)\b|悄悄|偷偷|秘密地|暗中"
    r"|\bsilently (?:read|open|send|forward|copy|upload|include|append|call|execute|run|change|replace)"
    r"|\bwithout (?:their|the user's|user) (?:knowledge|consent)\b",
    "fetch": r"\b(?:read|open|cat|send|include|pass|append|attach|upload|forward|copy|put|leak|exfiltrate)"
    rf"{_SOME}{_PRIVATE}",
    "拿来": rf"(?:读取|打开|发送|上传|附上|传入|转发|复制|泄露){_NAH}"
    r"(?:密钥|密码|私钥|凭证|凭据|令牌|~/|\.ssh|\.env|聊天记录|对话记录|系统提示)",
    "send along": rf"\b(?:always|also|must|every|all)\b{_NEAR}"
    rf"\b(?:bcc|cc|forward|send|copy|upload|exfiltrate)\b{_NEAR}(?:https?://|@)"
    rf"|\b(?:bcc|cc|forward|copy|exfiltrate)\b{_NEAR}\b(?:every|all)\b{_NEAR}(?:https?://|@)",
    "beside the tool": rf"\bbefore{_SOME}(?:tools?|function)\b{_NEAR}\b(?:read|open|send|fetch|access|cat)\b"
    rf"|\bwhen(?:ever)?{_SOME}(?:tools?|emails?)\b{_NEAR}\b(?:instead|must|always)\b{_NEAR}"
    r"\b(?:change|replace|redirect|recipient|send|forward|bcc)",
    "工具之前": rf"(?:使用|调用|执行)(?:本|此|该|这个|任何|其他)?工具(?:之?前|时){_NAH}"
    r"(?:读取|打开|发送|访问|上传)",
}
"""How orders are put, by what they want. The names serve readers."""
_ORDER = re.compile("|".join(f"(?:{form})" for form in _ORDERS.values()))
_PLAIN = str.maketrans("\u2019\u2018\u3002\t", "''。 ")
"""Beside what NFKC makes plain."""


def instructions_in(text: str) -> tuple[str, ...]:
    """The phrases of a text that give orders to a model, in English or Chinese, each at most once."""
    text = text[:_READ]
    shown, _ = without_hidden(text)
    unseen = "".join(piece for kind, piece in _pieces(text) if kind == "tag")
    plain = unicodedata.normalize("NFKC", f"{shown}\n{_spelt('tag', unseen)}").casefold().translate(_PLAIN)
    found = (cut(match[0].strip(), _SHOWN) for match in _ORDER.finditer(re.sub(" {2,}", " ", plain)))
    return tuple(dict.fromkeys(found))
