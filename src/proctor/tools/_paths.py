"""Paths in texts: which texts may be one, and how a server may read them."""

import re
import unicodedata
from functools import lru_cache
from posixpath import normpath
from urllib.parse import unquote, urlsplit

from proctor.tools._hidden import without_hidden
from proctor.tools._words import words_of

_LONGEST = 4096
"""Characters of a path on the usual systems."""
_LOOSE = 1024
"""Characters of a text that may be a path though its name doesn't say so."""
_DECODINGS = 3
"""How often a path may be percent-encoded over itself."""

_PATH_WORDS = frozenset(
    {
        *("path", "paths", "file", "files", "filename", "filenames", "filepath", "filepaths", "dir", "dirs"),
        *("directory", "directories", "folder", "folders", "cwd", "root", "roots", "workdir", "workspace"),
        *("路径", "文件", "目录", "文件夹", "文件名"),
    }
)
_TEXT_WORDS = frozenset(
    {
        *("content", "contents", "text", "body", "message", "messages", "html", "markdown", "prompt"),
        *("description", "title", "comment", "summary", "note", "notes", "subject", "query", "question"),
        *("type", "encoding", "format", "mode", "size", "count", "limit", "内容", "文本"),
    }
)
"""Words after which a text isn't a path, whatever it begins with: `file_content`, `fileType`."""

_SLASHES = str.maketrans(dict.fromkeys("\\\u2044\u2215\u29f8\u2571\u3033\u30ce\u4e3f\u29f5\ufe68", "/"))
"""The backslash, and what some system or reader takes for a slash."""
_DOTS = str.maketrans(
    {"\u2024": ".", "\u2025": "..", "\u2026": "...", "\u3002": ".", "\ufe52": ".", "\uff61": "."}
)
_LEADS_AWAY = re.compile(
    r"(?!\s*+(?!file:)[a-z][a-z0-9+.-]{0,30}://)"
    r"(?:\s*(?:/|~|\$\{?[a-z_]|%[a-z_]+%|[a-z]:/|file:|\.{1,2}(?:/|\s*$))|.*(?:^|/)\.\.(?:/|$))",
    re.IGNORECASE,
)
"""A text that is no address of its own kind, and begins like a whole path or goes up."""
_DRIVE = re.compile(r"[A-Za-z]:")
_UNFIT = frozenset({"Cc", "Cs"})
_VARIABLE = re.compile(r"(?:^|/)(?:\$\{?[A-Za-z_]|%\w+%)")


@lru_cache(maxsize=4096)
def _says(name: str) -> bool | None:
    """Whether an argument's name says that it is a path; nothing where it leaves it open."""
    words = words_of(name[:_LOOSE])
    if words and words[-1] in _TEXT_WORDS:
        return False
    return True if not _PATH_WORDS.isdisjoint(words) else None


def may_be_path(name: str, value: str) -> bool:
    """Whether a text may be read as a path, by its argument's name or else by itself."""
    said = _says(name)
    if said is not None:
        return said
    return any(
        len(form) <= _LOOSE and "\n" not in form.strip() and _leads_away(form) for form in _lengths(value)
    )


def _lengths(value: str) -> tuple[str, ...]:
    """The text, and what is left of one that only detours such as `x/../` make long."""
    if len(value) <= _LOOSE and "\n" not in value:
        return (value,)
    plain = unquote(value).translate(_SLASHES)
    return value, normpath(plain)


def _leads_away(value: str) -> bool:
    return any(_LEADS_AWAY.match(form) is not None for form in _readings(value))


def path_forms(value: str) -> tuple[str, ...] | str:
    """All that a server may take a path for; or, as half a sentence, why it can't be told."""
    if len(value) > _LONGEST:
        return "is too long for a path"
    found: dict[str, None] = {}
    for form in _readings(value):
        if not _UNFIT.isdisjoint(map(unicodedata.category, form)):
            return "holds control characters"
        if _DRIVE.match(form) and not form[:5].casefold().startswith("file:"):
            return "is a path of another system"
        if _VARIABLE.search(form):
            return "holds a variable"
        plain = _without_scheme(form)
        if plain is None:
            return "is an address, and no path of this machine"
        found[plain] = None
    return tuple(found)


def _readings(value: str) -> tuple[str, ...]:
    """The text as it stands, and as it is once decoded, made plain, or both."""
    forms = {value: None}
    for _ in range(_DECODINGS):
        value = unquote(value)
        forms[value] = None
    for form in tuple(forms):
        plain = unicodedata.normalize("NFKC", without_hidden(form)[0].translate(_SLASHES).translate(_DOTS))
        forms[plain.translate(_SLASHES).strip()] = None
    return tuple(forms)


def _without_scheme(form: str) -> str | None:
    """What follows `file:`; nothing where that is on another machine, or it is an address of another kind."""
    if form.strip()[:5].casefold() != "file:":
        return None if re.match(r"\s*[A-Za-z][A-Za-z0-9+.-]+://", form) else form
    try:
        address = urlsplit(form.strip())
    except ValueError:
        return None
    return address.path if address.netloc.casefold() in ("", "localhost") else None
